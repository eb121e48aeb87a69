/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Enforcement that every kernel can do: connections, names, raw sockets, SIGKILL at exec; and who belongs to whom. */
#include "bpf/include/kernel_types.h"

#include "bpf/include/cgroup_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/client_hello.h"
#include "bpf/include/enforce_maps.h"
#include "bpf/include/program_file.h"
#include "bpf/include/verdict.h"

#define BPF_ALLOW 1
#define BPF_DENY 0
#define BPF_SK_STORAGE_CREATE 1
#define ECONNREFUSED 111
#define SIGKILL 9
#define SOCK_RAW 3
#define IPV6_HEADER 40
#define LONGEST_NAME (AISPM_NAME_BYTES - 1) /* of a key: a dot follows */
#define FIRST_PERSON_UID 1000 /* system accounts lie below */

/* The process that connected a socket: packets leave in whatever context. */
struct socket_owner {
	struct aispm_event_header header;
	struct aispm_actor actor;
	struct aispm_rule_mask rules;
	struct hello_place place;
};
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */);
	__type(key, int);
	__type(value, struct socket_owner);
} owners SEC(".maps");

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

/* Every connect(2) of an IP socket, also by io_uring and TCP fast open, before a packet leaves. Since 4.17. */
SEC("cgroup/connect4")
int refuse_connect4(struct bpf_sock_addr *ctx)
{
	return answer_connect4(ctx);
}
SEC("cgroup/connect6")
int refuse_connect6(struct bpf_sock_addr *ctx)
{
	return answer_connect6(ctx);
}
/* Datagrams with an address of their own: DNS, QUIC. Since 4.18. */
SEC("cgroup/sendmsg4")
int refuse_sendmsg4(struct bpf_sock_addr *ctx)
{
	return answer_connect4(ctx);
}
SEC("cgroup/sendmsg6")
int refuse_sendmsg6(struct bpf_sock_addr *ctx)
{
	return answer_connect6(ctx);
}

static __always_inline void tell_socket(struct aispm_rule_mask *rules, struct task_struct *task, __u32 flags, __u32 family,
					__u32 type)
{
	struct aispm_enforced_event *event;
	struct aispm_process_key key;

	process_key_of(&key, task);
	event = begin_record(rules, AISPM_ACT_SOCKET, flags, key.tgid, key.start_boottime_ns, family << 16 | (type & 0xffff));
	if (!event)
		return;
	fill_header(&event->header, AISPM_KIND_ENFORCED, sizeof(*event), task);
	fill_actor(&event->actor, task);
	submit_record(event);
}

/* Raw IP sockets. Sockets of other families do not pass here. Since 4.10. */
SEC("cgroup/sock_create")
int refuse_raw(struct bpf_sock *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct aispm_rule_sets *sets;
	struct aispm_rule_mask rules;
	bool denied;

	if (ctx->type != SOCK_RAW)
		return BPF_ALLOW;
	sets = active_sets();
	if (!sets || !find_subject(sets, task, &rules))
		return BPF_ALLOW;
	mask_and(&rules, &sets->acts[AISPM_ACT_SOCKET]);
	denied = decide(sets, &rules);
	if (!mask_any(&rules))
		return BPF_ALLOW;
	tell_socket(&rules, task, denied ? AISPM_ENFORCED_DENIED : 0, ctx->family, SOCK_RAW);
	return denied ? BPF_DENY : BPF_ALLOW;
}

/* Packet sockets pass no cgroup hook. Without LSM whoever is denied them is killed on asking. */
SEC("tracepoint/syscalls/sys_enter_socket")
int kill_packet_socket(struct trace_event_raw_sys_enter *ctx)
{
	const __u32 AF_PACKET = 17;
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct aispm_rule_sets *sets;
	struct aispm_rule_mask rules;
	bool denied;

	if (ctx->args[0] != AF_PACKET)
		return 0;
	sets = active_sets();
	if (!sets || sets->flags & AISPM_SETS_LSM || !find_subject(sets, task, &rules))
		return 0;
	mask_and(&rules, &sets->acts[AISPM_ACT_SOCKET]);
	denied = decide(sets, &rules);
	if (!mask_any(&rules))
		return 0;
	if (denied)
		bpf_send_signal(SIGKILL);
	tell_socket(&rules, task, denied ? AISPM_ENFORCED_DENIED | AISPM_ENFORCED_KILLED : 0, AF_PACKET, ctx->args[1]);
	return 0;
}

/* Children are what their parent is, from before their first instruction. Since 5.5. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(inherit, struct task_struct *parent, struct task_struct *child)
{
	struct aispm_process_key from, to;
	struct aispm_subject *subject;
	struct aispm_subject copy;

	process_key_of(&from, parent);
	process_key_of(&to, child);
	if (from.tgid == to.tgid)
		return 0;
	subject = bpf_map_lookup_elem(&processes, &from);
	if (!subject)
		return 0;
	copy = *subject;
	if (bpf_map_update_elem(&processes, &to, &copy, BPF_ANY))
		count_effect(AISPM_EFFECT_LOST_CHILDREN);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(forget, struct task_struct *task)
{
	struct aispm_process_key key;

	if (BPF_CORE_READ(task, signal, live.counter) != 0)
		return 0;
	process_key_of(&key, task);
	bpf_map_delete_elem(&processes, &key);
	return 0;
}

/* What the new program's file makes of the process. Protection goes with the program (a shell under sshd is not sshd), only to
 * system accounts, and never to who is in a tree that rules are about.
 */
