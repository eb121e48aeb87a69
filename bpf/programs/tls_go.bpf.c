/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Plaintext of Go's crypto/tls. No return probes: the runtime moves stacks and would find our return address on them. So Read's
 * result is taken at each of its RET instructions, and what was asked is remembered by goroutine, because goroutines change
 * threads. Arguments are in the registers of Go's own convention (since 1.17): RAX, RBX, RCX, the goroutine in R14.
 */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/maps.h"
#include "bpf/include/socket.h"
#include "bpf/include/tls_send.h"
#include "bpf/include/tls_state.h"

#if defined(__TARGET_ARCH_x86)
#define GO_FIRST(ctx) ((ctx)->ax)
#define GO_SECOND(ctx) ((ctx)->bx)
#define GO_THIRD(ctx) ((ctx)->cx)
#define GO_GOROUTINE(ctx) ((ctx)->r14)
#else /* arm64; user space plans no such probes there yet */
#define GO_REGISTER(ctx, n) (((const struct user_pt_regs *)(ctx))->regs[n])
#define GO_FIRST(ctx) GO_REGISTER(ctx, 0)
#define GO_SECOND(ctx) GO_REGISTER(ctx, 1)
#define GO_THIRD(ctx) GO_REGISTER(ctx, 2)
#define GO_GOROUTINE(ctx) GO_REGISTER(ctx, 28)
#endif

/* Set in the probe's own part of the cookie: it sits on the branch of the stack check. Where that branch is taken, the stack
 * grows and the function starts over: the probe will come again.
 */
#define GO_AT_STACK_CHECK 1
#define FLAGS_BELOW_OR_EQUAL 0x41 /* carry, zero: what `jbe` looks at */

#define GO_READS 4		 /* Reads within Reads: TLS over a TLS proxy */
#define GO_CONN_DATA 8		 /* tls.Conn.conn, the data word of the interface: a *net.TCPConn */
#define GO_NETFD_SYSFD 16	 /* net.netFD.pfd.Sysfd */
#define GO_SOCKET_CONFIDENCE 95 /* the fields above do not move between releases, but nobody promised it */

const volatile __u32 own_tgid = 0;

struct go_goroutine {
	__u64 address; /* of its g */
	__u32 tgid;
	__u32 pad;
};

struct go_read {
	__u64 conn;
	__u64 buffer;
};

struct go_reads {
	__u64 start_boottime_ns; /* of the process */
	__u32 depth;
	__u32 pad;
	struct go_read reads[GO_READS];
};

/* Oldest goroutines leave when it is full: one that died within Read leaves nothing else behind. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct go_goroutine);
	__type(value, struct go_reads);
} go_reading SEC(".maps");

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline bool starts_over(struct pt_regs *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return bpf_get_attach_cookie(ctx) >> 16 & GO_AT_STACK_CHECK && ctx->flags & FLAGS_BELOW_OR_EQUAL;
#else
	return false;
#endif
}

/* tls.Conn -> net.TCPConn -> netFD -> the descriptor. Another kind of net.Conn leads nowhere: then the socket stays unknown. */
static __always_inline void find_socket(struct tls_connection *connection, __u64 conn)
{
	__u64 tcp = 0, netfd = 0;
	struct aispm_endpoints endpoints;
	struct sock *sk;
	__s64 fd = -1;

	if (connection->attribution != AISPM_ATTRIBUTION_NONE)
		return;
	if (bpf_probe_read_user(&tcp, sizeof(tcp), (void *)(conn + GO_CONN_DATA)) || !tcp ||
	    bpf_probe_read_user(&netfd, sizeof(netfd), (void *)tcp) || !netfd ||
	    bpf_probe_read_user(&fd, sizeof(fd), (void *)(netfd + GO_NETFD_SYSFD)) || fd < 0 || fd > 0x7fffffff)
		return;
	sk = socket_of(fd);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || !fill_endpoints(&endpoints, sk))
		return;
	endpoints.cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	connection->socket = endpoints;
	connection->fd = fd + 1;
	connection->attribution = AISPM_ATTRIBUTION_SOCKET;
	connection->confidence = GO_SOCKET_CONFIDENCE;
}

