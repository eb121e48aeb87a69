/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which processes belong to an agent. */
#ifndef AISPM_AGENTS_H
#define AISPM_AGENTS_H

/* User space puts an agent's first process here; its children follow by themselves. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, 1); /* BPF_F_NO_PREALLOC: most hosts have a few */
	__type(key, __u32); /* tgid */
	__type(value, struct aispm_agent);
} agents SEC(".maps");

/* What user space knows from /proc is rounded down to 10 ms. */
static __always_inline bool is_start_of(__u64 known, struct task_struct *task)
{
	const __u64 tick = 10000000;
	__u64 start = BPF_CORE_READ(task, group_leader, start_boottime);

	return known == start || (known % tick == 0 && known / tick == start / tick);
}

/* The number of the agent that `task` belongs to, 0 for none. */
static __always_inline __u32 agent_of(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	struct aispm_agent *agent = bpf_map_lookup_elem(&agents, &tgid);

	return agent && is_start_of(agent->start_boottime_ns, task) ? agent->agent : 0;
}

#endif
