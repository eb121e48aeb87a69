/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Enforcement where the kernel has BPF LSM (5.7, "bpf" in /sys/kernel/security/lsm): what is denied here does not happen, and
 * nobody has to be killed for it. Attached only while a rule needs it.
 */
#include "bpf/include/kernel_types.h"

#include "bpf/include/cgroup_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/enforce_maps.h"
#include "bpf/include/program_file.h"
#include "bpf/include/verdict.h"

#define EPERM 1
#define AF_PACKET 17
#define SOCK_RAW 3
#define FMODE_WRITE 2
#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define PROC_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define MAX_FOLDERS 40 /* between a file and the root of its mount namespace */

/* Rules of the current process that forbid such acts. False when there are none. */
static __always_inline bool find_forbidding(const struct aispm_rule_sets *sets, __u32 act, struct aispm_rule_mask *rules)
{
	if (!sets || !find_subject(sets, (struct task_struct *)bpf_get_current_task(), rules))
		return false;
	mask_and(rules, &sets->acts[act]);
	return mask_any(rules);
}

/* Judges, tells, and gives what the hook is to answer. */
static __always_inline int answer(const struct aispm_rule_sets *sets, struct aispm_rule_mask *rules, __u32 act, __u32 detail,
				  struct dentry *dentry)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	bool denied = decide(sets, rules);
	struct aispm_enforced_event *event;
	struct aispm_process_key key;
	int refused = 0;

	if (!mask_any(rules))
		return 0;
	process_key_of(&key, task);
	event = begin_record(rules, act, denied ? AISPM_ENFORCED_DENIED : 0, key.tgid, key.start_boottime_ns, detail);
	if (event) {
		fill_header(&event->header, AISPM_KIND_ENFORCED, sizeof(*event), task);
		fill_actor(&event->actor, task);
		if (dentry) {
			bpf_probe_read_kernel_str(event->name, sizeof(event->name), BPF_CORE_READ(dentry, d_name.name));
			event->name_size = AISPM_NAME_BYTES;
		}
		submit_record(event);
	}
	if (denied) {
		refused = -EPERM;
		/* Keeps this a branch: computed from `denied`, the answer has no bounds for 6.12's verifier. */
		asm volatile("" : "+r"(refused));
	}
	return refused;
}

/* Before a program is mapped; the file is known with all links followed. */
SEC("lsm/bprm_check_security")
int BPF_PROG(deny_exec, struct linux_binprm *bprm)
{
	struct aispm_rule_sets *sets = active_sets();
	struct file *file = BPF_CORE_READ(bprm, file);
	struct aispm_rule_mask rules;

	if (!find_forbidding(sets, AISPM_ACT_EXEC, &rules))
		return 0;
	keep_forbidding(sets, file, &rules);
	if (!mask_any(&rules))
		return 0;
	return answer(sets, &rules, AISPM_ACT_EXEC, 0, BPF_CORE_READ(file, f_path.dentry));
}

/* Packet sockets too, which no cgroup hook sees. */
SEC("lsm/socket_create")
int BPF_PROG(deny_socket, int family, int type)
{
	struct aispm_rule_sets *sets;
	struct aispm_rule_mask rules;

	if (family != AF_PACKET && type != SOCK_RAW)
		return 0;
	sets = active_sets();
	if (!find_forbidding(sets, AISPM_ACT_SOCKET, &rules))
		return 0;
	return answer(sets, &rules, AISPM_ACT_SOCKET, family << 16 | (type & 0xffff), NULL);
}

struct walk {
	struct dentry *dentry;
	struct vfsmount *mount_point;
	struct mount *mount;
};

/* One step towards the root. False at the top. Pointers are copied first: BPF_CORE_READ(at->x, ...) would look for `struct walk`
 * in the kernel.
 */
