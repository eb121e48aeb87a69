/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Processes: what was started with which arguments, and how it ended. */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/maps.h"
#include "bpf/include/path.h"

#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */

/* Several threads may leave at once and each see none alive; the first to put its process here reports. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* start_boottime_ns << 22 ^ tgid: tgids need 22 bits */
	__type(value, __u8);
} exited SEC(".maps");

/* One copy for each capacity: a ring reservation must have a constant size, and most argument blocks are short. */
static __always_inline int send_exec(struct task_struct *task, const __u32 capacity)
{
	const __u32 fixed = __builtin_offsetof(struct aispm_exec_event, args);
	struct aispm_exec_event *event = bpf_ringbuf_reserve(&control_ring, fixed + capacity, 0);
	unsigned long start = BPF_CORE_READ(task, mm, arg_start);
	unsigned long size = BPF_CORE_READ(task, mm, arg_end) - start;

	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return 0;
	}
	event->flags = 0;
	/* Before the arguments: the path may spill into their room. */
	if (read_path(event->path, &event->path_size, task, BPF_CORE_READ(task, mm, exe_file)))
		event->flags |= AISPM_EXEC_PATH_TRUNCATED;
	if (size > capacity) {
		size = capacity;
		event->flags |= AISPM_EXEC_ARGS_TRUNCATED;
	}
	if (size && bpf_probe_read_user(event->args, size, (void *)start)) {
		size = 0;
		event->flags |= AISPM_EXEC_ARGS_FAULT;
	}
	event->args_size = size;
	fill_header(&event->header, AISPM_KIND_EXEC, fixed + size, task);
	fill_actor(&event->actor, task);
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	return 0;
}

/* After the new image is in place: arguments are mapped, credentials are the new ones. Since 5.5. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	unsigned long size = BPF_CORE_READ(task, mm, arg_end) - BPF_CORE_READ(task, mm, arg_start);

	if (size <= AISPM_NAME_LEN)
		return send_exec(task, AISPM_NAME_LEN);
	if (size <= 672)
		return send_exec(task, 672);
	return send_exec(task, AISPM_ARGS_LEN);
}

/* Runs for every thread; the process ends with its last one. Since 5.5 (6.16 added an argument that we do not read). */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct aispm_exit_event *event;
	__u64 key = (BPF_CORE_READ(task, group_leader, start_boottime) << 22) ^ BPF_CORE_READ(task, tgid);
	int code = BPF_CORE_READ(task, group_leader, exit_code);
	__u8 one = 1;

	if (BPF_CORE_READ(task, signal, live.counter) != 0)
		return 0;
	if (bpf_map_update_elem(&exited, &key, &one, BPF_NOEXIST))
		return 0;
	if (BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT)
		code = BPF_CORE_READ(task, signal, group_exit_code);
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return 0;
	}
	fill_header(&event->header, AISPM_KIND_EXIT, sizeof(*event), task);
	fill_actor(&event->actor, task);
	event->signal = code & 0x7f;
	event->exit_code = event->signal ? 0 : (code >> 8) & 0xff;
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