static __always_inline void tag_by_file(const struct aispm_rule_sets *sets, struct task_struct *task)
{
	struct aispm_subject *process, *file = NULL;
	struct aispm_process_key key;
	struct aispm_file_key of;
	struct aispm_subject fresh;
	bool may_be_protected = (__u32)bpf_get_current_uid_gid() < FIRST_PERSON_UID;

	process_key_of(&key, task);
	process = bpf_map_lookup_elem(&processes, &key);
	if (sets->flags & AISPM_SETS_EXE) {
		file_key_of(&of, BPF_CORE_READ(task, mm, exe_file, f_inode));
		file = bpf_map_lookup_elem(&executables, &of);
	}
	if (process) {
		process->flags = file && may_be_protected && !mask_any(&process->rules) ? file->flags : 0;
		if (file)
			mask_or(&process->rules, &file->rules);
	} else if (file) {
		fresh = *file;
		if (!may_be_protected)
			fresh.flags = 0;
		if (bpf_map_update_elem(&processes, &key, &fresh, BPF_ANY))
			count_effect(AISPM_EFFECT_LOST_CHILDREN);
	}
}

/* First moment at which a program is known by its file; it has not run an instruction yet. Since 5.5. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(judge_exec, struct task_struct *task)
{
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	struct aispm_rule_sets *sets = active_sets();
	struct aispm_enforced_event *event;
	struct aispm_process_key key;
	struct aispm_rule_mask rules, killing;
	bool denied;

	if (!sets)
		return 0;
	tag_by_file(sets, task);
	if (!find_subject(sets, task, &rules))
		return 0;
	killing = rules;
	mask_and(&killing, &sets->kill);
	if (sets->flags & AISPM_SETS_LSM)
		__builtin_memset(&rules, 0, sizeof(rules)); /* refused there already */
	else
		keep_forbidding(sets, file, &rules);
	mask_or(&rules, &killing);
	denied = decide(sets, &rules);
	if (!mask_any(&rules))
		return 0;
	if (denied)
		bpf_send_signal(SIGKILL);
	process_key_of(&key, task);
	event = begin_record(&rules, AISPM_ACT_EXEC, denied ? AISPM_ENFORCED_DENIED | AISPM_ENFORCED_KILLED : 0, key.tgid,
			     key.start_boottime_ns, 0);
	if (!event)
		return 0;
	fill_header(&event->header, AISPM_KIND_ENFORCED, sizeof(*event), task);
	fill_actor(&event->actor, task);
	program_key_of((struct aispm_program_key *)event->name, file);
	event->name_size = AISPM_PROGRAM_NAME_BYTES;
	submit_record(event);
	return 0;
}

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

/* Every packet that leaves: of marked connections none with data, and no hello to a name that is blocked. Since 4.10. Attached
 * only while a rule needs it.
 */
SEC("cgroup_skb/egress")
int cut_egress(struct __sk_buff *skb)
{
	struct aispm_rule_sets *sets = active_sets();
	__u32 payload, seq = 0;
	struct aispm_cut *cut;
	bool is_tcp;
	__u64 cookie;

	if (!sets)
		return BPF_ALLOW;
	payload = find_payload(skb, &seq, &is_tcp);
	if (sets->flags & AISPM_SETS_CUTS) {
		cookie = bpf_get_socket_cookie(skb);
		cut = bpf_map_lookup_elem(&cuts, &cookie);
		/* Without data a TCP connection may still end properly; of other protocols nothing passes. */
		if (cut && (payload || !is_tcp)) {
			__sync_fetch_and_add(&cut->packets, 1);
			__sync_fetch_and_add(&cut->bytes, skb->len);
			count_effect(cut->enforced ? AISPM_ACT_CUT : AISPM_ACTS + AISPM_ACT_CUT);
			if (cut->enforced)
				return BPF_DENY;
		}
	}
	if (!(sets->flags & AISPM_SETS_NAMES) || !payload)
		return BPF_ALLOW;
	return answer_hello(skb, sets, payload, seq);
}

/* Every process that runs now, with the exact start times that the tables are keyed by. Since 5.8. */
SEC("iter/task")
int list_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct aispm_listed_process listed = {};
	struct task_struct *parent;

	if (!task || BPF_CORE_READ(task, tgid) != BPF_CORE_READ(task, pid))
		return 0;
	process_key_of(&listed.process, task);
	parent = BPF_CORE_READ(task, real_parent);
	process_key_of(&listed.parent, parent);
	listed.cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	listed.uid = BPF_CORE_READ(task, real_cred, uid.val);
	bpf_seq_write(ctx->meta->seq, &listed, sizeof(listed));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
