/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Packets of local sockets: names (TLS hellos, DNS, QUIC) and the bytes of plain HTTP to model and MCP servers. A TCP socket is
 * looked at until its first segments have said what it speaks; afterwards each packet costs one look at its socket's flags.
 */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/cgroup_types.h"
#include "bpf/include/maps.h"
#include "bpf/include/net_types.h"
#include "bpf/include/packet.h"
#include "bpf/include/packet_stream.h"
#include "bpf/include/socket.h"
#include "bpf/include/socket_state.h"
#include "bpf/include/http_sniff.h"

#define LOOK_AT_MOST 4	 /* packets with payload, before a socket is known to carry no name */
#define LOOK_AT_MOST_DNS 16
#define HELLO_MAX 16384	 /* bytes of a TLS hello that are followed */
#define HTTP_HEAD_MAX 1024

static __always_inline void fill_name(struct aispm_name_event *event, const struct socket_state *state,
				      const struct packet *packet, __u8 what, __u32 size, __u32 offset)
{
	event->header = state->owner;
	event->header.kind = AISPM_KIND_NAME_BYTES;
	event->header.size = sizeof(*event) + size;
	event->header.boottime_ns = bpf_ktime_get_boot_ns();
	event->actor = state->actor;
	event->socket = packet->ends;
	event->size = size;
	event->offset = offset;
	event->what = what;
	event->direction = packet->direction;
	event->pad = 0;
}

#define SOCK_COMMON_LEN 128

/* The verifier allows no arithmetic on a socket's pointer here, so its first bytes are copied, to where the packet's come later. */
static __always_inline __u32 net_namespace_of(struct __sk_buff *skb, __u64 *common)
{
	const __u32 at = bpf_core_field_offset(struct sock_common___net, skc_net);
	struct bpf_sock *sk = skb->sk;

	if (!sk || at > SOCK_COMMON_LEN - 8 || bpf_probe_read_kernel(common, SOCK_COMMON_LEN, sk))
		return 0;
	return BPF_CORE_READ((struct net___net *)common[at / 8], ns.inum);
}

/* Constant capacities, as in tls_state.h: a query for a name must not reserve what a hello may need. */
static __always_inline void send_name_of(struct __sk_buff *skb, const struct socket_state *state,
					 const struct packet *packet, __u8 what, __u32 size, __u32 offset,
					 const __u32 capacity)
{
	struct aispm_name_event *event = bpf_ringbuf_reserve(&data_ring, sizeof(*event) + capacity, 0);
	__u32 net_namespace;

	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_DATA, size);
		return;
	}
	net_namespace = net_namespace_of(skb, (__u64 *)(event + 1));
	size = between_one_and(size, capacity);
	if (bpf_skb_load_bytes(skb, packet->payload_at, event + 1, size)) {
		count_loss(AISPM_LOSS_READ_FAULT, size);
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return;
	}
	fill_name(event, state, packet, what, size, offset);
	event->net_namespace = net_namespace;
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_DATA));
}

static __noinline int send_name(struct __sk_buff *skb, const struct socket_state *state, const struct packet *packet,
				__u32 what, __u32 offset)
{
	__u32 size = packet->payload_size;

	if (what == AISPM_NAME_HTTP && size > HTTP_HEAD_MAX)
		size = HTTP_HEAD_MAX;
	if (size <= 512)
		send_name_of(skb, state, packet, what, size, offset, 512);
	else if (size <= 2048)
		send_name_of(skb, state, packet, what, size, offset, 2048);
	else
		send_name_of(skb, state, packet, what, size, offset, AISPM_NAME_LEN_MAX);
	return 0;
}

