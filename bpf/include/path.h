/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The path of an open file as its process sees it. bpf_d_path() is not allowed where we need it. */
#ifndef AISPM_PATH_H
#define AISPM_PATH_H

#define MAX_COMPONENTS 32
#define AISPM_NAME_LEN 160 /* a name of the path; a longer one cuts the path */

/* Appends the names from the file up to the process's root, each ended by NUL. Sets *used to their bytes, at most AISPM_PATH_LEN;
 * returns whether not all fitted. `out` must have AISPM_NAME_LEN bytes more, which may be overwritten. `used` lies in the record:
 * what comes from there has the same bounds on every turn of the loop, so the verifier looks at each turn once.
 */
static __always_inline bool read_path(char *out, __u16 *used, struct task_struct *task, struct file *file)
{
	struct dentry *root_dentry = BPF_CORE_READ(task, fs, root.dentry);
	struct vfsmount *root_mount = BPF_CORE_READ(task, fs, root.mnt);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct vfsmount *mount_point = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mount = (void *)mount_point - bpf_core_field_offset(struct mount, mnt);
	__u64 at;
	long size;
	int i;

	*used = 0;
	for (i = 0; i < MAX_COMPONENTS; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		if (dentry == root_dentry && mount_point == root_mount)
			return false;
		if (dentry == BPF_CORE_READ(mount_point, mnt_root)) {
			struct mount *above = BPF_CORE_READ(mount, mnt_parent);

			if (above == mount)
				return false; /* the top of this mount namespace */
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			mount_point = (void *)mount + bpf_core_field_offset(struct mount, mnt);
			continue;
		}
		if (parent == dentry && i)
			return false;
		at = *used;
		if (at >= AISPM_PATH_LEN)
			break;
		/* A constant size: the verifier does not relate the room left to `at`. The mask changes nothing; 6.1 loses the
		 * bound of the check above.
		 */
		asm volatile("%0 &= %1" : "+r"(at) : "i"(AISPM_PATH_LEN - 1));
		size = bpf_probe_read_kernel_str(out + at, AISPM_NAME_LEN, BPF_CORE_READ(dentry, d_name.name));
		if (size <= 0 || size == AISPM_NAME_LEN)
			break;
		*used = at + size;
		if (parent == dentry)
			return false; /* a file without a place, such as a memfd: its name alone */
		dentry = parent;
	}
	if (*used > AISPM_PATH_LEN)
		*used = AISPM_PATH_LEN;
	return true;
}

#endif
