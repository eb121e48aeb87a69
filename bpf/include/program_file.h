/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Files as rules name them: what may be started. */
#ifndef AISPM_PROGRAM_FILE_H
#define AISPM_PROGRAM_FILE_H

#include "bpf/include/verdict.h"

/* Modification time of an inode in its three shapes: up to 6.5, 6.6 to 6.10, since 6.11. */
struct inode___old {
	struct timespec64 i_mtime;
} __attribute__((preserve_access_index));
struct inode___middle {
	struct timespec64 __i_mtime;
} __attribute__((preserve_access_index));
struct inode___new {
	__s64 i_mtime_sec;
	__u32 i_mtime_nsec;
} __attribute__((preserve_access_index));

static __always_inline void read_modified(struct inode *inode, __s64 *seconds, __u32 *nanoseconds)
{
	struct inode___new *fresh = (void *)inode;
	struct inode___middle *middle = (void *)inode;
	struct inode___old *old = (void *)inode;

	if (bpf_core_field_exists(fresh->i_mtime_sec)) {
		*seconds = BPF_CORE_READ(fresh, i_mtime_sec);
		*nanoseconds = BPF_CORE_READ(fresh, i_mtime_nsec);
	} else if (bpf_core_field_exists(middle->__i_mtime)) {
		*seconds = BPF_CORE_READ(middle, __i_mtime.tv_sec);
		*nanoseconds = BPF_CORE_READ(middle, __i_mtime.tv_nsec);
	} else {
		*seconds = BPF_CORE_READ(old, i_mtime.tv_sec);
		*nanoseconds = BPF_CORE_READ(old, i_mtime.tv_nsec);
	}
}

static __always_inline void file_key_of(struct aispm_file_key *key, struct inode *inode)
{
	key->inode = BPF_CORE_READ(inode, i_ino);
	key->device = BPF_CORE_READ(inode, i_sb, s_dev);
	key->pad = 0;
}

static __always_inline void program_key_of(struct aispm_program_key *key, struct file *file)
{
	__builtin_memset(key, 0, sizeof(*key));
	bpf_probe_read_kernel_str(key->name, sizeof(key->name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
}

/* Of `rules` keeps those that forbid to start this file. */
static __always_inline void keep_forbidding(const struct aispm_rule_sets *sets, struct file *file, struct aispm_rule_mask *rules)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct aispm_rule_mask fit = sets->any_program;
	struct aispm_rule_mask unapproved = sets->approved_only;
	struct aispm_program_key program;
	struct aispm_approval *approval;
	struct aispm_rule_mask *named;
	struct aispm_file_key key;
	__s64 seconds = 0;
	__u32 nanoseconds = 0;
	int i;

	mask_and(rules, &sets->acts[AISPM_ACT_EXEC]);
	if (!mask_any(rules))
		return;
	program_key_of(&program, file);
	named = bpf_map_lookup_elem(&programs, &program);
	if (named)
		mask_or(&fit, named);
	file_key_of(&key, inode);
	read_modified(inode, &seconds, &nanoseconds);
	approval = bpf_map_lookup_elem(&approved, &key);
	if (approval && approval->size == (__u64)BPF_CORE_READ(inode, i_size) && approval->modified_s == seconds &&
	    approval->modified_ns == nanoseconds) {
#pragma unroll
		for (i = 0; i < AISPM_RULE_WORDS; i++)
			unapproved.words[i] &= ~approval->rules.words[i];
	}
	mask_or(&fit, &unapproved);
	mask_and(rules, &fit);
}

#endif