static __always_inline void send_go(__u64 conn, __u64 buffer, __u64 size, __u8 direction)
{
	struct sending now = {};
	__u32 tgid = current_tgid();

	now.connection = find_connection(tgid, conn);
	if (!now.connection)
		now.connection = make_connection(tgid, conn, 0);
	if (!now.connection) {
		count_loss(AISPM_LOSS_CONNECTIONS_FULL, size);
		return;
	}
	find_socket(now.connection, conn);
	now.ssl = conn;
	now.buffer = buffer;
	now.size = size;
	now.direction = direction;
	now.library = AISPM_LIBRARY_GO;
	send_plaintext(&now);
}

/* (c *Conn) Write(b []byte): the slice is its caller's and does not change, so it is taken at once. */
SEC("uprobe")
int BPF_KPROBE(on_go_write)
{
	__s64 size = GO_THIRD(ctx);

	if (current_tgid() != own_tgid && size > 0 && !starts_over(ctx))
		send_go(GO_FIRST(ctx), GO_SECOND(ctx), size, AISPM_TLS_WRITE);
	return 0;
}

/* (c *Conn) Read(b []byte) */
SEC("uprobe")
int BPF_KPROBE(on_go_read)
{
	struct go_goroutine key = {.address = GO_GOROUTINE(ctx), .tgid = current_tgid()};
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 start = task->group_leader->start_boottime;
	struct go_read read = {.conn = GO_FIRST(ctx), .buffer = GO_SECOND(ctx)};
	struct go_reads fresh = {.start_boottime_ns = start, .depth = 1};
	struct go_reads *known;
	__u32 i;

	if (key.tgid == own_tgid || starts_over(ctx))
		return 0;
	known = bpf_map_lookup_elem(&go_reading, &key);
	if (!known || known->start_boottime_ns != start) {
		fresh.reads[0] = read;
		if (bpf_map_update_elem(&go_reading, &key, &fresh, BPF_ANY))
			count_loss(AISPM_LOSS_CALLS_FULL, 0);
		return 0;
	}
	/* A connection is not read within its own Read: what is there of it never returned (its goroutine's place was reused). */
	for (i = 0; i < GO_READS; i++)
		if (i < known->depth && known->reads[i].conn == read.conn)
			known->depth = i;
	if (known->depth >= GO_READS) {
		count_loss(AISPM_LOSS_CALLS_FULL, 0);
		known->depth = 0;
	}
	i = known->depth;
	asm volatile("" : "+r"(i));
	if (i < GO_READS)
		known->reads[i] = read;
	known->depth = i + 1;
	return 0;
}

/* At each RET of Read: the count is in the first result register. */
SEC("uprobe")
int BPF_KPROBE(on_go_read_return)
{
	struct go_goroutine key = {.address = GO_GOROUTINE(ctx), .tgid = current_tgid()};
	struct go_reads *known = bpf_map_lookup_elem(&go_reading, &key);
	__s64 size = GO_FIRST(ctx);
	struct go_read read = {};
	__u32 i;

	if (!known || !known->depth)
		return 0;
	i = known->depth - 1;
	asm volatile("" : "+r"(i));
	if (i < GO_READS)
		read = known->reads[i];
	known->depth = i;
	if (read.conn && size > 0)
		send_go(read.conn, read.buffer, size, AISPM_TLS_READ);
	return 0;
}

/* clientHandshake, serverHandshake: once for each connection, before its first byte. */
SEC("uprobe")
int BPF_KPROBE(on_go_handshake)
{
	__u64 conn = GO_FIRST(ctx);
	__u32 tgid = current_tgid();

	if (tgid == own_tgid || starts_over(ctx))
		return 0;
	close_connection(tgid, conn);
	make_connection(tgid, conn, CONNECTION_FROM_START);
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(on_go_close)
{
	__u32 tgid = current_tgid();

	if (tgid != own_tgid && !starts_over(ctx))
		close_connection(tgid, GO_FIRST(ctx));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