/* A client's first segments. `head` is the payload's first bytes. */
static __always_inline void look_for_tcp_name(struct __sk_buff *skb, struct socket_state *state,
					      const struct packet *packet, const struct sniff *head)
{
	__u32 record;

	if (packet->remote_port == 53) {
		if (state->looked++ >= LOOK_AT_MOST_DNS)
			state->flags |= SOCKET_NAMES_DONE;
		if (packet->direction == AISPM_TLS_WRITE && !state->first_sequence)
			state->first_sequence = packet->sequence;
		send_name(skb, state, packet, AISPM_NAME_DNS_TCP, 0);
		return;
	}
	if (packet->direction == AISPM_TLS_READ)
		return;
	if (!(state->flags & SOCKET_HELLO)) {
		if (packet->payload_size >= 6 && head->bytes[0] == 0x16 && head->bytes[1] == 3 && head->bytes[5] == 1) {
			record = 5 + ((__u32)head->bytes[3] << 8 | head->bytes[4]);
			state->flags |= SOCKET_HELLO | SOCKET_PLAIN_DONE;
			state->hello_left = record > HELLO_MAX ? HELLO_MAX : record;
			state->first_sequence = packet->sequence;
		} else if (state->looked == 0 && is_http_request(head)) {
			state->flags |= SOCKET_HTTP;
			send_name(skb, state, packet, AISPM_NAME_HTTP, 0);
			state->looked++;
			return;
		} else {
			/* A proxy's CONNECT or a STARTTLS may come before the hello. */
			if (++state->looked >= LOOK_AT_MOST)
				state->flags |= SOCKET_NAMES_DONE;
			return;
		}
	}
	send_name(skb, state, packet, AISPM_NAME_TLS_HELLO, packet->sequence - state->first_sequence);
	if (++state->looked >= 2 * LOOK_AT_MOST || packet->payload_size >= state->hello_left)
		state->flags |= SOCKET_NAMES_DONE;
	else
		state->hello_left -= packet->payload_size;
}

static __always_inline void look_for_plain(struct __sk_buff *skb, struct socket_state *state, const struct packet *packet,
					   const struct sniff *head)
{
	bool is_request_way = (packet->direction == AISPM_TLS_WRITE) == !!(state->flags & SOCKET_CLIENT);

	if (!is_request_way)
		return;
	if (!is_http_request(head)) {
		/* Within a request's body, or not HTTP. */
		if (!(state->flags & SOCKET_HTTP) && state->looked >= 2)
			state->flags |= SOCKET_PLAIN_DONE;
		if (!(state->flags & SOCKET_CLIENT))
			state->looked++;
		return;
	}
	state->flags |= SOCKET_HTTP;
	if (is_wanted_request(head, is_local_peer(&packet->ends)) || is_wanted_port(packet, state->flags & SOCKET_CLIENT))
		begin_capture(skb, state, packet);
}

static __always_inline int on_tcp(struct __sk_buff *skb, struct bpf_sock *sk, __u8 direction)
{
	struct socket_state *state = bpf_sk_storage_get(&socket_states, sk, 0, 0);
	struct packet packet;
	struct sniff head;

	if (!state || (state->flags & (SOCKET_QUIET | SOCKET_CAPTURED)) == SOCKET_QUIET)
		return 1;
	if (!read_tcp_packet(skb, sk, direction, &packet) || !packet.payload_size)
		return 1;
	if (!(state->flags & SOCKET_CAPTURED)) {
		read_head(skb, &packet, &head);
		if (!(state->flags & SOCKET_NAMES_DONE))
			look_for_tcp_name(skb, state, &packet, &head);
		if (!(state->flags & SOCKET_PLAIN_DONE))
			look_for_plain(skb, state, &packet, &head);
	}
	if (state->flags & SOCKET_CAPTURED)
		capture_packet(skb, state, &packet);
	return 1;
}

/* UDP is sent in its caller's context, unlike TCP. */
static __always_inline struct socket_state *own_udp(struct __sk_buff *skb, struct bpf_sock *sk, __u8 direction)
{
	struct socket_state *state = bpf_sk_storage_get(&socket_states, sk, 0, 0);
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (state && state->owner.tgid)
		return state;
	if (direction == AISPM_TLS_READ || !is_process(task))
		return 0;
	state = bpf_sk_storage_get(&socket_states, sk, 0, SK_STORAGE_CREATE);
	if (!state) {
		count_loss(AISPM_LOSS_SOCKETS_FULL, 0);
		return 0;
	}
	fill_owner(state, task);
	state->opened_boottime_ns = bpf_ktime_get_boot_ns();
	state->flags |= SOCKET_CLIENT;
	return state;
}

static __always_inline void tell_udp(const struct socket_state *state, const struct packet *packet)
{
	struct aispm_connect_event *event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);

	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return;
	}
	event->header = state->owner;
	event->header.kind = AISPM_KIND_CONNECT;
	event->header.size = sizeof(*event);
	event->header.boottime_ns = bpf_ktime_get_boot_ns();
	event->actor = state->actor;
	event->socket = packet->ends;
	event->outcome = AISPM_CONNECT_ESTABLISHED;
	event->latency_us = 0;
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
}

