/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* TCP sockets: who listens where, who connects to what. */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/maps.h"
#include "bpf/include/socket.h"

/* Connects without an outcome yet, by socket. The caller is known only when the SYN is sent: what follows runs wherever
 * the answer arrives.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64); /* socket cookie */
	__type(value, struct aispm_connect_event);
} connecting SEC(".maps");

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
	event->socket.cookie = bpf_get_socket_cookie(sk);
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	return 0;
}

static __always_inline int begin_connect(struct sock *sk)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct aispm_connect_event call = {};

	fill_header(&call.header, AISPM_KIND_CONNECT, sizeof(call), task);
	fill_actor(&call.actor, task);
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
		bpf_get_socket_cookie(sk); /* gives an accepted socket its cookie, which programs without this helper read */
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

char LICENSE[] SEC("license") = "Dual BSD/GPL";
