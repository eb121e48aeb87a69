/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is remembered about a socket, in the socket itself: it goes when the socket goes. */
#ifndef AISPM_SOCKET_STATE_H
#define AISPM_SOCKET_STATE_H

#define SOCKET_FROM_START 1  /* seen since it was opened */
#define SOCKET_CLIENT 2	     /* its owner called connect */
#define SOCKET_ACCEPTED 4    /* its owner is the listener's, until it says otherwise */
#define SOCKET_NAMES_DONE 8  /* its packets need not be looked at for names */
#define SOCKET_PLAIN_DONE 16 /* ... for plaintext to capture */
#define SOCKET_CAPTURED 32   /* its bytes are sent up */
#define SOCKET_HELLO 64	     /* a TLS hello has begun */
#define SOCKET_HTTP 128	     /* it speaks HTTP in plaintext */
#define SOCKET_TOLD 256	     /* UDP: its destination was reported */
#define SOCKET_QUIET (SOCKET_NAMES_DONE | SOCKET_PLAIN_DONE)

struct socket_state {
	struct aispm_event_header owner; /* tgid 0 = unknown; kind and size are not used */
	struct aispm_actor actor;
	__u64 opened_boottime_ns;
	__u64 generation;    /* when capture began */
	__u64 offset[2];     /* of the next byte, by direction */
	__u32 sequence[2];   /* TCP sequence number of that byte */
	__u64 reported[2];   /* totals of the last interim report */
	__u32 flags;	     /* SOCKET_* */
	__u32 looked;	     /* packets with payload that were looked at for names */
	__u32 hello_left;    /* bytes of the TLS hello that are still to come */
	__u32 first_sequence; /* of the first payload sent */
	__u32 destination;   /* UDP: hash of where the last datagrams went */
	__u32 pad;
};

struct {
	__uint(type, SK_STORAGE_MAP);
	__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */);
	__type(key, int);
	__type(value, struct socket_state);
} socket_states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* user space sets the real size */
} data_ring SEC(".maps");

/* An exiting process has no memory left but closes its sockets still, so that is not what tells. */
static __always_inline bool is_process(struct task_struct *task)
{
	return !(BPF_CORE_READ((struct task_struct___net *)task, flags) & KERNEL_THREAD);
}

/* As fill_header() and fill_actor(), in programs without the helpers for the current process. */
static __always_inline void fill_owner(struct socket_state *state, struct task_struct *task)
{
	struct task_struct___net *own = (void *)task;
	struct task_struct *parent = BPF_CORE_READ(task, group_leader, real_parent);

	state->owner.tgid = BPF_CORE_READ(own, tgid);
	state->owner.tid = BPF_CORE_READ(own, pid);
	state->owner.start_boottime_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	state->owner.cgroup_id = BPF_CORE_READ(own, cgroups, dfl_cgrp, kn, id);
	state->actor.uid = BPF_CORE_READ(own, real_cred, uid.val);
	state->actor.pid_namespace = pid_namespace_of(task);
	state->actor.parent_tgid = BPF_CORE_READ(parent, tgid);
	state->actor.parent_start_boottime_ns = BPF_CORE_READ(parent, group_leader, start_boottime);
	BPF_CORE_READ_INTO(&state->actor.comm, task, comm);
}

static __always_inline bool is_local_peer(const struct aispm_endpoints *socket)
{
	if (socket->family == AISPM_FAMILY_INET)
		return socket->destination[0] == 127 ||
		       *(const __u32 *)socket->destination == *(const __u32 *)socket->source;
	const __u64 *from = (const __u64 *)socket->source;
	const __u64 *to = (const __u64 *)socket->destination;
	const __u32 *words = (const __u32 *)socket->destination;

	if (from[0] == to[0] && from[1] == to[1])
		return true;
	return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff) && socket->destination[12] == 127;
}

static __always_inline bool is_done_reading(const struct sock *sk)
{
	const struct sock___net *own = (const void *)sk;
	unsigned long flags = BPF_CORE_READ(own, __sk_common.skc_flags);

	return flags >> bpf_core_enum_value(enum sock_flags___net, SOCK_DONE___net) & 1;
}

/* Payload in each direction; the FIN counts as a byte received in the kernel's total. */
static __always_inline void read_totals(const struct sock *sk, __u64 *sent, __u64 *received)
{
	const struct tcp_sock___net *tcp = (const void *)sk;

	*sent = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
	*received = BPF_CORE_READ(tcp, bytes_received);
	if (*received && is_done_reading(sk))
		*received -= 1;
}

static __always_inline void fill_socket_bytes(struct aispm_socket_bytes_event *event, const struct socket_state *state,
					      const struct sock *sk, __u64 cookie, __u32 is_open)
{
	__builtin_memset(event, 0, sizeof(*event));
	event->header = state->owner;
	event->header.kind = AISPM_KIND_SOCKET_BYTES;
	event->header.size = sizeof(*event);
	event->header.boottime_ns = bpf_ktime_get_boot_ns();
	event->actor = state->actor;
	fill_endpoints(&event->socket, sk);
	/* The kernel gives the port back before it tells of the end; this copy stays. */
	event->socket.source_port = bpf_ntohs(BPF_CORE_READ((const struct inet_sock___net *)sk, inet_sport));
	event->socket.protocol = IPPROTO_TCP;
	event->socket.cookie = cookie;
	read_totals(sk, &event->sent_bytes, &event->received_bytes);
	event->opened_boottime_ns = state->opened_boottime_ns;
	event->flags = is_open | (state->flags & SOCKET_FROM_START ? AISPM_SOCKET_FROM_START : 0) |
		       (state->flags & SOCKET_ACCEPTED ? AISPM_SOCKET_ACCEPTED : 0);
}

#endif
