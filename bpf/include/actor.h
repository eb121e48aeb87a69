/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who is acting: the parts that records about processes and sockets share. */
#ifndef AISPM_ACTOR_H
#define AISPM_ACTOR_H

static __always_inline __u32 pid_namespace_of(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	/* The task's own namespace is its deepest one; nsproxy names the one its children will get. */
	__u32 level = BPF_CORE_READ(pid, level);
	char *numbers = (char *)pid + bpf_core_field_offset(struct pid, numbers);
	struct upid *own = (struct upid *)(numbers + level * bpf_core_type_size(struct upid));

	return BPF_CORE_READ(own, ns, ns.inum);
}

/* `task` must be current. */
static __always_inline void fill_header(struct aispm_event_header *header, __u16 kind, __u32 size,
					struct task_struct *task)
{
	__u64 id = bpf_get_current_pid_tgid();

	header->kind = kind;
	header->cpu = bpf_get_smp_processor_id();
	header->size = size;
	header->boottime_ns = bpf_ktime_get_boot_ns();
	header->tgid = id >> 32;
	header->tid = id;
	header->start_boottime_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	header->cgroup_id = bpf_get_current_cgroup_id();
}

/* `task` must be current. */
static __always_inline void fill_actor(struct aispm_actor *actor, struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, group_leader, real_parent);

	actor->uid = bpf_get_current_uid_gid();
	actor->pid_namespace = pid_namespace_of(task);
	actor->parent_tgid = BPF_CORE_READ(parent, tgid);
	actor->pad = 0;
	actor->parent_start_boottime_ns = BPF_CORE_READ(parent, group_leader, start_boottime);
	bpf_get_current_comm(actor->comm, sizeof(actor->comm));
}

#endif
