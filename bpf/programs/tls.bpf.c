/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* TLS plaintext, taken where a library's read or write returns: only then it is known how much was really moved. One pair of
 * programs serves OpenSSL, GnuTLS and NSS: the probe's cookie says which library and what the function's arguments mean.
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

const volatile __u32 own_tgid = 0; /* the sensor's own TLS (to the collector) is never captured */

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline __u32 flags_of(__u64 cookie)
{
	return (cookie >> 8) & 0xff;
}

static __always_inline struct tls_call *call_of_thread(__u64 flags)
{
	return bpf_task_storage_get(&calls, bpf_get_current_task_btf(), 0, flags);
}

/* A call that started above on the stack, which grows down, is still running; one that did not never returned. The library's own
 * calls within it are not the program's: those of the same direction, and those of another connection that carries this one.
 */
static __always_inline bool is_within(const struct tls_running *outer, struct pt_regs *ctx, bool same_direction)
{
	__u64 ssl = PT_REGS_PARM1(ctx);

	return outer->ssl && outer->stack > PT_REGS_SP(ctx) && (same_direction || outer->ssl != ssl);
}

/* A read or write begins: (object, buffer, size, size_t *moved) */
SEC("uprobe")
int BPF_KPROBE(on_call)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 tgid = current_tgid();
	__u64 fourth = PT_REGS_PARM4(ctx);
	__u64 fifth = PT_REGS_PARM5(ctx);
	__u32 side = flags_of(cookie) & AISPM_PROBE_WRITE ? AISPM_TLS_WRITE : AISPM_TLS_READ;
	struct tls_running *now;
	struct tls_call *call;

	if (tgid == own_tgid)
		return 0;
	asm volatile("" : "+r"(fourth), "+r"(fifth)); /* both loads stay: the context takes no computed offset */
	if (flags_of(cookie) & AISPM_PROBE_KNOWN_ONLY && !find_connection(tgid, PT_REGS_PARM1(ctx)))
		return 0;
	call = call_of_thread(BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		count_loss(AISPM_LOSS_CALLS_FULL, 0);
		return 0;
	}
	if (is_within(&call->running[0], ctx, side == 0) || is_within(&call->running[1], ctx, side == 1)) {
		count_work(AISPM_COUNT_TLS_NESTED, 1);
		return 0;
	}
	now = &call->running[side & 1];
	now->ssl = PT_REGS_PARM1(ctx);
	now->buffer = PT_REGS_PARM2(ctx);
	now->size_pointer = flags_of(cookie) & AISPM_PROBE_FIFTH ? fifth : fourth;
	now->stack = PT_REGS_SP(ctx);
	now->cookie = cookie;
	call->fd = 0;
	call->socket.family = 0;
	call->wants_socket = call->settled_ssl != now->ssl;
	return 0;
}

static __always_inline __u64 moved_bytes(struct pt_regs *ctx, const struct tls_running *call)
{
	__u32 flags = flags_of(call->cookie);
	__s64 result = PT_REGS_RC(ctx);
	__u64 size = 0;

	if (!(flags & AISPM_PROBE_LONG))
		result = (__s32)result;
	if (result <= 0)
		return 0;
	if (!(flags & AISPM_PROBE_BY_POINTER))
		return result;
	if (bpf_probe_read_user(&size, sizeof(size), (void *)call->size_pointer)) {
		count_loss(AISPM_LOSS_LENGTH_FAULT, 0);
		return 0;
	}
	return size;
}

/* What the thread did on a socket right outside of calls that used none, speaks for that socket; each time again more so. */
static __always_inline void vote(struct tls_connection *connection, const struct aispm_endpoints *socket)
{
	if (connection->attribution == AISPM_ATTRIBUTION_SOCKET)
		return;
	if (connection->attribution == AISPM_ATTRIBUTION_NONE || connection->socket.cookie != socket->cookie) {
		connection->confidence = connection->attribution == AISPM_ATTRIBUTION_NONE ? 60 : 40;
		connection->attribution = AISPM_ATTRIBUTION_THREAD_SEQUENCE;
		connection->socket = *socket;
	} else if (connection->confidence < 90) {
		connection->confidence += 10;
	}
}

static __always_inline void settle_socket(struct tls_call *call, struct tls_connection *connection, __u64 ssl,
					  __u8 direction, __u64 size)
{
	if (call->socket.family) {
		connection->socket = call->socket;
		connection->fd = call->fd;
		connection->attribution = AISPM_ATTRIBUTION_SOCKET;
		connection->confidence = 100;
	}
	if (connection->attribution == AISPM_ATTRIBUTION_SOCKET) {
		call->settled_ssl = ssl;
		return;
	}
	call->settled_ssl = 0;
	if (direction == AISPM_TLS_WRITE) {
		call->unsent_bytes = call->unsent_ssl == ssl ? call->unsent_bytes + size : size;
		call->unsent_ssl = ssl;
	} else if (call->received.family) {
		vote(connection, &call->received);
	}
	call->uses_memory = 1;
}

