/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* TCP sockets: who listens where, who connects to what, what they carried. */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/maps.h"
#include "bpf/include/net_types.h"
#include "bpf/include/socket.h"
#include "bpf/include/socket_state.h"

/* Who listens on a port: the owner of accepted sockets until their process does something itself. */
struct listener_key {
	__u32 net_namespace;
	__u16 port;
	__u16 pad;
};
struct listener {
	struct aispm_event_header owner;
	struct aispm_actor actor;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct listener_key);
	__type(value, struct listener);
} listeners SEC(".maps");

/* A pass of the initial scan: listeners first, since they tell which connections were accepted. */
__u32 scan_pass = 0;
/* UDP ports from here on are given to clients. */
const volatile __u16 first_ephemeral_port = 32768;

/* Connects without an outcome yet, by socket. The caller is known only when the SYN is sent: what follows runs wherever
 * the answer arrives.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64); /* socket cookie */
	__type(value, struct aispm_connect_event);
} connecting SEC(".maps");

static __always_inline struct listener_key key_of(const struct sock *sk)
{
	const struct sock___net *own = (const void *)sk;
	struct listener_key key = {
		.net_namespace = BPF_CORE_READ(own, __sk_common.skc_net.net, ns.inum),
		.port = BPF_CORE_READ(sk, __sk_common.skc_num),
	};
	return key;
}

static __always_inline struct socket_state *follow_socket(struct sock *sk, __u32 flags)
{
	struct socket_state *state = bpf_sk_storage_get(&socket_states, sk, 0, SK_STORAGE_CREATE);

	if (!state) {
		count_loss(AISPM_LOSS_SOCKETS_FULL, 0);
		return 0;
	}
	__builtin_memset(state, 0, sizeof(*state)); /* a socket may connect again */
	state->flags = flags;
	state->opened_boottime_ns = bpf_ktime_get_boot_ns();
	return state;
}

static __always_inline void remember_listener(struct sock *sk, const struct aispm_event_header *owner,
					      const struct aispm_actor *actor)
{
	struct listener_key key = key_of(sk);
	struct listener value = {.owner = *owner, .actor = *actor};

	bpf_map_update_elem(&listeners, &key, &value, BPF_ANY);
}

static __always_inline int send_listen(struct sock *sk)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct aispm_listen_event *event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);

	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return 0;
	}
	fill_header(&event->header, AISPM_KIND_LISTEN, sizeof(*event), task);
	fill_actor(&event->actor, task);
	fill_endpoints(&event->socket, sk);
	event->socket.protocol = IPPROTO_TCP;
	event->socket.cookie = bpf_get_socket_cookie(sk);
	remember_listener(sk, &event->header, &event->actor);
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	return 0;
}

static __always_inline int begin_connect(struct sock *sk)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct socket_state *state = follow_socket(sk, SOCKET_FROM_START | SOCKET_CLIENT);
	struct aispm_connect_event call = {};

	fill_header(&call.header, AISPM_KIND_CONNECT, sizeof(call), task);
	fill_actor(&call.actor, task);
	if (state) {
		state->owner = call.header;
		state->actor = call.actor;
	}
	call.socket.cookie = bpf_get_socket_cookie(sk);
	if (bpf_map_update_elem(&connecting, &call.socket.cookie, &call, BPF_ANY))
		count_loss(AISPM_LOSS_CONNECTS_FULL, 0);
	return 0;
}

static __always_inline int end_connect(struct sock *sk, __u32 outcome)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct aispm_connect_event *call = bpf_map_lookup_elem(&connecting, &cookie);
	struct aispm_connect_event *event;
	__u64 took_us;

	if (!call)
		return 0;
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (event) {
		__builtin_memcpy(event, call, sizeof(*event));
		fill_endpoints(&event->socket, sk);
		event->socket.protocol = IPPROTO_TCP;
		event->socket.cookie = cookie;
		event->outcome = outcome;
		took_us = (bpf_ktime_get_boot_ns() - event->header.boottime_ns) / 1000;
		event->latency_us = took_us > 0xffffffff ? 0xffffffff : took_us;
		bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	} else {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
	}
	bpf_map_delete_elem(&connecting, &cookie);
	return 0;
}

