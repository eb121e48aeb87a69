/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Servers that speak JSON-RPC over stdin and stdout: found when they are started, read when their calls return. */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/maps.h"
#include "bpf/include/net_types.h"
#include "bpf/include/stdio_calls.h"
#include "bpf/include/stdio_state.h"

/* A pipe or a UNIX socket, else 0. */
static __always_inline __u32 describe_end(struct file *file, __u64 *inode, __u64 *peer_inode)
{
	struct file___net *own = (void *)file;
	struct socket___net *socket;
	struct unix_sock___net *sk;
	__u16 mode;

	if (!file)
		return 0;
	mode = BPF_CORE_READ(own, f_inode, i_mode) & 0170000;
	*inode = BPF_CORE_READ(own, f_inode, i_ino);
	if (mode == 0010000 /* S_IFIFO */)
		return AISPM_STDIO_PIPE;
	if (mode != 0140000 /* S_IFSOCK */)
		return 0;
	socket = BPF_CORE_READ(own, private_data);
	sk = (void *)BPF_CORE_READ(socket, sk);
	if (BPF_CORE_READ((struct sock___net *)sk, __sk_common.skc_family) != AISPM_FAMILY_UNIX)
		return 0;
	*peer_inode = BPF_CORE_READ(sk, peer, sk_socket, file, f_inode, i_ino);
	return AISPM_STDIO_SOCKET;
}

/* A started program whose stdin and stdout both lead to another process. Since 5.5. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_stdio_exec, struct task_struct *task)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct aispm_stdio_found_event *event;
	struct stdio_server server = {};
	struct file *ends[2] = {};
	__u64 peers[2] = {};
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u32 kinds[2] = {};

	bpf_probe_read_kernel(ends, sizeof(ends), files);
	kinds[0] = describe_end(ends[0], &server.inode[0], &peers[0]);
	if (kinds[0])
		kinds[1] = describe_end(ends[1], &server.inode[1], &peers[1]);
	if (!kinds[1] || (kinds[0] == AISPM_STDIO_PIPE && server.inode[0] == server.inode[1])) {
		bpf_map_delete_elem(&stdio_servers, &tgid); /* what this process was before */
		return 0;
	}
	server.generation = bpf_ktime_get_boot_ns();
	fill_header(&server.owner, AISPM_KIND_STDIO_FOUND, sizeof(*event), task);
	fill_actor(&server.actor, task);
	if (bpf_map_update_elem(&stdio_servers, &tgid, &server, BPF_ANY)) {
		count_loss(AISPM_LOSS_STDIO_FULL, 0);
		return 0;
	}
	event = bpf_ringbuf_reserve(&control_ring, sizeof(*event), 0);
	if (!event) {
		count_loss(AISPM_LOSS_RING_FULL_CONTROL, 0);
		return 0;
	}
	event->header = server.owner;
	event->actor = server.actor;
	event->generation = server.generation;
	for (int i = 0; i < 2; i++) {
		event->inode[i] = server.inode[i];
		event->peer_inode[i] = peers[i];
		event->kind[i] = kinds[i];
	}
	bpf_ringbuf_submit(event, wakeup_flags(AISPM_RING_CONTROL));
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_stdio_exit, struct task_struct *task)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		end_stdio(tgid);
	return 0;
}

/* Every system call of every process while this is attached, which is only while there may be a server. At the return the
 * kernel has the arguments still, so one program does, and a read that was waiting when we came is not missed. Since 5.5.
 */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
	struct io_call call = {};
	struct stdio_server *server;
	__u32 tgid;

	if (result <= 0 || !find_call(syscall_of(regs), &call))
		return 0;
	tgid = bpf_get_current_pid_tgid() >> 32;
	server = bpf_map_lookup_elem(&stdio_servers, &tgid);
	if (!server || argument_of(regs, 0) != call.direction) /* fd 0 is read, fd 1 is written */
		return 0;
	call.server = server;
	call.left = result;
	if (call.is_vector)
		find_vector(regs, &call);
	else
		call.buffer = argument_of(regs, 1);
	if (server->offset[call.direction & 1] == 0 && !may_be_json(&call)) {
		bpf_map_delete_elem(&stdio_servers, &tgid);
		return 0;
	}
	send_call(&call);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
