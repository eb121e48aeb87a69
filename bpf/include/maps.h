/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Maps that all objects share. User space creates each once and hands it to every object before loading. */
#ifndef AISPM_MAPS_H
#define AISPM_MAPS_H

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* user space sets the real size */
} control_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, AISPM_LOSS_CAUSES);
	__type(key, __u32);
	__type(value, struct aispm_loss);
} losses SEC(".maps");

/* Set by the reader before it sleeps; whoever commits next takes it and wakes the reader. One slot a ring.
 * So a busy ring costs its writers one read of a cache line, not a wake-up each.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__uint(map_flags, 1024 /* BPF_F_MMAPABLE */);
	__type(key, __u32);
	__type(value, __u64);
} sleeping SEC(".maps");

#define AISPM_RING_CONTROL 0
#define AISPM_RING_DATA 1

static __always_inline void count_loss(__u32 cause, __u64 bytes)
{
	struct aispm_loss *loss = bpf_map_lookup_elem(&losses, &cause);

	if (!loss)
		return;
	/* Atomic: programs of one CPU may interrupt each other. */
	__sync_fetch_and_add(&loss->records, 1);
	__sync_fetch_and_add(&loss->bytes, bytes);
}

static __always_inline __u64 wakeup_flags(__u32 ring)
{
	__u64 *asleep = bpf_map_lookup_elem(&sleeping, &ring);

	if (asleep && *asleep && __sync_lock_test_and_set(asleep, 0))
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

#endif
