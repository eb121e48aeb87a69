/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The sending of plaintext in chunks. */
#ifndef AISPM_TLS_SEND_H
#define AISPM_TLS_SEND_H

#include "bpf/include/tls_state.h"

#define MAX_CHUNKS 131072 /* 2 GiB in one call: more than SSL_write can take */

struct sending {
	struct tls_connection *connection;
	__u64 ssl;
	__u64 buffer; /* user address of the call's first byte */
	__u64 offset; /* of that byte in its direction */
	__u64 size;   /* of the call */
	__u8 direction;
	__u8 library;
};

static __always_inline void fill_tls_event(struct aispm_tls_event *event, const struct sending *now, __u64 done,
					   __u32 size)
{
	struct tls_connection *connection = now->connection;
	__u64 id = bpf_get_current_pid_tgid();
	__u32 side = now->direction & 1;

	event->header.kind = AISPM_KIND_TLS_DATA;
	event->header.cpu = bpf_get_smp_processor_id();
	event->header.size = sizeof(*event) + size;
	event->header.boottime_ns = bpf_ktime_get_boot_ns();
	event->header.tgid = id >> 32;
	event->header.tid = id;
	event->header.start_boottime_ns = connection->start_boottime_ns;
	event->header.cgroup_id = bpf_get_current_cgroup_id();
	event->key.ssl = now->ssl;
	event->key.generation = connection->generation;
	event->offset = now->offset + done;
	event->gap = connection->gap[side];
	event->socket = connection->socket;
	event->size = size;
	event->direction = side;
	event->flags = (done + size >= now->size ? AISPM_TLS_LAST_OF_CALL : 0) |
		       (connection->flags & CONNECTION_FROM_START ? AISPM_TLS_FROM_START : 0);
	event->library = now->library;
	event->gap_cause = event->gap ? connection->gap_cause[side] : AISPM_GAP_NONE;
	event->fd = connection->fd - 1;
	event->attribution = connection->attribution;
	event->confidence = connection->confidence;
	event->pad = 0;
	event->uid = bpf_get_current_uid_gid();
	event->pid_namespace = connection->pid_namespace;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
}

static __always_inline void send_chunk_of(struct sending *now, __u64 done, __u32 size, const __u32 capacity)
{
	struct aispm_tls_event *event = bpf_ringbuf_reserve(&data_ring, sizeof(*event) + capacity, 0);

	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_DATA, size);
		lose_plaintext(now->connection, now->direction, size, AISPM_GAP_RING_FULL);
		return;
	}
	if (size > capacity)
		size = capacity; /* never: the caller chose the capacity; the verifier does not know */
	if (bpf_probe_read_user(event + 1, size, (void *)(now->buffer + done))) {
		count_loss(AISPM_LOSS_READ_FAULT, size);
		lose_plaintext(now->connection, now->direction, size, AISPM_GAP_READ_FAULT);
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return;
	}
	fill_tls_event(event, now, done, size);
	now->connection->gap[now->direction & 1] = 0;
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_DATA));
}

/* Reservations have constant sizes, so there is one for each of a few capacities: never the largest for a small chunk. */
static long send_chunk(__u32 index, struct sending *now)
{
	__u64 done = (__u64)index * AISPM_CHUNK_LEN;
	__u64 left = now->size - done;
	__u32 size = left > AISPM_CHUNK_LEN ? AISPM_CHUNK_LEN : left;

	if (size <= 256)
		send_chunk_of(now, done, size, 256);
	else if (size <= 1024)
		send_chunk_of(now, done, size, 1024);
	else if (size <= 4096)
		send_chunk_of(now, done, size, 4096);
	else
		send_chunk_of(now, done, size, AISPM_CHUNK_LEN);
	return 0;
}

/* Sends what a call moved. Everything of `now` but `offset` is set; size > 0. */
static __always_inline void send_plaintext(struct sending *now)
{
	__u64 chunks = (now->size + AISPM_CHUNK_LEN - 1) / AISPM_CHUNK_LEN;
	__u32 side = now->direction & 1;

	now->offset = now->connection->bytes[side];
	now->connection->bytes[side] += now->size;
	count_work(AISPM_COUNT_TLS_CALLS, 1);
	count_work(AISPM_COUNT_TLS_BYTES, now->size);
	if (chunks == 1)
		send_chunk(0, now);
	else
		bpf_loop(chunks > MAX_CHUNKS ? MAX_CHUNKS : chunks, send_chunk, now, 0);
}

#endif
