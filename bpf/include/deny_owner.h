/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who connected a socket, for hooks that run in whatever context. */
#ifndef AISPM_DENY_OWNER_H
#define AISPM_DENY_OWNER_H

#include "bpf/include/client_hello.h"
#include "bpf/include/verdict.h"

#define BPF_ALLOW 1
#define BPF_DENY 0
#define BPF_SK_STORAGE_CREATE 1

/* The process that connected a socket: packets leave in whatever context. */
struct socket_owner {
	struct aispm_event_header header;
	struct aispm_actor actor;
	struct aispm_rule_mask rules;
	struct hello_place place;
};
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */);
	__type(key, int);
	__type(value, struct socket_owner);
} owners SEC(".maps");

#endif
