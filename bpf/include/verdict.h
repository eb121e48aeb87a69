/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From masks to a verdict, and its record. */
#ifndef AISPM_VERDICT_H
#define AISPM_VERDICT_H

#include "bpf/include/enforce_maps.h"

#define FOLD_NS 100000000ull
#define MAX_CGROUP_LEVELS 12

static __always_inline void mask_or(struct aispm_rule_mask *into, const struct aispm_rule_mask *mask)
{
	int i;

#pragma unroll
	for (i = 0; i < AISPM_RULE_WORDS; i++)
		into->words[i] |= mask->words[i];
}

static __always_inline void mask_and(struct aispm_rule_mask *into, const struct aispm_rule_mask *mask)
{
	int i;

#pragma unroll
	for (i = 0; i < AISPM_RULE_WORDS; i++)
		into->words[i] &= mask->words[i];
}

static __always_inline bool mask_any(const struct aispm_rule_mask *mask)
{
	return mask->words[0] | mask->words[1] | mask->words[2] | mask->words[3];
}

static __always_inline void count_effect(__u32 what)
{
	__u64 *count = bpf_map_lookup_elem(&effects, &what);

	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline struct aispm_rule_sets *active_sets(void)
{
	__u32 zero = 0;
	__u32 *index = bpf_map_lookup_elem(&active, &zero);
	__u32 which;

	if (!index)
		return NULL;
	which = *index;
	if (which > 1)
		return NULL;
	return bpf_map_lookup_elem(&rule_sets, &which);
}

/* Leaves in `fit` only the rules that decide: of those that enforce, the strongest kind. Returns whether the act is denied;
 * otherwise `fit` holds what would deny it but only reports, or nothing.
 */
static __always_inline bool decide(const struct aispm_rule_sets *sets, struct aispm_rule_mask *fit)
{
	struct aispm_rule_mask real = *fit, watched = *fit, strong, weak;
	int i;

#pragma unroll
	for (i = 0; i < AISPM_RULE_WORDS; i++) {
		real.words[i] &= sets->enforce.words[i];
		watched.words[i] &= ~sets->enforce.words[i];
		strong.words[i] = real.words[i] & sets->quarantine.words[i];
		weak.words[i] = real.words[i] & sets->block.words[i];
		real.words[i] &= sets->allow.words[i];
	}
	if (mask_any(&strong)) {
		*fit = strong;
		return true;
	}
	if (!mask_any(&real) && mask_any(&weak)) {
		*fit = weak;
		return true;
	}
	/* What watches is judged as if it were alone, with the allowances that are in force. */
#pragma unroll
	for (i = 0; i < AISPM_RULE_WORDS; i++) {
		strong.words[i] = watched.words[i] & sets->quarantine.words[i];
		weak.words[i] = watched.words[i] & sets->block.words[i];
		real.words[i] |= watched.words[i] & sets->allow.words[i];
	}
	*fit = mask_any(&strong) || mask_any(&real) ? strong : weak;
	return false;
}

static __always_inline void process_key_of(struct aispm_process_key *key, struct task_struct *task)
{
	key->tgid = BPF_CORE_READ(task, tgid);
	key->pad = 0;
	key->start_boottime_ns = BPF_CORE_READ(task, group_leader, start_boottime);
}

/* Rules that fit the current process. False when it is protected or none does. */
static __always_inline bool find_subject(const struct aispm_rule_sets *sets, struct task_struct *task,
					 struct aispm_rule_mask *rules)
{
	struct aispm_process_key key;
	struct aispm_subject *subject;
	__u64 cgroup;
	__u32 uid;
	int level;

	process_key_of(&key, task);
	if (key.tgid <= 1 || (key.tgid == sets->self_tgid && key.start_boottime_ns == sets->self_start_boottime_ns))
		return false;
	*rules = sets->any_process;
	subject = bpf_map_lookup_elem(&processes, &key);
	if (subject) {
		if (subject->flags & AISPM_SUBJECT_PROTECTED)
			return false;
		mask_or(rules, &subject->rules);
	}
	if (sets->flags & AISPM_SETS_UID) {
		uid = bpf_get_current_uid_gid();
		subject = bpf_map_lookup_elem(&uids, &uid);
		if (subject)
			mask_or(rules, &subject->rules);
	}
	if (sets->flags & AISPM_SETS_CGROUP) {
		for (level = 1; level < MAX_CGROUP_LEVELS; level++) {
			cgroup = bpf_get_current_ancestor_cgroup_id(level);
			if (!cgroup)
				break;
			subject = bpf_map_lookup_elem(&cgroups, &cgroup);
			if (subject)
				mask_or(rules, &subject->rules);
		}
	}
	return mask_any(rules);
}

/* How many acts the next record tells; 0 = none now. */
static __always_inline __u64 fold(const struct aispm_rule_mask *rules, __u32 act, __u32 tgid, __u64 start, __u32 detail)
{
	struct fold_key key = {.start_boottime_ns = start, .tgid = tgid, .act = act, .detail = detail};
	struct fold fresh = {.told_ns = bpf_ktime_get_boot_ns()};
	struct fold *known;
	int i;

#pragma unroll
	for (i = AISPM_RULE_WORDS - 1; i >= 0; i--) {
		if (rules->words[i]) {
			key.word = i;
			key.rule = rules->words[i] & -rules->words[i];
		}
	}
	known = bpf_map_lookup_elem(&folds, &key);
	if (!known) {
		bpf_map_update_elem(&folds, &key, &fresh, BPF_ANY);
		return 1;
	}
	if (fresh.told_ns - known->told_ns < FOLD_NS) {
		__sync_fetch_and_add(&known->untold, 1);
		return 0;
	}
	known->told_ns = fresh.told_ns;
	return 1 + __sync_lock_test_and_set(&known->untold, 0);
}

/* Counts the act and reserves its record, filled but for actor, header, socket and name. NULL when it is folded or lost. */
static __always_inline struct aispm_enforced_event *begin_record(const struct aispm_rule_mask *rules, __u32 act, __u32 flags,
								 __u32 tgid, __u64 start, __u32 detail)
{
	struct aispm_enforced_event *event;
	__u64 count;

	count_effect(flags & AISPM_ENFORCED_KILLED   ? AISPM_EFFECT_KILLS
		     : flags & AISPM_ENFORCED_DENIED ? act
						     : AISPM_ACTS + act);
	count = fold(rules, act, tgid, start, detail);
	if (!count)
		return NULL;
	event = bpf_ringbuf_reserve(&enforce_ring, sizeof(*event), 0);
	if (!event) {
		count_effect(AISPM_EFFECT_LOST_EVENTS);
		return NULL;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->rules = *rules;
	event->act = act;
	event->flags = flags;
	event->count = count;
	event->detail = detail;
	return event;
}

static __always_inline void submit_record(struct aispm_enforced_event *event)
{
	bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP); /* rare, and every millisecond counts */
}

#endif
