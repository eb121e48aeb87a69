/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The bytes that a TCP connection carries, as chunks of its two streams with absolute offsets. */
#ifndef AISPM_PACKET_STREAM_H
#define AISPM_PACKET_STREAM_H

#include "bpf/include/packet.h"
#include "bpf/include/socket.h"
#include "bpf/include/socket_state.h"

struct sending_packet {
	struct __sk_buff *skb;
	const struct socket_state *state;
	const struct packet *packet;
	__u64 offset;
};

static __always_inline void send_bytes_of(struct sending_packet *now, __u32 done, __u32 size, const __u32 capacity)
{
	struct aispm_stream_event *event = bpf_ringbuf_reserve(&data_ring, sizeof(*event) + capacity, 0);

	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_DATA, size);
		return;
	}
	size = between_one_and(size, capacity);
	if (bpf_skb_load_bytes(now->skb, now->packet->payload_at + done, event + 1, size)) {
		count_loss(AISPM_LOSS_READ_FAULT, size);
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return;
	}
	event->header = now->state->owner;
	event->header.kind = AISPM_KIND_STREAM_DATA;
	event->header.size = sizeof(*event) + size;
	event->header.boottime_ns = bpf_ktime_get_boot_ns();
	event->id = now->packet->ends.cookie;
	event->generation = now->state->generation;
	event->offset = now->offset + done;
	event->socket = now->packet->ends;
	event->size = size;
	event->direction = now->packet->direction;
	event->flags = AISPM_STREAM_FROM_START | (done + size >= now->packet->payload_size ? AISPM_STREAM_LAST_OF_CALL : 0);
	event->source = AISPM_STREAM_SOCKET;
	event->pad = 0;
	event->uid = now->state->actor.uid;
	event->pid_namespace = now->state->actor.pid_namespace;
	__builtin_memcpy(event->comm, now->state->actor.comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_DATA));
}

static long send_bytes_chunk(__u32 index, struct sending_packet *now)
{
	__u32 done = index * AISPM_CHUNK_LEN;
	__u32 left = now->packet->payload_size - done;
	__u32 size = left > AISPM_CHUNK_LEN ? AISPM_CHUNK_LEN : left;

	if (size <= 512)
		send_bytes_of(now, done, size, 512);
	else if (size <= 4096)
		send_bytes_of(now, done, size, 4096);
	else
		send_bytes_of(now, done, size, AISPM_CHUNK_LEN);
	return 0;
}

static __always_inline void capture_packet(struct __sk_buff *skb, struct socket_state *state, const struct packet *packet)
{
	__u32 way = packet->direction & 1;
	__s32 ahead = packet->sequence - state->sequence[way];
	struct sending_packet now = {
		.skb = skb, .state = state, .packet = packet, .offset = state->offset[way] + ahead};
	__u32 chunks = (packet->payload_size + AISPM_CHUNK_LEN - 1) / AISPM_CHUNK_LEN;

	if (ahead < 0 && (__u64)-(__s64)ahead > state->offset[way])
		return; /* sent again, from before the capture began */
	if (ahead + (__s32)packet->payload_size > 0) {
		state->offset[way] += ahead + (__s32)packet->payload_size;
		state->sequence[way] += ahead + (__s32)packet->payload_size;
	}
	bpf_loop(chunks > 16 ? 16 : chunks, send_bytes_chunk, &now, 0);
}

/* The packet begins a request that is worth reading: what this connection carries from here on is sent up. */
static __always_inline void begin_capture(struct __sk_buff *skb, struct socket_state *state, const struct packet *packet)
{
	struct bpf_sock *sk = skb->sk;
	struct tcp_sock___net *tcp;
	__u32 way = packet->direction & 1;

	if (!sk)
		return;
	tcp = (void *)bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return;
	state->generation = bpf_ktime_get_boot_ns();
	state->offset[0] = state->offset[1] = 0;
	state->sequence[way] = packet->sequence;
	/* What the other direction carries next. */
	state->sequence[!way] = way == AISPM_TLS_WRITE ? BPF_CORE_READ(tcp, rcv_nxt) : BPF_CORE_READ(tcp, snd_nxt);
	state->flags |= SOCKET_CAPTURED | SOCKET_PLAIN_DONE;
}

#endif
