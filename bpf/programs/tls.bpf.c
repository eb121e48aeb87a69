/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* TLS plaintext, taken where a library's read or write returns: only then it is known how much was really moved. */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/maps.h"
#include "bpf/include/socket.h"
#include "bpf/include/tls_state.h"

const volatile __u32 own_tgid = 0; /* the sensor's own TLS (to the collector) is never captured */

static __always_inline bool is_ours(void)
{
	return bpf_get_current_pid_tgid() >> 32 == own_tgid;
}

static __always_inline int begin_call(struct pt_regs *ctx, __u8 direction, __u8 by_pointer)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct tls_call *outer;
	struct tls_call call = {};
	struct tls_connection *connection;

	if (is_ours())
		return 0;
	call.ssl = PT_REGS_PARM1(ctx);
	call.buffer = PT_REGS_PARM2(ctx);
	call.size_pointer = by_pointer ? PT_REGS_PARM4(ctx) : 0;
	call.stack = PT_REGS_SP(ctx);
	call.direction = direction;
	call.by_pointer = by_pointer;
	outer = bpf_map_lookup_elem(&calls, &thread);
	/* The stack grows down: a call that started above this one is still running. Else its return was never seen. */
	if (outer && outer->stack > call.stack) {
		count_work(AISPM_COUNT_TLS_NESTED, 1);
		return 0;
	}
	connection = find_connection(thread >> 32, call.ssl);
	call.wants_socket = !connection || !connection->socket.family;
	if (bpf_map_update_elem(&calls, &thread, &call, BPF_ANY))
		count_loss(AISPM_LOSS_CALLS_FULL, 0);
	return 0;
}

static __always_inline __u64 moved_bytes(struct pt_regs *ctx, const struct tls_call *call)
{
	int result = PT_REGS_RC(ctx);
	__u64 size = 0;

	if (result <= 0)
		return 0;
	if (!call->by_pointer)
		return result;
	if (bpf_probe_read_user(&size, sizeof(size), (void *)call->size_pointer)) {
		count_loss(AISPM_LOSS_LENGTH_FAULT, 0);
		return 0;
	}
	return size;
}

static __always_inline int end_call(struct pt_regs *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct tls_call *running = bpf_map_lookup_elem(&calls, &thread);
	struct tls_call call;
	__u64 size;

	if (!running || PT_REGS_SP(ctx) < running->stack)
		return 0; /* not followed, or the return of a nested call */
	call = *running;
	bpf_map_delete_elem(&calls, &thread);
	size = moved_bytes(ctx, &call);
	if (size)
		send_plaintext(&call, size);
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(on_read) { return begin_call(ctx, AISPM_TLS_READ, 0); }
SEC("uprobe")
int BPF_KPROBE(on_write) { return begin_call(ctx, AISPM_TLS_WRITE, 0); }
SEC("uprobe")
int BPF_KPROBE(on_read_ex) { return begin_call(ctx, AISPM_TLS_READ, 1); }
SEC("uprobe")
int BPF_KPROBE(on_write_ex) { return begin_call(ctx, AISPM_TLS_WRITE, 1); }
SEC("uretprobe")
int BPF_KPROBE(on_return) { return end_call(ctx); }

/* Every handshake begins with SSL_clear, called by the library itself: what this pointer carried before was another
 * conversation, and of the one to come we see the first byte.
 */
SEC("uprobe")
int BPF_KPROBE(on_clear)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (is_ours())
		return 0;
	close_connection(tgid, PT_REGS_PARM1(ctx));
	make_connection(tgid, PT_REGS_PARM1(ctx), CONNECTION_FROM_START);
	return 0;
}

/* SSL_free, SSL_shutdown: the conversation is over. */
SEC("uprobe")
int BPF_KPROBE(on_close)
{
	if (!is_ours())
		close_connection(bpf_get_current_pid_tgid() >> 32, PT_REGS_PARM1(ctx));
	return 0;
}

static __always_inline struct tls_call *call_that_wants_socket(void)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct tls_call *call = bpf_map_lookup_elem(&calls, &thread);

	return call && call->wants_socket ? call : 0;
}

static __always_inline int note_socket(struct tls_call *call, struct sock *sk, __u64 cookie, int fd)
{
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || !fill_endpoints(&call->socket, sk))
		return 0;
	call->socket.cookie = cookie;
	call->fd = fd + 1;
	call->wants_socket = 0;
	return 0;
}

/* A thread within a TLS call does socket I/O: that socket carries the connection. Since 6.3; fires for sockets only, so it
 * costs other system calls nothing.
 */
static __always_inline int on_socket(struct sock *sk)
{
	struct tls_call *call = call_that_wants_socket();

	return call ? note_socket(call, sk, bpf_get_socket_cookie(sk), -1) : 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_socket_send, struct sock *sk) { return on_socket(sk); }
SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_socket_receive, struct sock *sk) { return on_socket(sk); }

/* Before 6.3: the same from the system calls' descriptor. The cookie was assigned by the network programs. */
static __always_inline int note_descriptor(struct trace_event_raw_sys_enter *ctx)
{
	struct tls_call *call = call_that_wants_socket();
	struct sock *sk = call ? socket_of(ctx->args[0]) : 0;

	return sk ? note_socket(call, sk, BPF_CORE_READ(sk, __sk_common.skc_cookie.counter), ctx->args[0]) : 0;
}

SEC("tp/syscalls/sys_enter_write")
int on_sys_write(struct trace_event_raw_sys_enter *ctx) { return note_descriptor(ctx); }
SEC("tp/syscalls/sys_enter_read")
int on_sys_read(struct trace_event_raw_sys_enter *ctx) { return note_descriptor(ctx); }
SEC("tp/syscalls/sys_enter_sendto")
int on_sys_sendto(struct trace_event_raw_sys_enter *ctx) { return note_descriptor(ctx); }
SEC("tp/syscalls/sys_enter_recvfrom")
int on_sys_recvfrom(struct trace_event_raw_sys_enter *ctx) { return note_descriptor(ctx); }
SEC("tp/syscalls/sys_enter_sendmsg")
int on_sys_sendmsg(struct trace_event_raw_sys_enter *ctx) { return note_descriptor(ctx); }

/* Does nothing: what a probe costs by itself, for the benchmark to compare with. */
SEC("uprobe")
int BPF_KPROBE(on_nothing) { return 0; }

char LICENSE[] SEC("license") = "Dual BSD/GPL";
