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
#include "bpf/include/deny_connect.h"
#include "bpf/include/deny_hello.h"
#include "bpf/include/enforce_maps.h"
#include "bpf/include/program_file.h"
#include "bpf/include/verdict.h"

#define SIGKILL 9
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define IPPROTO_ICMP 1
#define IPPROTO_ICMPV6 58
#define FIRST_PERSON_UID 1000 /* system accounts lie below */

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

/* What sends to any address without passing a hook above: raw IP sockets, and those for pings, which need no privilege. */
static __always_inline bool escapes_connect(const struct bpf_sock *ctx)
{
	return ctx->type == SOCK_RAW ||
	       (ctx->type == SOCK_DGRAM && (ctx->protocol == IPPROTO_ICMP || ctx->protocol == IPPROTO_ICMPV6));
}

/* Who may not connect anywhere, or to a few places only, could with such a socket. Sockets of other families do not pass here.
 * Since 4.10.
 */
SEC("cgroup/sock_create")
int refuse_raw(struct bpf_sock *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct aispm_rule_sets *sets;
	struct aispm_rule_mask rules, forbid;
	bool denied;

	if (!escapes_connect(ctx))
		return BPF_ALLOW;
	sets = active_sets();
	if (!sets || !find_subject(sets, task, &rules))
		return BPF_ALLOW;
	forbid = sets->acts[AISPM_ACT_CONNECT];
	mask_and(&forbid, &sets->any_address);
	mask_and(&forbid, &sets->any_port);
	mask_or(&forbid, &sets->acts[AISPM_ACT_SOCKET]);
	mask_and(&rules, &forbid);
	denied = decide(sets, &rules);
	if (!mask_any(&rules))
		return BPF_ALLOW;
	tell_socket(&rules, task, denied ? AISPM_ENFORCED_DENIED : 0, ctx->family, ctx->type);
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

/* Children are what their parent is, from before their first instruction. Who forked whom is noted of everybody: an order may
 * come to be about a parent that has ended by the time somebody looks. Since 5.5.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(inherit, struct task_struct *parent, struct task_struct *child)
{
	struct aispm_origin origin = {};
	struct aispm_process_key from, to;
	struct aispm_subject *subject;
	struct aispm_subject copy;

	process_key_of(&from, parent);
	process_key_of(&to, child);
	if (from.tgid == to.tgid)
		return 0;
	origin.parent = from;
	bpf_map_update_elem(&origins, &to, &origin, BPF_ANY);
	subject = bpf_map_lookup_elem(&processes, &from);
	if (!subject)
		return 0;
	copy = *subject;
	if (bpf_map_update_elem(&processes, &to, &copy, BPF_ANY))
		count_effect(AISPM_EFFECT_LOST_CHILDREN);
	return 0;
}

/* User space may still be about to write who ends here: `origins` tells it that nobody is there, before `processes` stops to. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(forget, struct task_struct *task)
{
	struct aispm_origin origin = {.has_ended = 1};
	struct aispm_subject *subject;
	struct aispm_process_key key;
	struct aispm_origin *known;

	if (BPF_CORE_READ(task, signal, live.counter) != 0)
		return 0;
	process_key_of(&key, task);
	subject = bpf_map_lookup_elem(&processes, &key);
	if (!subject)
		return 0;
	known = bpf_map_lookup_elem(&origins, &key);
	if (known)
		origin.parent = known->parent;
	origin.ended_with = subject->rules;
	bpf_map_update_elem(&origins, &key, &origin, BPF_ANY);
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

/* Every process that runs now, with the exact start times that the tables are keyed by. None that has ended and was not waited
 * for: nobody deletes it from a table any more. A process lives as long as one of its threads does, its first one or not; one
 * that is about to end stays in the list until its children have another parent, or the tree would lose them. Since 5.8.
 */
SEC("iter/task")
int list_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct aispm_listed_process listed = {};
	struct task_struct *parent;

	if (!task || BPF_CORE_READ(task, tgid) != BPF_CORE_READ(task, pid))
		return 0;
	if (!BPF_CORE_READ(task, signal, live.counter) && BPF_CORE_READ(task, exit_state))
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