SEC("uretprobe")
int BPF_KPROBE(on_return)
{
	__u32 side = flags_of(bpf_get_attach_cookie(ctx)) & AISPM_PROBE_WRITE ? AISPM_TLS_WRITE : AISPM_TLS_READ;
	__u32 tgid = current_tgid();
	struct tls_call *call = call_of_thread(0);
	struct tls_running *running;
	struct sending now = {};

	if (!call)
		return 0;
	running = &call->running[side & 1];
	if (!running->ssl || PT_REGS_SP(ctx) < running->stack)
		return 0; /* not followed, or the return of a nested call */
	now.ssl = running->ssl;
	running->ssl = 0;
	now.size = moved_bytes(ctx, running);
	if (!now.size)
		return 0;
	now.buffer = running->buffer;
	now.direction = side;
	now.library = running->cookie;
	now.connection = find_connection(tgid, now.ssl);
	if (!now.connection)
		now.connection = make_connection(tgid, now.ssl, 0);
	if (!now.connection) {
		count_loss(AISPM_LOSS_CONNECTIONS_FULL, now.size);
		return 0;
	}
	settle_socket(call, now.connection, now.ssl, now.direction, now.size);
	send_plaintext(&now);
	return 0;
}

/* SSL_sendfile, gnutls_record_send_file: what they send themselves is in no buffer of the process (kTLS). Where they only read
 * the file and call their own send, that one is captured: the gap is what remains.
 */
SEC("uprobe")
int BPF_KPROBE(on_hidden)
{
	__u32 tgid = current_tgid();
	struct tls_connection *connection;
	struct tls_call *call;

	if (tgid == own_tgid)
		return 0;
	call = call_of_thread(BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		count_loss(AISPM_LOSS_CALLS_FULL, 0);
		return 0;
	}
	connection = find_connection(tgid, PT_REGS_PARM1(ctx));
	call->hidden_ssl = PT_REGS_PARM1(ctx);
	call->hidden_start = connection ? connection->bytes[AISPM_TLS_WRITE] : 0;
	return 0;
}

SEC("uretprobe")
int BPF_KPROBE(on_hidden_return)
{
	struct tls_call *call = call_of_thread(0);
	struct tls_connection *connection;
	__s64 sent = PT_REGS_RC(ctx);
	__s64 hidden;

	if (!call || !call->hidden_ssl)
		return 0;
	connection = find_connection(current_tgid(), call->hidden_ssl);
	if (!connection)
		connection = make_connection(current_tgid(), call->hidden_ssl, 0);
	call->hidden_ssl = 0;
	if (!connection) {
		count_loss(AISPM_LOSS_CONNECTIONS_FULL, sent > 0 ? sent : 0);
		return 0;
	}
	hidden = sent - (__s64)(connection->bytes[AISPM_TLS_WRITE] - call->hidden_start);
	if (hidden <= 0)
		return 0;
	connection->bytes[AISPM_TLS_WRITE] += hidden;
	lose_plaintext(connection, AISPM_TLS_WRITE, hidden, AISPM_GAP_HIDDEN);
	count_loss(AISPM_LOSS_HIDDEN, hidden);
	return 0;
}

/* The object will carry another conversation, on a socket to be found anew. */
static __always_inline void unsettle(__u64 ssl)
{
	struct tls_call *call = call_of_thread(0);

	if (call && call->settled_ssl == ssl)
		call->settled_ssl = 0;
}

/* Every handshake begins with SSL_clear, called by the library itself: what this pointer carried before was another
 * conversation, and of the one to come we see the first byte.
 */
SEC("uprobe")
int BPF_KPROBE(on_clear)
{
	__u32 tgid = current_tgid();

	if (tgid == own_tgid)
		return 0;
	unsettle(PT_REGS_PARM1(ctx));
	close_connection(tgid, PT_REGS_PARM1(ctx));
	make_connection(tgid, PT_REGS_PARM1(ctx), CONNECTION_FROM_START);
	return 0;
}

/* gnutls_handshake: called again until it is through, and again to agree on new keys. */
SEC("uprobe")
int BPF_KPROBE(on_handshake)
{
	__u32 tgid = current_tgid();

	if (tgid != own_tgid && !find_connection(tgid, PT_REGS_PARM1(ctx)))
		make_connection(tgid, PT_REGS_PARM1(ctx), CONNECTION_FROM_START);
	return 0;
}

/* SSL_ImportFD: what it returns is a TLS connection; other descriptors of NSPR are none of our business. */
SEC("uretprobe")
int BPF_KPROBE(on_import)
{
	__u32 tgid = current_tgid();

	if (tgid != own_tgid && PT_REGS_RC(ctx))
		make_connection(tgid, PT_REGS_RC(ctx), CONNECTION_FROM_START);
	return 0;
}

