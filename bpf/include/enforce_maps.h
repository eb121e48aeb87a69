/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Tables of enforcement: shared by its objects, pinned by user space. enforce_layout.h says what each holds. */
#ifndef AISPM_ENFORCE_MAPS_H
#define AISPM_ENFORCE_MAPS_H

#define AISPM_NO_PREALLOC 1 /* BPF_F_NO_PREALLOC, which longest-prefix tables need */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 19);
} enforce_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct aispm_rule_sets);
} rule_sets SEC(".maps");

/* Which of the two counts; 2 = none. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} active SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, AISPM_RULES);
	__type(key, __u32);
	__type(value, struct aispm_rule_slot);
} orders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct aispm_process_key);
	__type(value, struct aispm_subject);
} processes SEC(".maps");

/* LRU: what is old makes room by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct aispm_process_key);
	__type(value, struct aispm_origin);
} origins SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct aispm_subject);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct aispm_subject);
} uids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct aispm_file_key);
	__type(value, struct aispm_subject);
} executables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, AISPM_NO_PREALLOC);
	__type(key, struct aispm_file_key);
	__type(value, struct aispm_approval);
} approved SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct aispm_file_key);
	__type(value, struct aispm_rule_mask);
} folders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct aispm_program_key);
	__type(value, struct aispm_rule_mask);
} programs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, AISPM_NO_PREALLOC);
	__type(key, struct aispm_address4_key);
	__type(value, struct aispm_rule_mask);
} addresses4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, AISPM_NO_PREALLOC);
	__type(key, struct aispm_address6_key);
	__type(value, struct aispm_rule_mask);
} addresses6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384);
	__uint(map_flags, AISPM_NO_PREALLOC);
	__type(key, struct aispm_name_key);
	__type(value, struct aispm_rule_mask);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16); /* host order */
	__type(value, struct aispm_rule_mask);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct aispm_endpoint_key);
	__type(value, __u8);
} protected_endpoints SEC(".maps");

/* LRU: closed connections make room by themselves. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct aispm_cut);
} cuts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, AISPM_EFFECTS);
	__type(key, __u32);
	__type(value, __u64);
} effects SEC(".maps");

struct fold_key {
	__u64 start_boottime_ns;
	__u32 tgid;
	__u32 act;
	__u64 rule; /* lowest bit that is set, in its word */
	__u32 word;
	__u32 detail;
};
struct fold {
	__u64 told_ns;
	__u64 untold;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct fold_key);
	__type(value, struct fold);
} folds SEC(".maps");

#endif
