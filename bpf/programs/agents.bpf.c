/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Agents' processes beyond fork, setsid and double fork; and who tries to stop the sensor. */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/maps.h"
#include "bpf/include/agents.h"

#define SIGINT 2
#define SIGQUIT 3
#define SIGABRT 6
#define SIGKILL 9
#define SIGTERM 15
#define SIGSTOP 19

const volatile __u32 own_tgid = 0; /* the sensor */

/* Runs in the parent, before the child can do anything: no child escapes by being quick. Since 5.5. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct aispm_agent_fork_event *event;
	struct aispm_agent inherited = {};
	__u32 tgid = BPF_CORE_READ(child, tgid);

	if ((__u32)BPF_CORE_READ(child, pid) != tgid)
		return 0; /* a thread */
	inherited.agent = agent_of(parent);
	if (!inherited.agent)
		return 0;
	inherited.start_boottime_ns = BPF_CORE_READ(child, start_boottime);
	if (bpf_map_update_elem(&agents, &tgid, &inherited, BPF_ANY)) {
		count_loss(AISPM_LOSS_AGENTS_FULL, 0);
		return 0;
	}
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return 0;
	}
	fill_header(&event->header, AISPM_KIND_AGENT_FORK, sizeof(*event), parent);
	event->child_start_boottime_ns = inherited.start_boottime_ns;
	event->child_tgid = tgid;
	event->agent = inherited.agent;
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	return 0;
}

/* Runs for every thread; the process leaves the table with its last one. Since 5.5. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);

	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		bpf_map_delete_elem(&agents, &tgid);
	return 0;
}

/* Since 5.5. The current task is the sender, except for signals that the kernel raises itself. */
SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int signal, void *info, struct task_struct *target)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct aispm_signal_event *event;

	if (!own_tgid || (__u32)BPF_CORE_READ(target, tgid) != own_tgid || bpf_get_current_pid_tgid() >> 32 == own_tgid)
		return 0;
	if (signal != SIGINT && signal != SIGQUIT && signal != SIGABRT && signal != SIGKILL && signal != SIGTERM &&
	    signal != SIGSTOP)
		return 0;
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return 0;
	}
	fill_header(&event->header, AISPM_KIND_SIGNAL, sizeof(*event), task);
	fill_actor(&event->actor, task);
	event->signal = signal;
	event->pad = 0;
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