/* SSL_free, SSL_shutdown, gnutls_deinit, PR_Close: the conversation is over. */
SEC("uprobe")
int BPF_KPROBE(on_close)
{
	__u32 tgid = current_tgid();

	if (tgid == own_tgid)
		return 0;
	unsettle(PT_REGS_PARM1(ctx));
	close_connection(tgid, PT_REGS_PARM1(ctx));
	return 0;
}

static __always_inline bool describe_socket(struct aispm_endpoints *out, struct sock *sk, __u64 cookie)
{
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || !fill_endpoints(out, sk))
		return false;
	out->cookie = cookie;
	return true;
}

/* Ciphertext is never shorter than its plaintext, and not much longer: each 16 KiB gain at most 256 bytes (RFC 8446 5.2). */
static __always_inline bool may_carry(__u64 wire, __u64 plain)
{
	return wire > plain && wire < plain + plain / 32 + 1024;
}

/* The thread sent `size` bytes outside of any call, after a write that went to memory. */
static __always_inline void sent_after_call(struct tls_call *call, struct sock *sk, __u64 cookie, __s64 size)
{
	struct tls_connection *connection;
	struct aispm_endpoints socket;
	__u64 ssl = call->unsent_ssl;

	if (size <= 0 || !may_carry(size, call->unsent_bytes))
		return;
	connection = find_connection(current_tgid(), ssl);
	call->unsent_ssl = 0;
	if (connection && describe_socket(&socket, sk, cookie))
		vote(connection, &socket);
}

static __always_inline bool is_in_call(const struct tls_call *call)
{
	return call->running[0].ssl || call->running[1].ssl;
}

/* A thread within a TLS call does socket I/O: that socket carries the connection. */
static __always_inline int note_socket(struct tls_call *call, struct sock *sk, __u64 cookie, int fd, __s64 size,
				       bool is_send)
{
	if (is_in_call(call)) {
		if (call->wants_socket && describe_socket(&call->socket, sk, cookie)) {
			call->fd = fd + 1;
			call->wants_socket = 0;
		}
		return 0;
	}
	if (is_send && call->unsent_ssl)
		sent_after_call(call, sk, cookie, size);
	else if (!is_send && call->uses_memory && !describe_socket(&call->received, sk, cookie))
		call->received.family = 0;
	return 0;
}

/* The thread, if this socket I/O of it may tell anything: most does not, and must cost little. */
static __always_inline struct tls_call *call_that_asks(bool is_send)
{
	struct tls_call *call = call_of_thread(0);

	if (!call || !(is_in_call(call) ? call->wants_socket : (is_send ? call->unsent_ssl != 0 : call->uses_memory)))
		return 0;
	return call;
}

/* Since 6.3; fires for sockets only, so it costs other system calls nothing. */
static __always_inline int on_socket(struct sock *sk, __s64 size, bool is_send)
{
	struct tls_call *call = call_that_asks(is_send);

	return call ? note_socket(call, sk, bpf_get_socket_cookie(sk), -1, size, is_send) : 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_socket_send, struct sock *sk, int ret) { return on_socket(sk, ret, true); }
SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_socket_receive, struct sock *sk, int ret) { return on_socket(sk, ret, false); }

/* Before 6.3: the same from the system calls' descriptor. The cookie was assigned by the network programs. */
static __always_inline int note_descriptor(struct trace_event_raw_sys_enter *ctx, __s64 size, bool is_send)
{
	struct tls_call *call = call_that_asks(is_send);
	struct sock *sk;

	if (!call)
		return 0;
	sk = socket_of(ctx->args[0]);
	return sk ? note_socket(call, sk, BPF_CORE_READ(sk, __sk_common.skc_cookie.counter), ctx->args[0], size, is_send) : 0;
}

SEC("tp/syscalls/sys_enter_write")
int on_sys_write(struct trace_event_raw_sys_enter *ctx) { return note_descriptor(ctx, ctx->args[2], true); }
SEC("tp/syscalls/sys_enter_read")
int on_sys_read(struct trace_event_raw_sys_enter *ctx) { return note_descriptor(ctx, 0, false); }
SEC("tp/syscalls/sys_enter_sendto")
int on_sys_sendto(struct trace_event_raw_sys_enter *ctx) { return note_descriptor(ctx, ctx->args[2], true); }
SEC("tp/syscalls/sys_enter_recvfrom")
int on_sys_recvfrom(struct trace_event_raw_sys_enter *ctx) { return note_descriptor(ctx, 0, false); }
SEC("tp/syscalls/sys_enter_sendmsg")
int on_sys_sendmsg(struct trace_event_raw_sys_enter *ctx) { return note_descriptor(ctx, 0, true); }

/* Does nothing: what a probe costs by itself, for the benchmark to compare with. */
SEC("uprobe")
int BPF_KPROBE(on_nothing) { return 0; }

char LICENSE[] SEC("license") = "Dual BSD/GPL";
