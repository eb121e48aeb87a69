/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reading the headers of a packet whose first byte is the IP header's. */
#ifndef AISPM_PACKET_H
#define AISPM_PACKET_H

/* UDP ports from here on are given to clients. */
const volatile __u16 first_ephemeral_port = 32768;

struct packet {
	struct aispm_endpoints ends; /* as the local process sees it, whatever way the packet goes */
	__u32 payload_at;
	__u32 payload_size;
	__u32 sequence;
	__u32 transport_at;
	__u16 remote_port;
	__u8 direction;
	__u8 version;
};

/* `size` itself, which is in these bounds: 6.1's verifier does not see it. `limit` is a power of two. */
static __always_inline __u32 between_one_and(__u32 size, const __u32 limit)
{
	size -= 1;
	asm volatile("%0 &= %1" : "+r"(size) : "i"(limit - 1));
	return size + 1;
}

/* Where the transport header begins, 0 when it is not one we read: another protocol, or extension headers. */
static __always_inline __u32 find_transport(struct __sk_buff *skb, __u8 protocol, struct packet *packet)
{
	__u8 head[10];

	if (bpf_skb_load_bytes(skb, 0, head, sizeof(head)))
		return 0;
	packet->version = head[0] >> 4;
	if (packet->version == 4)
		return head[9] == protocol ? (head[0] & 15) * 4 : 0;
	return packet->version == 6 && head[6] == protocol ? 40 : 0;
}

static __always_inline void fill_packet_ends(struct __sk_buff *skb, struct bpf_sock *sk, struct packet *packet,
					     __u16 local_port, __u8 protocol)
{
	bool is_sent = packet->direction == AISPM_TLS_WRITE;

	__builtin_memset(&packet->ends, 0, sizeof(packet->ends));
	if (packet->version == 4) {
		bpf_skb_load_bytes(skb, 12, is_sent ? packet->ends.source : packet->ends.destination, 4);
		bpf_skb_load_bytes(skb, 16, is_sent ? packet->ends.destination : packet->ends.source, 4);
		packet->ends.family = AISPM_FAMILY_INET;
	} else {
		bpf_skb_load_bytes(skb, 8, is_sent ? packet->ends.source : packet->ends.destination, 16);
		bpf_skb_load_bytes(skb, 24, is_sent ? packet->ends.destination : packet->ends.source, 16);
		packet->ends.family = AISPM_FAMILY_INET6;
	}
	packet->ends.source_port = local_port;
	packet->ends.destination_port = packet->remote_port;
	packet->ends.protocol = protocol;
	packet->ends.cookie = bpf_get_socket_cookie(skb);
}

static __always_inline bool read_tcp_packet(struct __sk_buff *skb, struct bpf_sock *sk, __u8 direction,
					    struct packet *packet)
{
	bool is_sent = direction == AISPM_TLS_WRITE;
	__u32 at = find_transport(skb, IPPROTO_TCP, packet);
	__u16 ports[2];
	__u8 header[16];

	if (!at || bpf_skb_load_bytes(skb, at, header, sizeof(header)))
		return false;
	packet->direction = direction;
	packet->transport_at = at;
	packet->payload_at = at + (header[12] >> 4) * 4;
	packet->payload_size = skb->len > packet->payload_at ? skb->len - packet->payload_at : 0;
	packet->sequence = (__u32)header[4] << 24 | (__u32)header[5] << 16 | (__u32)header[6] << 8 | header[7];
	if (!packet->payload_size || packet->payload_size > 1 << 18)
		return false;
	ports[0] = (__u16)header[0] << 8 | header[1];
	ports[1] = (__u16)header[2] << 8 | header[3];
	packet->remote_port = is_sent ? ports[1] : ports[0];
	fill_packet_ends(skb, sk, packet, is_sent ? ports[0] : ports[1], IPPROTO_TCP);
	return true;
}

static __always_inline bool read_udp_ports(struct __sk_buff *skb, __u8 direction, struct packet *packet)
{
	__u16 ports[2];

	packet->direction = direction;
	packet->transport_at = find_transport(skb, IPPROTO_UDP_, packet);
	if (!packet->transport_at || bpf_skb_load_bytes(skb, packet->transport_at, ports, sizeof(ports)))
		return false;
	packet->remote_port = bpf_ntohs(direction == AISPM_TLS_WRITE ? ports[1] : ports[0]);
	packet->sequence = bpf_ntohs(direction == AISPM_TLS_WRITE ? ports[0] : ports[1]); /* the local port */
	return true;
}

static __always_inline bool read_udp_packet(struct __sk_buff *skb, struct bpf_sock *sk, struct packet *packet)
{
	packet->payload_at = packet->transport_at + 8;
	packet->payload_size = skb->len > packet->payload_at ? skb->len - packet->payload_at : 0;
	fill_packet_ends(skb, sk, packet, packet->sequence, IPPROTO_UDP_);
	return true;
}

static __always_inline __u32 hash_address(const struct aispm_endpoints *ends)
{
	const __u32 *words = (const __u32 *)ends->destination;

	return (words[0] ^ words[1] * 31 ^ words[2] * 131 ^ words[3] * 1031) | 1;
}

#endif
