/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* May a TLS hello to this name leave? */
#ifndef AISPM_DENY_HELLO_H
#define AISPM_DENY_HELLO_H

#include "bpf/include/client_hello.h"
#include "bpf/include/deny_owner.h"
#include "bpf/include/verdict.h"

#define IPV6_HEADER 40
#define LONGEST_NAME (AISPM_NAME_BYTES - 1) /* of a key: a dot follows */

struct name_scratch {
	char name[128];
	struct aispm_name_key key;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct name_scratch);
} name_scratches SEC(".maps");

/* The name, reversed and in lower case, as key of `names`. Of a long one only the end counts. */
static __always_inline struct aispm_name_key *load_name(struct __sk_buff *skb, __u32 at, __u32 size)
{
	__u32 zero = 0;
	struct name_scratch *scratch = bpf_map_lookup_elem(&name_scratches, &zero);
	__u64 last = size - 1; /* index of the last letter that counts */
	__u32 i;

	if (!scratch || !size)
		return NULL;
	if (size > LONGEST_NAME) {
		at += size - LONGEST_NAME;
		last = LONGEST_NAME - 1;
	}
	/* The mask changes nothing; 6.1 has no bound at both ends without it. */
	asm volatile("%0 &= 0x7f" : "+r"(last));
	if (last >= LONGEST_NAME || bpf_skb_load_bytes(skb, at, scratch->name, last + 1))
		return NULL;
	__builtin_memset(&scratch->key, 0, sizeof(scratch->key));
	for (i = 0; i < LONGEST_NAME; i++) {
		__u8 c;

		if (i > last)
			break;
		c = scratch->name[(last - i) & 0x7f];
		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		scratch->key.reversed[i] = c;
	}
	if (size <= LONGEST_NAME)
		scratch->key.reversed[last + 1] = '.';
	scratch->key.prefix_bits = AISPM_NAME_BYTES * 8;
	return &scratch->key;
}

/* A hello with this name: may it leave? */
static __always_inline int answer_name(struct __sk_buff *skb, const struct aispm_rule_sets *sets, struct socket_owner *owner,
				       __u32 at, __u32 size)
{
	struct aispm_name_key *key = load_name(skb, at, size);
	struct aispm_rule_mask rules = owner->rules;
	struct aispm_rule_mask fit = {};
	struct aispm_enforced_event *event;
	struct aispm_rule_mask *found;
	__u16 port = bpf_ntohs(skb->remote_port >> 16);
	bool denied;

	if (!key)
		return BPF_ALLOW;
	mask_and(&rules, &sets->acts[AISPM_ACT_HELLO]);
	found = bpf_map_lookup_elem(&names, key);
	if (found)
		fit = *found;
	mask_and(&rules, &fit);
	fit = sets->any_port;
	found = bpf_map_lookup_elem(&ports, &port);
	if (found)
		mask_or(&fit, found);
	mask_and(&rules, &fit);
	denied = decide(sets, &rules);
	if (!mask_any(&rules))
		return BPF_ALLOW;
	event = begin_record(&rules, AISPM_ACT_HELLO, denied ? AISPM_ENFORCED_DENIED : 0, owner->header.tgid,
			     owner->header.start_boottime_ns, port);
	if (event) {
		event->header = owner->header;
		event->header.boottime_ns = bpf_ktime_get_boot_ns();
		event->actor = owner->actor;
		event->socket.family = skb->family;
		event->socket.destination_port = port;
		if (skb->family == AISPM_FAMILY_INET) {
			__u32 address = skb->remote_ip4;

			__builtin_memcpy(event->socket.destination, &address, 4);
		} else {
			__u32 address[4] = {skb->remote_ip6[0], skb->remote_ip6[1], skb->remote_ip6[2], skb->remote_ip6[3]};

			__builtin_memcpy(event->socket.destination, address, 16);
		}
		event->socket.cookie = bpf_get_socket_cookie(skb);
		__builtin_memcpy(event->name, key->reversed, AISPM_NAME_BYTES); /* user space turns it round */
		event->name_size = AISPM_NAME_BYTES;
		submit_record(event);
	}
	return denied ? BPF_DENY : BPF_ALLOW;
}

/* Offset of the TCP payload and its sequence number; 0 when there is none, or when *is_tcp is false. */
static __always_inline __u32 find_payload(struct __sk_buff *skb, __u32 *seq, bool *is_tcp)
{
	bool is_v4 = skb->family == AISPM_FAMILY_INET;
	bool bad = false;
	__u32 tcp;

	*is_tcp = load8(skb, is_v4 ? 9 : 6, &bad) == IPPROTO_TCP;
	if (!*is_tcp)
		return 0;
	tcp = is_v4 ? (load8(skb, 0, &bad) & 0xf) * 4 : IPV6_HEADER;
	*seq = load16(skb, tcp + 4, &bad) << 16 | load16(skb, tcp + 6, &bad);
	tcp += (load8(skb, tcp + 12, &bad) >> 4) * 4;
	return bad || tcp >= skb->len ? 0 : tcp;
}

static __always_inline int answer_hello(struct __sk_buff *skb, const struct aispm_rule_sets *sets, __u32 payload, __u32 seq)
{
	struct bpf_sock *sk = skb->sk;
	struct socket_owner *owner;
	__u32 at, end, length = 0, size = 0, name;

	if (!sk)
		return BPF_ALLOW;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return BPF_ALLOW;
	owner = bpf_sk_storage_get(&owners, sk, 0, 0);
	if (!owner)
		return BPF_ALLOW;
	if (owner->place.next_seq) {
		/* A later segment of a hello whose name has not come yet. */
		at = payload + (owner->place.next_seq - seq);
		end = payload + (owner->place.end_seq - seq);
		if (at < payload || at >= skb->len || at > 0xffff || end > 0x2ffff)
			return BPF_ALLOW;
	} else {
		at = find_extensions(skb, payload, &length);
		if (!at)
			return BPF_ALLOW;
		end = at + length;
	}
	name = find_name(skb, &at, end, &size);
	if (name) {
		if (!answer_name(skb, sets, owner, name, size))
			return BPF_DENY; /* the place stays: it will be sent again */
		owner->place.next_seq = 0;
		return BPF_ALLOW;
	}
	owner->place.next_seq = 0;
	if (at < end) {
		owner->place.next_seq = seq + (at - payload);
		owner->place.end_seq = seq + (end - payload);
	}
	return BPF_ALLOW;
}

#endif
