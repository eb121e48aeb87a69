/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is known of cipher contexts, the threads that use them and the connections that they serve. */
#ifndef AISPM_AEAD_STATE_H
#define AISPM_AEAD_STATE_H

#include "bpf/include/actor.h"
#include "bpf/include/maps.h"
#include "bpf/include/tls_state.h"

#define NONCE_LEN 12
#define AD_LEN_13 5	     /* type, version, length: a TLS 1.3 record; its real type is the plaintext's last byte */
#define AD_LEN_12 13	     /* sequence number, type, version, length: TLS 1.2 */
#define TYPE_HANDSHAKE 22
#define TYPE_DATA 23
#define TAIL_LEN 32	     /* bytes of padding that are looked through for the type */
#define MAX_RECORD 16640     /* RFC 8446 5.2 */
#define HANDSHAKE_NS 60000000000ULL
#define CONFIDENCE_SEQUENCE 80 /* the thread's own order of calls: an event loop does nothing in between */

struct aead_key {
	__u64 context; /* or a socket cookie */
	__u32 tgid;
	__u32 pad;
};

/* One cipher context: one direction of one connection. */
struct aead_context {
	__u64 start_boottime_ns;
	__u64 connection;	 /* what its records are sent as: key.ssl */
	__u8 nonce[NONCE_LEN];	 /* first one seen; others differ in the count of records only */
	__u8 pad[4];
};

/* A call of open that has not returned. */
struct aead_call {
	__u64 context; /* 0 = none */
	__u64 out;
	__u64 size_pointer; /* 0: `size` is it */
	__u64 size;
	__u64 stack;
	__u64 ad_size;
	__u8 ad[AD_LEN_12];
	__u8 nonce[NONCE_LEN];
	__u8 pad[7];
};

struct aead_thread {
	struct aead_call call;
	__u64 unsent; /* connection that was written to and whose socket is to be learnt from the next send */
	struct aispm_endpoints received;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct aead_key);
	__type(value, struct aead_context);
} aead_contexts SEC(".maps");

/* Socket cookie -> the connection that it carries, for the context of the other direction to join. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct aead_key);
	__type(value, __u64);
} aead_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* pid_tgid */
	__type(value, struct aead_thread);
} aead_threads SEC(".maps");

/* Processes that use these functions, with the time of their last handshake record. Only their sockets are looked at. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} aead_processes SEC(".maps");

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline struct aead_thread *thread_state(bool creates)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct aead_thread *thread = bpf_map_lookup_elem(&aead_threads, &id);
	struct aead_thread fresh = {};

	if (thread || !creates)
		return thread;
	if (bpf_map_update_elem(&aead_threads, &id, &fresh, BPF_ANY))
		count_loss(AISPM_LOSS_CALLS_FULL, 0);
	return bpf_map_lookup_elem(&aead_threads, &id);
}

/* When the process last shook hands, 0 = never seen. Makes the process known. */
static __always_inline __u64 last_handshake(__u32 tgid, bool is_handshake)
{
	__u64 *known = bpf_map_lookup_elem(&aead_processes, &tgid);
	__u64 now = is_handshake ? bpf_ktime_get_boot_ns() : 0;

	if (!known)
		bpf_map_update_elem(&aead_processes, &tgid, &now, BPF_ANY);
	else if (is_handshake)
		*known = now;
	return known ? *known : now;
}

/* The type of a record's content; reduces *size to the content. 0: no TLS record (QUIC and others use the same functions). */
static __always_inline __u8 content_type(__u64 plaintext, __u64 *size, const __u8 *ad, __u64 ad_size)
{
	__u8 tail[TAIL_LEN] = {};
	__u64 take;
	int i;

	if (*size == 0 || *size > MAX_RECORD)
		return 0;
	if (ad_size == AD_LEN_12)
		return ad[9] == 3 ? ad[8] : 0;
	if (ad_size != AD_LEN_13 || ad[0] != TYPE_DATA || ad[1] != 3)
		return 0;
	take = *size < TAIL_LEN ? *size : TAIL_LEN;
	asm volatile("" : "+r"(take));
	if (take == 0 || take > TAIL_LEN ||
	    bpf_probe_read_user(tail, take, (void *)(plaintext + *size - take))) {
		count_loss(AISPM_LOSS_READ_FAULT, *size);
		return 0;
	}
	for (i = 0; i < TAIL_LEN; i++) {
		__u64 at = take - 1 - i;

		if (at >= TAIL_LEN)
			return 0;
		*size -= 1;
		if (tail[at])
			return tail[at];
	}
	return 0;
}

/* Nonces of one context differ in their lower bytes (the record's number) only; another context has another base. */
static __always_inline bool is_same_base(const __u8 *one, const __u8 *other)
{
	return !__builtin_memcmp(one, other, 4) && !__builtin_memcmp(one + 4, other + 4, 4);
}

static __always_inline struct tls_connection *open_connection(__u32 tgid, __u64 id)
{
	__u64 handshake = last_handshake(tgid, false);
	struct tls_connection *connection = find_connection(tgid, id);

	if (connection)
		return connection;
	return make_connection(tgid, id, bpf_ktime_get_boot_ns() - handshake < HANDSHAKE_NS ? CONNECTION_FROM_START : 0);
}

/* The connection that a context's records belong to. A context that was not seen before joins the one that its socket already
 * carries, if that has had nothing in this direction yet: what a thread received last may be another connection's.
 */
static __always_inline __u64 connection_of(__u32 tgid, __u64 context, const __u8 *nonce, const struct aead_thread *thread,
					   __u8 direction)
{
	struct aead_key key = {.context = context, .tgid = tgid};
	struct aead_key socket = {.context = thread->received.cookie, .tgid = tgid};
	struct aead_context *known = bpf_map_lookup_elem(&aead_contexts, &key);
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 start = task->group_leader->start_boottime;
	struct aead_context fresh = {.start_boottime_ns = start, .connection = context};
	struct tls_connection *joined;
	__u64 *carried;

	if (known && known->start_boottime_ns == start && is_same_base(known->nonce, nonce))
		return known->connection;
	/* The memory was used by another connection before. */
	close_connection(tgid, context);
	carried = socket.context && thread->received.family ? bpf_map_lookup_elem(&aead_sockets, &socket) : 0;
	joined = carried ? find_connection(tgid, *carried) : 0;
	if (joined && !joined->bytes[direction & 1])
		fresh.connection = *carried;
	__builtin_memcpy(fresh.nonce, nonce, NONCE_LEN);
	if (bpf_map_update_elem(&aead_contexts, &key, &fresh, BPF_ANY))
		count_loss(AISPM_LOSS_CONNECTIONS_FULL, 0);
	return fresh.connection;
}

/* The thread's socket carries the connection. */
static __always_inline void tie(__u32 tgid, __u64 id, struct tls_connection *connection,
				const struct aispm_endpoints *socket)
{
	struct aead_key key = {.context = socket->cookie, .tgid = tgid};

	if (!socket->family || !socket->cookie)
		return;
	if (connection->attribution == AISPM_ATTRIBUTION_NONE) {
		connection->socket = *socket;
		connection->attribution = AISPM_ATTRIBUTION_THREAD_SEQUENCE;
		connection->confidence = CONFIDENCE_SEQUENCE;
	}
	if (connection->socket.cookie == socket->cookie)
		bpf_map_update_elem(&aead_sockets, &key, &id, BPF_ANY);
}

#endif