/* An accepted socket: its process is the listener's as far as anybody knows. */
static __always_inline void begin_accepted(struct sock *sk)
{
	struct socket_state *state = follow_socket(sk, SOCKET_FROM_START | SOCKET_ACCEPTED | SOCKET_NAMES_DONE);
	struct listener_key key = key_of(sk);
	struct listener *listener;
	struct aispm_endpoints ends;

	bpf_get_socket_cookie(sk); /* gives it its cookie, which programs without this helper read */
	if (!state)
		return;
	if (!fill_endpoints(&ends, sk) || is_local_peer(&ends))
		state->flags |= SOCKET_PLAIN_DONE; /* the peer's end is captured */
	listener = bpf_map_lookup_elem(&listeners, &key);
	if (listener) {
		state->owner = listener->owner;
		state->actor = listener->actor;
	}
}

/* The process that closes an accepted socket had it: a worker, when the listener was its parent's. */
static __always_inline void learn_owner(struct sock *sk)
{
	struct socket_state *state = bpf_sk_storage_get(&socket_states, sk, 0, 0);
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (!state || !(state->flags & SOCKET_ACCEPTED) || !is_process(task))
		return;
	if (state->owner.tgid == bpf_get_current_pid_tgid() >> 32)
		return;
	fill_header(&state->owner, 0, 0, task);
	fill_actor(&state->actor, task);
}

static __always_inline void end_capture(struct sock *sk, const struct socket_state *state)
{
	struct aispm_stream_close_event *event = bpf_ringbuf_reserve(&data_ring, sizeof(*event), 0);

	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_DATA, 0);
		return;
	}
	event->header = state->owner;
	event->header.kind = AISPM_KIND_STREAM_CLOSE;
	event->header.size = sizeof(*event);
	event->header.boottime_ns = bpf_ktime_get_boot_ns();
	event->id = bpf_get_socket_cookie(sk);
	event->generation = state->generation;
	event->read_bytes = state->offset[AISPM_TLS_READ];
	event->written_bytes = state->offset[AISPM_TLS_WRITE];
	event->source = AISPM_STREAM_SOCKET;
	event->pad = 0;
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_DATA));
}

static __always_inline void end_socket(struct sock *sk)
{
	struct socket_state *state = bpf_sk_storage_get(&socket_states, sk, 0, 0);
	struct aispm_socket_bytes_event *event;
	__u64 sent, received;

	if (!state || !state->owner.tgid)
		return;
	if (state->flags & SOCKET_CAPTURED) {
		end_capture(sk, state);
		state->flags &= ~SOCKET_CAPTURED;
	}
	read_totals(sk, &sent, &received);
	if (!sent && !received)
		return; /* nothing was carried, such as by a connect that failed */
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return;
	}
	fill_socket_bytes(event, state, sk, bpf_get_socket_cookie(sk), 0);
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	state->owner.tgid = 0; /* told */
}

/* The one place that every TCP state change passes, listen and connect in their caller's context. Since 5.5. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_tcp_state, struct sock *sk, int old_state, int new_state)
{
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	if (new_state == TCP_LISTEN)
		return send_listen(sk);
	if (new_state == TCP_SYN_SENT)
		return begin_connect(sk);
	if (old_state == TCP_SYN_SENT)
		return end_connect(sk, new_state == TCP_ESTABLISHED ? AISPM_CONNECT_ESTABLISHED : AISPM_CONNECT_FAILED);
	if (new_state == TCP_ESTABLISHED)
		begin_accepted(sk);
	else if (new_state == TCP_FIN_WAIT1 || new_state == TCP_LAST_ACK)
		learn_owner(sk); /* only close() and shutdown() lead there, in their caller's context */
	else if (new_state == TCP_CLOSE)
		end_socket(sk);
	return 0;
}

