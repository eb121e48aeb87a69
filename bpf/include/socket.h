/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef AISPM_SOCKET_H
#define AISPM_SOCKET_H

/* Fills everything but the cookie. Leaves family 0 and returns false for sockets that are not IP. */
static __always_inline bool fill_endpoints(struct aispm_endpoints *out, const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	__builtin_memset(out, 0, sizeof(*out));
	if (family == AISPM_FAMILY_INET) {
		__be32 source = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__be32 destination = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		__builtin_memcpy(out->source, &source, 4);
		__builtin_memcpy(out->destination, &destination, 4);
	} else if (family == AISPM_FAMILY_INET6) {
		BPF_CORE_READ_INTO(&out->source, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&out->destination, sk, __sk_common.skc_v6_daddr);
	} else {
		return false;
	}
	out->source_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	out->destination_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	out->family = family;
	return true;
}

/* The socket behind a descriptor of the current process; null when it is none. */
static __always_inline struct sock *socket_of(__u64 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = 0;
	struct socket *socket;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & 0170000) != 0140000 /* S_IFSOCK */)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

#endif
