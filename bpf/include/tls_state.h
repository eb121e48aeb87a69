/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is remembered about TLS calls and connections, and the sending of their plaintext. */
#ifndef AISPM_TLS_STATE_H
#define AISPM_TLS_STATE_H

#define CONNECTION_FROM_START 1
#define MAX_CHUNKS 131072 /* 2 GiB in one call: more than SSL_write can take */

/* A TLS call that has not returned. */
struct tls_call {
	__u64 ssl;
	__u64 buffer;
	__u64 size_pointer; /* *_ex: where the library writes how much it moved */
	__u64 stack;
	__u8 direction;
	__u8 by_pointer;
	__u8 wants_socket;
	__u8 pad;
	__s32 fd; /* descriptor + 1, 0 = unknown */
	struct aispm_endpoints socket;
};

struct tls_connection_key {
	__u64 ssl;
	__u32 tgid;
	__u32 pad;
};

struct tls_connection {
	__u64 generation;
	__u64 start_boottime_ns; /* of the process: a reused tgid must not inherit */
	__u64 bytes[2];		 /* plaintext seen, by direction */
	__u32 flags;
	__s32 fd; /* descriptor + 1, 0 = unknown */
	struct aispm_endpoints socket;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* pid_tgid */
	__type(value, struct tls_call);
} calls SEC(".maps");

/* Entries leave by SSL_free; those of dead processes are swept by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct tls_connection_key);
	__type(value, struct tls_connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* user space sets the real size */
} data_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, AISPM_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline void count_work(__u32 what, __u64 amount)
{
	__u64 *count = bpf_map_lookup_elem(&counts, &what);

	if (count)
		__sync_fetch_and_add(count, amount);
}

static __always_inline __u64 process_start(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, group_leader, start_boottime);
}

static __always_inline struct tls_connection *find_connection(__u32 tgid, __u64 ssl)
{
	struct tls_connection_key key = {.ssl = ssl, .tgid = tgid};

	return bpf_map_lookup_elem(&connections, &key);
}

static __always_inline struct tls_connection *make_connection(__u32 tgid, __u64 ssl, __u32 flags)
{
	struct tls_connection_key key = {.ssl = ssl, .tgid = tgid};
	struct tls_connection fresh = {
		.generation = bpf_ktime_get_boot_ns(),
		.start_boottime_ns = process_start(),
		.flags = flags,
	};

	if (bpf_map_update_elem(&connections, &key, &fresh, BPF_ANY))
		return 0;
	return bpf_map_lookup_elem(&connections, &key);
}

static __always_inline void close_connection(__u32 tgid, __u64 ssl)
{
	struct tls_connection_key key = {.ssl = ssl, .tgid = tgid};
	struct tls_connection *connection = bpf_map_lookup_elem(&connections, &key);
	struct aispm_tls_close_event *event;

	if (!connection)
		return;
	if (connection->bytes[0] || connection->bytes[1]) {
		event = bpf_ringbuf_reserve(&data_ring, sizeof(*event), 0);
		if (event) {
			fill_header(&event->header, AISPM_KIND_TLS_CLOSE, sizeof(*event),
				    (struct task_struct *)bpf_get_current_task());
			event->key.ssl = ssl;
			event->key.generation = connection->generation;
			event->read_bytes = connection->bytes[AISPM_TLS_READ];
			event->written_bytes = connection->bytes[AISPM_TLS_WRITE];
			bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_DATA));
		} else {
			count_loss(AISPM_LOSS_RING_FULL_DATA, 0);
		}
	}
	bpf_map_delete_elem(&connections, &key);
}

static __always_inline struct sock *socket_of(__u64 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = 0;
	struct socket *socket;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & 0170000) != 0140000 /* S_IFSOCK */)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* Sending one call's plaintext, a chunk at a time. */
struct sending {
	const struct tls_call *call;
	struct tls_connection *connection;
	__u64 offset; /* of the call's first byte in its direction */
	__u64 size;   /* of the call */
};

static __always_inline void send_chunk_of(struct sending *now, __u64 done, __u32 size, const __u32 capacity)
{
	struct aispm_tls_event *event = bpf_ringbuf_reserve(&data_ring, sizeof(*event) + capacity, 0);
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_DATA, size);
		return;
	}
	if (size > capacity)
		size = capacity; /* never: the caller chose the capacity; the verifier does not know */
	if (bpf_probe_read_user(event + 1, size, (void *)(now->call->buffer + done))) {
		count_loss(AISPM_LOSS_READ_FAULT, size);
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return;
	}
	fill_header(&event->header, AISPM_KIND_TLS_DATA, sizeof(*event) + size, task);
	event->key.ssl = now->call->ssl;
	event->key.generation = now->connection->generation;
	event->offset = now->offset + done;
	event->socket = now->connection->socket;
	event->size = size;
	event->direction = now->call->direction;
	event->flags = (done + size >= now->size ? AISPM_TLS_LAST_OF_CALL : 0) |
		       (now->connection->flags & CONNECTION_FROM_START ? AISPM_TLS_FROM_START : 0);
	event->library = AISPM_LIBRARY_OPENSSL;
	event->pad = 0;
	event->fd = now->connection->fd - 1;
	event->pad2 = 0;
	event->uid = bpf_get_current_uid_gid();
	event->pid_namespace = pid_namespace_of(task);
	bpf_get_current_comm(event->comm, sizeof(event->comm));
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

static __always_inline void send_plaintext(const struct tls_call *call, __u64 size)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct tls_connection *connection = find_connection(tgid, call->ssl);
	struct sending now = {.call = call, .size = size};
	__u64 chunks = (size + AISPM_CHUNK_LEN - 1) / AISPM_CHUNK_LEN;

	if (!connection || connection->start_boottime_ns != process_start())
		connection = make_connection(tgid, call->ssl, 0);
	if (!connection) {
		count_loss(AISPM_LOSS_CONNECTIONS_FULL, size);
		return;
	}
	if (call->socket.family && !connection->socket.family)
		connection->socket = call->socket;
	if (call->fd)
		connection->fd = call->fd;
	now.connection = connection;
	now.offset = connection->bytes[call->direction & 1];
	connection->bytes[call->direction & 1] += size;
	count_work(AISPM_COUNT_TLS_CALLS, 1);
	count_work(AISPM_COUNT_TLS_BYTES, size);
	if (chunks == 1)
		send_chunk(0, &now);
	else
		bpf_loop(chunks > MAX_CHUNKS ? MAX_CHUNKS : chunks, send_chunk, &now, 0);
}

#endif