static __always_inline int on_udp(struct __sk_buff *skb, struct bpf_sock *sk, __u8 direction)
{
	bool is_connected = sk->dst_port != 0;
	struct socket_state *state;
	struct packet packet;
	__u8 first = 0;
	__u32 where;

	if (!read_udp_ports(skb, direction, &packet))
		return 1;
	if (packet.remote_port == 53) {
		state = own_udp(skb, sk, direction);
		if (state && read_udp_packet(skb, sk, &packet) && packet.payload_size)
			send_name(skb, state, &packet, AISPM_NAME_DNS, 0);
		return 1;
	}
	if (direction == AISPM_TLS_READ || (packet.remote_port != 443 && !is_connected))
		return 1;
	state = own_udp(skb, sk, direction);
	if (!state || (is_connected && (state->flags & SOCKET_TOLD) && (state->flags & SOCKET_NAMES_DONE)))
		return 1;
	if (!read_udp_packet(skb, sk, &packet) || !packet.payload_size)
		return 1;
	where = packet.ends.destination_port ^ hash_address(&packet.ends);
	if (where != state->destination) {
		state->destination = where;
		state->looked = 0;
		state->flags &= ~(SOCKET_TOLD | SOCKET_NAMES_DONE);
	}
	bpf_skb_load_bytes(skb, packet.payload_at, &first, 1);
	if (!(state->flags & SOCKET_TOLD) && (is_connected || (first & 0xc0) == 0xc0)) {
		state->flags |= SOCKET_TOLD;
		tell_udp(state, &packet);
	}
	if (packet.remote_port != 443 || state->looked >= LOOK_AT_MOST) {
		state->flags |= SOCKET_NAMES_DONE;
		return 1;
	}
	state->looked++;
	if ((first & 0xc0) == 0xc0) /* a long header */
		send_name(skb, state, &packet, AISPM_NAME_QUIC, 0);
	return 1;
}

static __always_inline int on_packet(struct __sk_buff *skb, __u8 direction)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 1;
	if (sk->protocol == IPPROTO_TCP)
		return on_tcp(skb, sk, direction);
	if (sk->protocol == IPPROTO_UDP_)
		return on_udp(skb, sk, direction);
	return 1;
}

/* Every packet that a local socket sends, with the socket at hand. Since 4.10; socket storage here since 5.2. */
SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	return on_packet(skb, AISPM_TLS_WRITE);
}

SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	return on_packet(skb, AISPM_TLS_READ);
}

static __always_inline int on_bind(struct bpf_sock *sk, const __u16 family)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct aispm_listen_event *event;

	if (sk->type != 2 /* SOCK_DGRAM */ || sk->protocol != IPPROTO_UDP_ || !sk->src_port ||
	    sk->src_port >= first_ephemeral_port)
		return 1;
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return 1;
	}
	fill_header(&event->header, AISPM_KIND_LISTEN, sizeof(*event), task);
	fill_actor(&event->actor, task);
	__builtin_memset(&event->socket, 0, sizeof(event->socket));
	event->socket.family = family;
	if (family == AISPM_FAMILY_INET) {
		*(__u32 *)event->socket.source = sk->src_ip4;
	} else {
		((__u32 *)event->socket.source)[0] = sk->src_ip6[0];
		((__u32 *)event->socket.source)[1] = sk->src_ip6[1];
		((__u32 *)event->socket.source)[2] = sk->src_ip6[2];
		((__u32 *)event->socket.source)[3] = sk->src_ip6[3];
	}
	event->socket.source_port = sk->src_port;
	event->socket.protocol = IPPROTO_UDP_;
	event->socket.cookie = bpf_get_socket_cookie(sk);
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	return 1;
}

/* A UDP server has no listen(): a port of its own choice is what tells it. Since 4.17. */
SEC("cgroup/post_bind4")
int on_bind4(struct bpf_sock *sk)
{
	return on_bind(sk, AISPM_FAMILY_INET);
}

SEC("cgroup/post_bind6")
int on_bind6(struct bpf_sock *sk)
{
	return on_bind(sk, AISPM_FAMILY_INET6);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
