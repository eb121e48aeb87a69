/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is remembered about TLS calls and connections. Objects other than tls.bpf.c share these maps by TlsProbes::lend_to(). */
#ifndef AISPM_TLS_STATE_H
#define AISPM_TLS_STATE_H

#define CONNECTION_FROM_START 1

/* A TLS call that has not returned. */
struct tls_running {
	__u64 ssl; /* 0 = none */
	__u64 buffer;
	__u64 size_pointer; /* *_ex: where the library writes how much it moved */
	__u64 stack;
	__u64 cookie; /* of the probe: library and AISPM_PROBE_* */
};

/* What a thread is doing: its calls, and what ties memory buffers to sockets. One call of each direction: a library calls back
 * from within a read (node: the handshake is done), and the program may write there.
 */
struct tls_call {
	struct tls_running running[2];
	__u64 settled_ssl; /* the connection last used, when its socket is certain: nothing to look for */
	__u64 unsent_ssl;  /* a connection without a socket that was written to and not sent on yet */
	__u64 unsent_bytes;
	__u64 hidden_ssl; /* within a call that sends from a file: not 0 */
	__u64 hidden_start;
	__u8 wants_socket;
	__u8 uses_memory; /* the thread's TLS goes through memory buffers: remember what it receives */
	__u16 pad;
	__s32 fd; /* descriptor + 1, 0 = unknown */
	struct aispm_endpoints socket;
	struct aispm_endpoints received; /* what the thread received from last, outside of calls */
};

struct tls_connection_key {
	__u64 ssl;
	__u32 tgid;
	__u32 pad;
};

struct tls_connection {
	__u64 generation;
	__u64 start_boottime_ns; /* of the process: a reused tgid must not inherit */
	__u64 exec_id;		 /* nor may another program in the same process */
	__u64 bytes[2];		 /* plaintext seen, by direction */
	__u64 lost[2];		 /* of these, what no record delivers */
	__u64 gap[2];		 /* lost since the last record that was delivered */
	__u8 gap_cause[2];
	__u8 attribution;
	__u8 confidence;
	__u32 flags;
	__s32 fd; /* descriptor + 1, 0 = unknown */
	__u32 pid_namespace;
	struct aispm_endpoints socket;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */);
	__type(key, int);
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

/* Plaintext was counted in connection->bytes but no record carries it. */
static __always_inline void lose_plaintext(struct tls_connection *connection, __u8 direction, __u64 bytes, __u8 gap_cause)
{
	connection->lost[direction & 1] += bytes;
	connection->gap[direction & 1] += bytes;
	connection->gap_cause[direction & 1] = gap_cause;
}

static __always_inline struct tls_connection *find_connection(__u32 tgid, __u64 ssl)
{
	struct tls_connection_key key = {.ssl = ssl, .tgid = tgid};
	struct tls_connection *connection = bpf_map_lookup_elem(&connections, &key);
	struct task_struct *task = bpf_get_current_task_btf();

	if (!connection || connection->start_boottime_ns != task->group_leader->start_boottime ||
	    connection->exec_id != task->self_exec_id)
		return 0;
	return connection;
}

static __always_inline struct tls_connection *make_connection(__u32 tgid, __u64 ssl, __u32 flags)
{
	struct tls_connection_key key = {.ssl = ssl, .tgid = tgid};
	struct task_struct *task = bpf_get_current_task_btf();
	struct tls_connection fresh = {
		.generation = bpf_ktime_get_boot_ns(),
		.start_boottime_ns = task->group_leader->start_boottime,
		.exec_id = task->self_exec_id,
		.flags = flags,
		.pid_namespace = pid_namespace_of(task),
	};

	if (bpf_map_update_elem(&connections, &key, &fresh, BPF_ANY))
		return 0;
	return bpf_map_lookup_elem(&connections, &key);
}

static __always_inline void close_connection(__u32 tgid, __u64 ssl)
{
	struct tls_connection_key key = {.ssl = ssl, .tgid = tgid};
	struct tls_connection *connection = find_connection(tgid, ssl);
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
			event->read_lost = connection->lost[AISPM_TLS_READ];
			event->written_lost = connection->lost[AISPM_TLS_WRITE];
			bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_DATA));
		} else {
			count_loss(AISPM_LOSS_RING_FULL_DATA, 0);
		}
	}
	bpf_map_delete_elem(&connections, &key);
}

#endif
