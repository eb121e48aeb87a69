/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Plaintext of rustls over aws-lc, taken where records are sealed and opened: above that layer nothing in a stripped Rust program
 * can be recognised. A cipher context serves one direction of one connection and knows no socket, so both are tied together by
 * what the thread does next to it: what was received before a record is opened, what is sent after one was sealed.
 */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/events.h"
#include "bpf/include/actor.h"
#include "bpf/include/aead_state.h"
#include "bpf/include/maps.h"
#include "bpf/include/socket.h"
#include "bpf/include/tls_send.h"
#include "bpf/include/tls_state.h"

const volatile __u32 own_tgid = 0;

static __always_inline void send_record(struct aead_thread *thread, __u64 context, const __u8 *nonce, __u64 plaintext,
					__u64 size, __u8 direction)
{
	struct sending now = {};
	__u32 tgid = current_tgid();
	__u64 id = connection_of(tgid, context, nonce, thread, direction);

	now.connection = open_connection(tgid, id);
	if (!now.connection) {
		count_loss(AISPM_LOSS_CONNECTIONS_FULL, size);
		return;
	}
	if (direction == AISPM_TLS_READ)
		tie(tgid, id, now.connection, &thread->received);
	else if (now.connection->attribution == AISPM_ATTRIBUTION_NONE)
		thread->unsent = id;
	now.ssl = id;
	now.buffer = plaintext;
	now.size = size;
	now.direction = direction;
	now.library = AISPM_LIBRARY_AWS_LC;
	send_plaintext(&now);
}

static __always_inline __u64 stack_argument(struct pt_regs *ctx, __u32 index)
{
	__u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)(PT_REGS_SP(ctx) + 8 + 8 * index));
	return value;
}

static __always_inline bool read_ad(__u8 *out, __u64 ad, __u64 ad_size)
{
	if (ad_size == AD_LEN_12)
		return !bpf_probe_read_user(out, AD_LEN_12, (void *)ad);
	return ad_size == AD_LEN_13 && !bpf_probe_read_user(out, AD_LEN_13, (void *)ad);
}

static __always_inline int on_seal_call(struct pt_regs *ctx, __u64 nonce_at, __u64 in, __u64 size, __u64 ad_at, __u64 ad_size)
{
	__u8 ad[AD_LEN_12] = {}, nonce[NONCE_LEN] = {};
	__u64 context = PT_REGS_PARM1(ctx);
	__u32 tgid = current_tgid();
	struct aead_thread *thread;
	__u8 type;

	if (tgid == own_tgid || !read_ad(ad, ad_at, ad_size) ||
	    bpf_probe_read_user(nonce, sizeof(nonce), (void *)nonce_at))
		return 0;
	type = content_type(in, &size, ad, ad_size);
	if (type == 0)
		return 0;
	last_handshake(tgid, type == TYPE_HANDSHAKE);
	thread = thread_state(true);
	if (thread && type == TYPE_DATA && size)
		send_record(thread, context, nonce, in, size, AISPM_TLS_WRITE);
	return 0;
}

/* EVP_AEAD_CTX_seal(ctx, out, out_len, max_out_len, nonce, nonce_len, in, in_len, ad, ad_len) */
SEC("uprobe")
int BPF_KPROBE(on_seal)
{
	return on_seal_call(ctx, PT_REGS_PARM5(ctx), stack_argument(ctx, 0), stack_argument(ctx, 1), stack_argument(ctx, 2),
			    stack_argument(ctx, 3));
}

/* EVP_AEAD_CTX_seal_scatter(ctx, out, out_tag, out_tag_len, max_out_tag_len, nonce, nonce_len, in, in_len, extra_in,
 * extra_in_len, ad, ad_len)
 */
SEC("uprobe")
int BPF_KPROBE(on_seal_scatter)
{
#if defined(__TARGET_ARCH_x86)
	__u64 nonce = ctx->r9;
#else
	__u64 nonce = 0; /* planned on x86-64 only */
#endif

	return on_seal_call(ctx, nonce, stack_argument(ctx, 1), stack_argument(ctx, 2), stack_argument(ctx, 5),
			    stack_argument(ctx, 6));
}

static __always_inline int begin_open(struct pt_regs *ctx, __u64 size_pointer, __u64 size, __u64 nonce, __u64 ad,
				      __u64 ad_size)
{
	struct aead_thread *thread;
	struct aead_call *call;

	/* Records are announced by 5 or 13 bytes: other users of the same functions are not followed. */
	if (current_tgid() == own_tgid || (ad_size != AD_LEN_13 && ad_size != AD_LEN_12))
		return 0;
	thread = thread_state(true);
	if (!thread)
		return 0;
	call = &thread->call;
	/* EVP_AEAD_CTX_open may call open_gather: the outer one counts, unless its return was never seen. */
	if (call->context && call->stack > PT_REGS_SP(ctx)) {
		count_work(AISPM_COUNT_TLS_NESTED, 1);
		return 0;
	}
	call->context = 0;
	if (!read_ad(call->ad, ad, ad_size) || bpf_probe_read_user(call->nonce, NONCE_LEN, (void *)nonce))
		return 0;
	call->out = PT_REGS_PARM2(ctx);
	call->size_pointer = size_pointer;
	call->size = size;
	call->stack = PT_REGS_SP(ctx);
	call->ad_size = ad_size;
	call->context = PT_REGS_PARM1(ctx);
	return 0;
}