/* A SYN that is sent again (after about a second): report the attempt now, the outcome may take two minutes. Since 5.5. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, struct sock *sk)
{
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_SYN_SENT)
		return 0;
	return end_connect(sk, AISPM_CONNECT_PENDING);
}

static __always_inline int scan_socket(struct bpf_iter__task_file *ctx, struct sock *sk, struct task_struct *task)
{
	struct aispm_connect_event event = {};
	struct socket_state *state;
	struct listener_key key = key_of(sk);
	__u8 tcp_state = BPF_CORE_READ(sk, __sk_common.skc_state);
	bool is_tcp = BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
	bool is_udp = BPF_CORE_READ(sk, sk_protocol) == IPPROTO_UDP_;
	bool is_listener = is_tcp ? tcp_state == TCP_LISTEN : is_udp && tcp_state == TCP_CLOSE;

	if (is_listener != (scan_pass == 0) || (!is_listener && tcp_state != TCP_ESTABLISHED))
		return 0;
	if (is_listener && (!key.port || (is_udp && key.port >= first_ephemeral_port)))
		return 0;
	state = bpf_sk_storage_get(&socket_states, sk, 0, SK_STORAGE_CREATE);
	if (!state) {
		count_loss(AISPM_LOSS_SOCKETS_FULL, 0);
		return 0;
	}
	if (state->owner.tgid)
		return 0; /* known: by another descriptor, or opened since we are attached */
	fill_owner(state, task);
	state->opened_boottime_ns = bpf_ktime_get_boot_ns();
	event.header = state->owner;
	event.header.boottime_ns = state->opened_boottime_ns;
	event.actor = state->actor;
	fill_endpoints(&event.socket, sk);
	event.socket.cookie = bpf_get_socket_cookie(sk);
	event.socket.protocol = is_udp ? IPPROTO_UDP_ : IPPROTO_TCP;
	if (is_listener) {
		if (is_tcp)
			remember_listener(sk, &state->owner, &state->actor);
		event.header.kind = AISPM_KIND_LISTEN;
		event.header.size = sizeof(struct aispm_listen_event);
		bpf_seq_write(ctx->meta->seq, &event, sizeof(struct aispm_listen_event));
		return 0;
	}
	if (is_tcp && bpf_map_lookup_elem(&listeners, &key)) {
		state->flags = SOCKET_ACCEPTED | SOCKET_NAMES_DONE |
			       (is_local_peer(&event.socket) ? SOCKET_PLAIN_DONE : 0);
		return 0;
	}
	state->flags = SOCKET_CLIENT;
	if (is_udp)
		return 0; /* its next datagram tells */
	event.header.kind = AISPM_KIND_CONNECT;
	event.header.size = sizeof(event);
	event.outcome = AISPM_CONNECT_ESTABLISHED;
	bpf_seq_write(ctx->meta->seq, &event, sizeof(event));
	return 0;
}

/* Sockets that were there before us: run twice at the start, over the open files of every process in every network
 * namespace. Writes listen and connect records, and gives each socket its state. Since 5.11 (socket storage).
 */
SEC("iter/task_file")
int scan_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;
	__u16 family;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AISPM_FAMILY_INET && family != AISPM_FAMILY_INET6)
		return 0;
	return scan_socket(ctx, sk, task);
}

/* Totals of sockets that live long, for coverage: run now and then. */
SEC("iter/bpf_sk_storage_map")
int report_open_sockets(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct socket_state *state = ctx->value;
	struct sock *sk = ctx->sk;
	struct aispm_socket_bytes_event event;
	__u64 sent, received;

	if (!sk || !state || !state->owner.tgid || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN)
		return 0;
	read_totals(sk, &sent, &received);
	if (sent == state->reported[0] && received == state->reported[1])
		return 0;
	state->reported[0] = sent;
	state->reported[1] = received;
	fill_socket_bytes(&event, state, sk, BPF_CORE_READ(sk, __sk_common.skc_cookie.counter), AISPM_SOCKET_IS_OPEN);
	bpf_seq_write(ctx->meta->seq, &event, sizeof(event));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
