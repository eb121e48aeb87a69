/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* May the current process reach this address and port? */
#ifndef AISPM_DENY_CONNECT_H
#define AISPM_DENY_CONNECT_H

#include "bpf/include/deny_owner.h"
#include "bpf/include/verdict.h"

#define ECONNREFUSED 111

struct destination {
	__u8 address[16];
	__u16 family;
	__u16 port; /* host order */
};

static __always_inline bool is_open_for_all(const struct destination *to)
{
	struct aispm_endpoint_key key = {.port = to->port, .family = to->family};

	__builtin_memcpy(key.address, to->address, sizeof(key.address));
	return bpf_map_lookup_elem(&protected_endpoints, &key);
}

/* Of `rules` keeps those that fit the destination. */
static __always_inline void keep_fitting(const struct aispm_rule_sets *sets, const struct destination *to,
					 struct aispm_rule_mask *rules)
{
	struct aispm_rule_mask fit = sets->any_address;
	struct aispm_rule_mask *found;

	if (to->family == AISPM_FAMILY_INET) {
		struct aispm_address4_key key = {.prefix_bits = 32};

		__builtin_memcpy(key.address, to->address, 4);
		found = bpf_map_lookup_elem(&addresses4, &key);
	} else {
		struct aispm_address6_key key = {.prefix_bits = 128};

		__builtin_memcpy(key.address, to->address, 16);
		found = bpf_map_lookup_elem(&addresses6, &key);
	}
	if (found)
		mask_or(&fit, found);
	mask_and(rules, &fit);
	fit = sets->any_port;
	found = bpf_map_lookup_elem(&ports, &to->port);
	if (found)
		mask_or(&fit, found);
	mask_and(rules, &fit);
}

/* Remembers who connects, for the hello that follows. */
static __always_inline void remember_owner(struct bpf_sock_addr *ctx, struct task_struct *task,
					   const struct aispm_rule_mask *rules)
{
	struct socket_owner *owner = NULL;

	if (ctx->sk)
		owner = bpf_sk_storage_get(&owners, ctx->sk, 0, BPF_SK_STORAGE_CREATE);
	if (!owner)
		return;
	owner->rules = *rules;
	owner->place.next_seq = 0;
	fill_header(&owner->header, AISPM_KIND_ENFORCED, sizeof(struct aispm_enforced_event), task);
	fill_actor(&owner->actor, task);
}

static __always_inline int answer_connect(struct bpf_sock_addr *ctx, const struct destination *to)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct aispm_rule_sets *sets = active_sets();
	struct aispm_enforced_event *event;
	struct aispm_process_key key;
	struct aispm_rule_mask rules;
	bool denied;

	if (!sets || !find_subject(sets, task, &rules))
		return BPF_ALLOW;
	if (sets->flags & AISPM_SETS_NAMES)
		remember_owner(ctx, task, &rules);
	mask_and(&rules, &sets->acts[AISPM_ACT_CONNECT]);
	if (!mask_any(&rules) || is_open_for_all(to))
		return BPF_ALLOW;
	keep_fitting(sets, to, &rules);
	denied = decide(sets, &rules);
	if (!mask_any(&rules))
		return BPF_ALLOW;
	process_key_of(&key, task);
	event = begin_record(&rules, AISPM_ACT_CONNECT, denied ? AISPM_ENFORCED_DENIED : 0, key.tgid, key.start_boottime_ns,
			     to->port);
	if (event) {
		fill_header(&event->header, AISPM_KIND_ENFORCED, sizeof(*event), task);
		fill_actor(&event->actor, task);
		__builtin_memcpy(event->socket.destination, to->address, 16);
		event->socket.destination_port = to->port;
		event->socket.family = to->family;
		event->socket.cookie = bpf_get_socket_cookie(ctx);
		submit_record(event);
	}
	if (!denied)
		return BPF_ALLOW;
	mask_and(&rules, &sets->refuse);
	if (mask_any(&rules))
		bpf_set_retval(-ECONNREFUSED);
	return BPF_DENY;
}

static __always_inline int answer_connect4(struct bpf_sock_addr *ctx)
{
	struct destination to = {.family = AISPM_FAMILY_INET, .port = bpf_ntohs(ctx->user_port)};
	__u32 address = ctx->user_ip4;

	if (!address)
		address = bpf_htonl(0x7f000001); /* 0.0.0.0 means this host */
	__builtin_memcpy(to.address, &address, 4);
	return answer_connect(ctx, &to);
}

static __always_inline int answer_connect6(struct bpf_sock_addr *ctx)
{
	struct destination to = {.family = AISPM_FAMILY_INET6, .port = bpf_ntohs(ctx->user_port)};
	__u32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	if (!address[0] && !address[1] && address[2] == bpf_htonl(0xffff)) {
		to.family = AISPM_FAMILY_INET; /* ::ffff:192.0.2.1 */
		if (!address[3])
			address[3] = bpf_htonl(0x7f000001);
		__builtin_memcpy(to.address, &address[3], 4);
		return answer_connect(ctx, &to);
	}
	if (!address[0] && !address[1] && !address[2] && !address[3])
		address[3] = bpf_htonl(1);
	__builtin_memcpy(to.address, address, 16);
	return answer_connect(ctx, &to);
}

#endif
