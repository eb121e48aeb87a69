/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which system calls move bytes, and where their arguments are. */
#ifndef AISPM_STDIO_CALLS_H
#define AISPM_STDIO_CALLS_H

#if defined(__TARGET_ARCH_x86)
enum { NR_READ = 0, NR_WRITE = 1, NR_READV = 19, NR_WRITEV = 20, NR_SENDTO = 44, NR_RECVFROM = 45, NR_SENDMSG = 46, NR_RECVMSG = 47 };

static __always_inline long syscall_of(struct pt_regs *regs)
{
	long number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &regs->orig_ax);
	return number;
}
static __always_inline __u64 argument_of(struct pt_regs *regs, int which)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), which == 0 ? &regs->di : &regs->si);
	return value;
}
#else
enum { NR_READ = 63, NR_WRITE = 64, NR_READV = 65, NR_WRITEV = 66, NR_SENDTO = 206, NR_RECVFROM = 207, NR_SENDMSG = 211, NR_RECVMSG = 212 };

struct pt_regs___arm {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
} __attribute__((preserve_access_index));

static __always_inline long syscall_of(struct pt_regs *regs)
{
	return BPF_CORE_READ((struct pt_regs___arm *)regs, syscallno);
}
static __always_inline __u64 argument_of(struct pt_regs *regs, int which)
{
	struct pt_regs___arm *own = (void *)regs;

	return which == 0 ? BPF_CORE_READ(own, orig_x0) : BPF_CORE_READ(own, regs[1]);
}
#endif

/* The parts of user space's struct msghdr and struct iovec. */
struct user_message {
	__u64 name;
	__u64 name_size;
	__u64 vector;
	__u64 vector_count;
};
struct user_vector {
	__u64 base;
	__u64 size;
};

struct io_call {
	struct stdio_server *server;
	__u64 buffer;
	__u64 vector;
	__u64 vector_count;
	__u64 left; /* bytes of the call that are still to be sent up */
	__u32 direction;
	__u8 is_vector;
	__u8 is_message;
};

static __always_inline bool find_call(long number, struct io_call *call)
{
	switch (number) {
	case NR_READ:
	case NR_RECVFROM:
		call->direction = AISPM_TLS_READ;
		return true;
	case NR_WRITE:
	case NR_SENDTO:
		call->direction = AISPM_TLS_WRITE;
		return true;
	case NR_READV:
	case NR_RECVMSG:
		call->direction = AISPM_TLS_READ;
		break;
	case NR_WRITEV:
	case NR_SENDMSG:
		call->direction = AISPM_TLS_WRITE;
		break;
	default:
		return false;
	}
	call->is_vector = 1;
	call->is_message = number == NR_RECVMSG || number == NR_SENDMSG;
	return true;
}

static __always_inline void find_vector(struct pt_regs *regs, struct io_call *call)
{
	struct user_vector first = {};
	struct user_message message = {};

	call->vector = argument_of(regs, 1);
	call->vector_count = 1024; /* IOV_MAX: the call's result bounds what is read */
	if (call->is_message) {
		bpf_probe_read_user(&message, sizeof(message), (void *)call->vector);
		call->vector = message.vector;
		call->vector_count = message.vector_count;
	}
	bpf_probe_read_user(&first, sizeof(first), (void *)call->vector);
	call->buffer = first.base;
}

#endif