static __always_inline bool go_up(struct walk *at)
{
	struct vfsmount *mount_point = at->mount_point;
	struct dentry *dentry = at->dentry;
	struct mount *mount = at->mount;
	struct dentry *parent;

	if (dentry == BPF_CORE_READ(mount_point, mnt_root)) {
		at->mount = BPF_CORE_READ(mount, mnt_parent);
		if (at->mount == mount)
			return false;
		at->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		at->mount_point = (void *)at->mount + bpf_core_field_offset(struct mount, mnt);
		return true;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	if (parent == dentry)
		return false;
	at->dentry = parent;
	return true;
}

/* Of `rules` drops those that allow to write below some folder above `dentry`. Names play no part, so links cannot mislead. */
static __always_inline void drop_allowing(struct dentry *dentry, struct vfsmount *mount_point, struct aispm_rule_mask *rules)
{
	struct walk at = {.dentry = dentry, .mount_point = mount_point};
	struct aispm_rule_mask *allowed;
	struct aispm_file_key key;
	struct inode *inode;
	int i, w;

	at.mount = (void *)mount_point - bpf_core_field_offset(struct mount, mnt);
	for (i = 0; i < MAX_FOLDERS; i++) {
		dentry = at.dentry;
		inode = BPF_CORE_READ(dentry, d_inode);
		if (inode) {
			file_key_of(&key, inode);
			allowed = bpf_map_lookup_elem(&folders, &key);
			if (allowed) {
#pragma unroll
				for (w = 0; w < AISPM_RULE_WORDS; w++)
					rules->words[w] &= ~allowed->words[w];
			}
		}
		if (!go_up(&at))
			break;
	}
}

static __always_inline int answer_write(struct dentry *dentry, struct vfsmount *mount_point)
{
	struct aispm_rule_sets *sets = active_sets();
	struct aispm_rule_mask rules;

	if (!find_forbidding(sets, AISPM_ACT_WRITE, &rules))
		return 0;
	drop_allowing(dentry, mount_point, &rules);
	if (!mask_any(&rules))
		return 0;
	return answer(sets, &rules, AISPM_ACT_WRITE, 0, dentry);
}

/* Opening for writing. Reading is nobody's business here, also below /proc. */
SEC("lsm/file_open")
int BPF_PROG(deny_write, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct aispm_rule_sets *sets;
	struct aispm_rule_mask rules;
	unsigned long magic;

	if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE))
		return 0;
	magic = BPF_CORE_READ(inode, i_sb, s_magic);
	if (magic == PROC_MAGIC || magic == SYSFS_MAGIC) {
		sets = active_sets();
		if (!find_forbidding(sets, AISPM_ACT_KERNEL_WRITE, &rules))
			return 0;
		return answer(sets, &rules, AISPM_ACT_KERNEL_WRITE, 0, BPF_CORE_READ(file, f_path.dentry));
	}
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG)
		return 0; /* devices, pipes: not kept */
	return answer_write(BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt));
}

/* What changes a folder: judged by the folder, before anything was made. */
SEC("lsm/path_mknod")
int BPF_PROG(deny_make, struct path *folder)
{
	return answer_write(BPF_CORE_READ(folder, dentry), BPF_CORE_READ(folder, mnt));
}
SEC("lsm/path_mkdir")
int BPF_PROG(deny_mkdir, struct path *folder)
{
	return answer_write(BPF_CORE_READ(folder, dentry), BPF_CORE_READ(folder, mnt));
}
SEC("lsm/path_symlink")
int BPF_PROG(deny_symlink, struct path *folder)
{
	return answer_write(BPF_CORE_READ(folder, dentry), BPF_CORE_READ(folder, mnt));
}
SEC("lsm/path_unlink")
int BPF_PROG(deny_unlink, struct path *folder)
{
	return answer_write(BPF_CORE_READ(folder, dentry), BPF_CORE_READ(folder, mnt));
}
SEC("lsm/path_rename")
int BPF_PROG(deny_rename, struct path *from, struct dentry *from_name, struct path *to)
{
	int refused = answer_write(BPF_CORE_READ(from, dentry), BPF_CORE_READ(from, mnt));

	return refused ? refused : answer_write(BPF_CORE_READ(to, dentry), BPF_CORE_READ(to, mnt));
}
SEC("lsm/path_truncate")
int BPF_PROG(deny_truncate, struct path *path)
{
	return answer_write(BPF_CORE_READ(path, dentry), BPF_CORE_READ(path, mnt));
}

static __always_inline int answer_tamper(struct task_struct *target, __u32 detail)
{
	struct aispm_rule_sets *sets = active_sets();
	struct aispm_process_key key;
	struct aispm_rule_mask rules;

	if (!sets || !sets->self_tgid)
		return 0;
	process_key_of(&key, target);
	if (key.tgid != sets->self_tgid || key.start_boottime_ns != sets->self_start_boottime_ns ||
	    !find_forbidding(sets, AISPM_ACT_TAMPER, &rules))
		return 0;
	return answer(sets, &rules, AISPM_ACT_TAMPER, detail, NULL);
}

/* Whoever a rule keeps from it can neither end nor look into the sensor, root or not. */
SEC("lsm/task_kill")
int BPF_PROG(deny_signal, struct task_struct *target, void *info, int signal)
{
	return signal ? answer_tamper(target, signal) : 0;
}
SEC("lsm/ptrace_access_check")
int BPF_PROG(deny_trace, struct task_struct *target)
{
	return answer_tamper(target, 0);
}
/* ... nor unload its programs. */
SEC("lsm/bpf")
int BPF_PROG(deny_bpf_call, int command)
{
	struct aispm_rule_sets *sets = active_sets();
	struct aispm_rule_mask rules;

	if (!find_forbidding(sets, AISPM_ACT_TAMPER, &rules))
		return 0;
	return answer(sets, &rules, AISPM_ACT_TAMPER, 0, NULL);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