/* EVP_AEAD_CTX_open(ctx, out, out_len, max_out_len, nonce, nonce_len, in, in_len, ad, ad_len) */
SEC("uprobe")
int BPF_KPROBE(on_open)
{
	return begin_open(ctx, PT_REGS_PARM3(ctx), 0, PT_REGS_PARM5(ctx), stack_argument(ctx, 2), stack_argument(ctx, 3));
}

/* EVP_AEAD_CTX_open_gather(ctx, out, nonce, nonce_len, in, in_len, in_tag, in_tag_len, ad, ad_len) */
SEC("uprobe")
int BPF_KPROBE(on_open_gather)
{
#if defined(__TARGET_ARCH_x86)
	__u64 size = ctx->r9;
#else
	__u64 size = 0;
#endif

	return begin_open(ctx, 0, size, PT_REGS_PARM3(ctx), stack_argument(ctx, 2), stack_argument(ctx, 3));
}

SEC("uretprobe")
int BPF_KPROBE(on_opened)
{
	struct aead_thread *thread = thread_state(false);
	struct aead_call *call = thread ? &thread->call : 0;
	__u32 tgid = current_tgid();
	__u64 context, size;
	__u8 type;

	if (!call || !call->context || PT_REGS_SP(ctx) < call->stack)
		return 0;
	context = call->context;
	call->context = 0;
	if ((int)PT_REGS_RC(ctx) != 1)
		return 0;
	size = call->size;
	if (call->size_pointer && bpf_probe_read_user(&size, sizeof(size), (void *)call->size_pointer)) {
		count_loss(AISPM_LOSS_LENGTH_FAULT, 0);
		return 0;
	}
	type = content_type(call->out, &size, call->ad, call->ad_size);
	if (type == 0)
		return 0;
	last_handshake(tgid, type == TYPE_HANDSHAKE);
	if (type == TYPE_DATA && size)
		send_record(thread, context, call->nonce, call->out, size, AISPM_TLS_READ);
	return 0;
}

static __always_inline bool describe(struct aispm_endpoints *out, struct sock *sk, __u64 cookie)
{
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || !fill_endpoints(out, sk))
		return false;
	out->cookie = cookie;
	return true;
}

static __always_inline bool uses_aead(void)
{
	__u32 tgid = current_tgid();

	return bpf_map_lookup_elem(&aead_processes, &tgid) != 0;
}

static __always_inline int on_receive(struct sock *sk, __u64 cookie)
{
	struct aead_thread *thread = thread_state(true);

	if (thread && !describe(&thread->received, sk, cookie))
		thread->received.family = 0;
	return 0;
}

static __always_inline int on_send(struct sock *sk, __u64 cookie)
{
	struct aead_thread *thread = thread_state(false);
	struct tls_connection *connection;
	struct aispm_endpoints socket;
	__u32 tgid = current_tgid();
	__u64 id = thread ? thread->unsent : 0;

	if (!id || !describe(&socket, sk, cookie))
		return 0;
	thread->unsent = 0;
	connection = find_connection(tgid, id);
	if (connection)
		tie(tgid, id, connection, &socket);
	return 0;
}

/* Since 6.3; for sockets only. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(on_aead_socket_send, struct sock *sk, int size)
{
	return size > 0 && uses_aead() ? on_send(sk, bpf_get_socket_cookie(sk)) : 0;
}
SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_aead_socket_receive, struct sock *sk, int size)
{
	return size > 0 && uses_aead() ? on_receive(sk, bpf_get_socket_cookie(sk)) : 0;
}

/* Before 6.3: the same by the system calls' descriptor. The network programs gave the socket its cookie. */
static __always_inline int by_descriptor(struct trace_event_raw_sys_enter *ctx, bool is_send)
{
	struct sock *sk = uses_aead() ? socket_of(ctx->args[0]) : 0;
	__u64 cookie;

	if (!sk)
		return 0;
	cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	return is_send ? on_send(sk, cookie) : on_receive(sk, cookie);
}

SEC("tp/syscalls/sys_enter_write")
int on_aead_write(struct trace_event_raw_sys_enter *ctx) { return by_descriptor(ctx, true); }
SEC("tp/syscalls/sys_enter_writev")
int on_aead_writev(struct trace_event_raw_sys_enter *ctx) { return by_descriptor(ctx, true); }
SEC("tp/syscalls/sys_enter_sendto")
int on_aead_sendto(struct trace_event_raw_sys_enter *ctx) { return by_descriptor(ctx, true); }
SEC("tp/syscalls/sys_enter_sendmsg")
int on_aead_sendmsg(struct trace_event_raw_sys_enter *ctx) { return by_descriptor(ctx, true); }
SEC("tp/syscalls/sys_enter_read")
int on_aead_read(struct trace_event_raw_sys_enter *ctx) { return by_descriptor(ctx, false); }
SEC("tp/syscalls/sys_enter_recvfrom")
int on_aead_recvfrom(struct trace_event_raw_sys_enter *ctx) { return by_descriptor(ctx, false); }
SEC("tp/syscalls/sys_enter_recvmsg")
int on_aead_recvmsg(struct trace_event_raw_sys_enter *ctx) { return by_descriptor(ctx, false); }

char LICENSE[] SEC("license") = "Dual BSD/GPL";
