/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is remembered about servers on stdio, and the sending of what they read and write. */
#ifndef AISPM_STDIO_STATE_H
#define AISPM_STDIO_STATE_H

#define STDIO_MAX_CHUNKS 4096 /* 64 MiB in one buffer */

struct stdio_server {
	struct aispm_event_header owner;
	struct aispm_actor actor;
	__u64 generation;
	__u64 inode[2];
	__u64 offset[2]; /* bytes moved, by direction */
};

/* Entries leave at exit, when their bytes are no JSON, or by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* tgid */
	__type(value, struct stdio_server);
} stdio_servers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* user space sets the real size */
} data_ring SEC(".maps");

static __always_inline void end_stdio(__u32 tgid)
{
	struct stdio_server *server = bpf_map_lookup_elem(&stdio_servers, &tgid);
	struct aispm_stream_close_event *event;

	if (!server)
		return;
	if (server->offset[0] || server->offset[1]) {
		event = bpf_ringbuf_reserve(&data_ring, sizeof(*event), 0);
		if (event) {
			event->header = server->owner;
			event->header.kind = AISPM_KIND_STREAM_CLOSE;
			event->header.size = sizeof(*event);
			event->header.boottime_ns = bpf_ktime_get_boot_ns();
			event->id = server->inode[0];
			event->generation = server->generation;
			event->read_bytes = server->offset[AISPM_TLS_READ];
			event->written_bytes = server->offset[AISPM_TLS_WRITE];
			event->source = AISPM_STREAM_STDIO;
			event->pad = 0;
			bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_DATA));
		} else {
			count_loss(AISPM_LOSS_RING_FULL_DATA, 0);
		}
	}
	bpf_map_delete_elem(&stdio_servers, &tgid);
}

/* JSON-RPC begins with an object or an array. */
static __always_inline bool may_be_json(const struct io_call *call)
{
	char first[4] = {};
	char c;

	bpf_probe_read_user(first, call->left < sizeof(first) ? 1 : sizeof(first), (void *)call->buffer);
	c = first[0];
	if (c == '\n' || c == '\r' || c == ' ')
		c = first[1];
	if (c == '\n' || c == '\r' || c == ' ')
		c = first[2];
	return c == '{' || c == '[';
}

struct sending_buffer {
	struct stdio_server *server;
	__u64 buffer;
	__u64 size;
	__u64 offset;
	__u32 direction;
	__u32 is_last;
};

static __always_inline void send_part(struct sending_buffer *now, __u64 done, __u32 size, const __u32 capacity)
{
	struct aispm_stream_event *event = bpf_ringbuf_reserve(&data_ring, sizeof(*event) + capacity, 0);

	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_DATA, size);
		return;
	}
	if (size > capacity)
		size = capacity;
	if (bpf_probe_read_user(event + 1, size, (void *)(now->buffer + done))) {
		count_loss(AISPM_LOSS_READ_FAULT, size);
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return;
	}
	__builtin_memset(&event->socket, 0, sizeof(event->socket));
	event->header = now->server->owner;
	event->header.kind = AISPM_KIND_STREAM_DATA;
	event->header.size = sizeof(*event) + size;
	event->header.boottime_ns = bpf_ktime_get_boot_ns();
	event->id = now->server->inode[0];
	event->generation = now->server->generation;
	event->offset = now->offset + done;
	event->size = size;
	event->direction = now->direction;
	event->flags = AISPM_STREAM_FROM_START | (now->is_last && done + size >= now->size ? AISPM_STREAM_LAST_OF_CALL : 0);
	event->source = AISPM_STREAM_STDIO;
	event->pad = 0;
	event->uid = now->server->actor.uid;
	event->pid_namespace = now->server->actor.pid_namespace;
	__builtin_memcpy(event->comm, now->server->actor.comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_DATA));
}

static long send_buffer_chunk(__u32 index, struct sending_buffer *now)
{
	__u64 done = (__u64)index * AISPM_CHUNK_LEN;
	__u64 left = now->size - done;
	__u32 size = left > AISPM_CHUNK_LEN ? AISPM_CHUNK_LEN : left;

	if (size <= 512)
		send_part(now, done, size, 512);
	else if (size <= 4096)
		send_part(now, done, size, 4096);
	else
		send_part(now, done, size, AISPM_CHUNK_LEN);
	return 0;
}

static __always_inline void send_buffer(struct io_call *call, __u64 buffer, __u64 size)
{
	__u32 way = call->direction & 1;
	struct sending_buffer now = {.server = call->server, .buffer = buffer, .size = size, .direction = way,
				     .is_last = size >= call->left,
				     /* Atomic: threads may write at the same time. */
				     .offset = __sync_fetch_and_add(&call->server->offset[way], size)};
	__u64 chunks = (size + AISPM_CHUNK_LEN - 1) / AISPM_CHUNK_LEN;

	call->left -= size;
	if (chunks > STDIO_MAX_CHUNKS) {
		count_loss(AISPM_LOSS_READ_FAULT, size - STDIO_MAX_CHUNKS * AISPM_CHUNK_LEN);
		chunks = STDIO_MAX_CHUNKS;
	}
	bpf_loop(chunks, send_buffer_chunk, &now, 0);
}

static long send_vector_part(__u32 index, struct io_call *call)
{
	struct user_vector part = {};

	if (!call->left || index >= call->vector_count)
		return 1;
	if (bpf_probe_read_user(&part, sizeof(part), (void *)(call->vector + index * sizeof(part)))) {
		count_loss(AISPM_LOSS_READ_FAULT, call->left);
		__sync_fetch_and_add(&call->server->offset[call->direction & 1], call->left);
		return 1;
	}
	if (part.size)
		send_buffer(call, part.base, part.size < call->left ? part.size : call->left);
	return 0;
}

static __always_inline void send_call(struct io_call *call)
{
	if (call->is_vector)
		bpf_loop(1024, send_vector_part, call, 0);
	else
		send_buffer(call, call->buffer, call->left);
}

#endif
