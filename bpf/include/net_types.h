/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Kernel types that only the socket programs read. CO-RE ignores what follows ___ in a name. */
#ifndef AISPM_NET_TYPES_H
#define AISPM_NET_TYPES_H

enum { SK_STORAGE_CREATE = 1 }; /* BPF_SK_STORAGE_GET_F_CREATE */
enum { SK_STORAGE_MAP = 24 };   /* BPF_MAP_TYPE_SK_STORAGE */
enum { IPPROTO_UDP_ = 17 };
enum { TCP_SYN_RECV = 3, TCP_FIN_WAIT1 = 4, TCP_CLOSE_WAIT = 8, TCP_LAST_ACK = 9 };
enum { AISPM_FAMILY_UNIX = 1 };
enum { KERNEL_THREAD = 0x00200000 }; /* PF_KTHREAD */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common___net {
	unsigned int inum;
};
struct net___net {
	struct ns_common___net ns;
};
typedef struct {
	struct net___net *net;
} possible_net_t___net;
struct sock_common___net {
	possible_net_t___net skc_net;
	unsigned short skc_family;
	unsigned long skc_flags;
};
struct sock___net {
	struct sock_common___net __sk_common;
	struct socket___net *sk_socket;
	__u16 sk_type;
};
struct inode___net {
	unsigned long i_ino;
	unsigned short i_mode;
};
struct file___net {
	struct inode___net *f_inode;
	void *private_data;
};
struct socket___net {
	struct file___net *file;
	struct sock *sk;
};
struct unix_sock___net {
	struct sock___net *peer;
};
struct tcp_sock___net {
	__u32 rcv_nxt;
	__u32 snd_nxt;
	__u64 bytes_received;
	__u64 bytes_sent;
	__u64 bytes_retrans;
};
struct inet_sock___net {
	__be16 inet_sport;
};
typedef struct {
	__u32 val;
} kuid_t___net;
struct cred___net {
	kuid_t___net uid;
};
struct kernfs_node___net {
	__u64 id;
};
struct cgroup___net {
	struct kernfs_node___net *kn;
};
struct css_set___net {
	struct cgroup___net *dfl_cgrp;
};
struct task_struct___net {
	struct css_set___net *cgroups;
	const struct cred___net *real_cred;
	unsigned int flags;
	int pid;
	int tgid;
};

struct seq_file;
struct bpf_iter_meta___net {
	struct seq_file *seq;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta___net *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};
struct bpf_map;
struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta___net *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

enum sock_flags___net { SOCK_DEAD___net, SOCK_DONE___net };

#pragma clang attribute pop
#endif
