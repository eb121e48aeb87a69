/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Files that agents open, and sockets below TCP that they ask for. Where the result of the call is known: a path in the
 * arguments may be changed by another thread, the file behind a descriptor may not.
 */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/maps.h"
#include "bpf/include/path.h"
#include "bpf/include/agents.h"

#define FMODE_WRITE 0x2
#define FMODE_CREATED 0x100000
#define S_IFMT 0170000
#define S_IFREG 0100000
#define AF_PACKET 17
#define SOCK_RAW 3
#define SOCK_TYPE_MASK 0xf

struct seen_key {
	__u64 inode;
	__u32 device;
	__u32 agent_and_mode; /* number << 1 | opened for writing */
};

/* What was told already. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct seen_key);
	__type(value, __u8);
} seen SEC(".maps");

static __always_inline bool is_news(struct inode *inode, __u32 agent, bool writes)
{
	struct seen_key key = {
		.inode = BPF_CORE_READ(inode, i_ino),
		.device = BPF_CORE_READ(inode, i_sb, s_dev),
		.agent_and_mode = agent << 1 | writes,
	};
	__u8 one = 1;

	return bpf_map_update_elem(&seen, &key, &one, BPF_NOEXIST) == 0;
}

static __always_inline int send_open(struct task_struct *task, struct file *file, __u32 agent)
{
	const __u32 fixed = __builtin_offsetof(struct aispm_file_open_event, path);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u32 mode = BPF_CORE_READ(file, f_mode);
	struct aispm_file_open_event *event;
	bool is_cut;

	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG || !is_news(inode, agent, mode & FMODE_WRITE))
		return 0;
	/* read_path() may write one name beyond the path's room. */
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event) + AISPM_NAME_LEN, 0);
	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return 0;
	}
	is_cut = read_path(event->path, &event->path_size, task, file);
	fill_header(&event->header, AISPM_KIND_FILE_OPEN, fixed + event->path_size, task);
	fill_actor(&event->actor, task);
	event->inode = BPF_CORE_READ(inode, i_ino);
	event->size_bytes = BPF_CORE_READ(inode, i_size);
	event->device = BPF_CORE_READ(inode, i_sb, s_dev);
	event->agent = agent;
	event->flags = (mode & FMODE_WRITE ? AISPM_OPEN_WRITE : 0) | (mode & FMODE_CREATED ? AISPM_OPEN_CREATED : 0) |
		       (is_cut ? AISPM_OPEN_PATH_TRUNCATED : 0);
	event->pad = 0;
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	return 0;
}

static __always_inline struct file *file_of(struct task_struct *task, __u64 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = 0;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

static __always_inline int on_opened(struct trace_event_raw_sys_exit *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct file *file;
	__u32 agent;

	if (ctx->ret < 0)
		return 0;
	agent = agent_of(task);
	if (!agent)
		return 0;
	file = file_of(task, ctx->ret);
	return file ? send_open(task, file, agent) : 0;
}

/* User space attaches these while an agent runs and at no other time: tracing system calls costs every one of them. */
SEC("tp/syscalls/sys_exit_openat")
int on_openat(struct trace_event_raw_sys_exit *ctx) { return on_opened(ctx); }
SEC("tp/syscalls/sys_exit_openat2")
int on_openat2(struct trace_event_raw_sys_exit *ctx) { return on_opened(ctx); }
SEC("tp/syscalls/sys_exit_open")
int on_open(struct trace_event_raw_sys_exit *ctx) { return on_opened(ctx); }
SEC("tp/syscalls/sys_exit_creat")
int on_creat(struct trace_event_raw_sys_exit *ctx) { return on_opened(ctx); }

SEC("tp/syscalls/sys_enter_socket")
int on_socket_call(struct trace_event_raw_sys_enter *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 family = ctx->args[0];
	__u32 type = ctx->args[1] & SOCK_TYPE_MASK;
	struct aispm_raw_socket_event *event;
	__u32 agent;

	if (family != AF_PACKET && !(type == SOCK_RAW && (family == AISPM_FAMILY_INET || family == AISPM_FAMILY_INET6)))
		return 0;
	agent = agent_of(task);
	if (!agent)
		return 0;
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return 0;
	}
	fill_header(&event->header, AISPM_KIND_RAW_SOCKET, sizeof(*event), task);
	fill_actor(&event->actor, task);
	event->family = family;
	event->type = type;
	event->protocol = ctx->args[2];
	event->agent = agent;
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
