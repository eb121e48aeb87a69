/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The one header that BPF programs and the sensor both compile: every record that crosses the border.
 * Clocks are CLOCK_BOOTTIME nanoseconds. Addresses are bytes in network order, ports are in host order.
 * A process is (tgid, start_boottime_ns of its group leader): tgids are reused, the pair is not.
 */
#ifndef AISPM_BPF_EVENTS_H
#define AISPM_BPF_EVENTS_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define AISPM_SAME_LAYOUT(type, bytes) static_assert(sizeof(type) == (bytes), #type ": the two compilers disagree")
#else
#define AISPM_SAME_LAYOUT(type, bytes) _Static_assert(sizeof(type) == (bytes), #type ": the two compilers disagree")
#endif

#define AISPM_COMM_LEN 16
#define AISPM_PATH_LEN 256    /* executable path; directories nearest the root are cut */
#define AISPM_ARGS_LEN 4096   /* argument block of one exec; the rest is cut and flagged */
#define AISPM_CHUNK_LEN 16384 /* plaintext bytes of one TLS record of ours */

#define AISPM_FAMILY_INET 2
#define AISPM_FAMILY_INET6 10

/* header.kind */
#define AISPM_KIND_EXEC 1
#define AISPM_KIND_EXIT 2
#define AISPM_KIND_LISTEN 3
#define AISPM_KIND_CONNECT 4
#define AISPM_KIND_TLS_DATA 5
#define AISPM_KIND_TLS_CLOSE 6
#define AISPM_KIND_ENFORCED 50
#define AISPM_KIND_AGENT_FORK 60
#define AISPM_KIND_FILE_OPEN 61
#define AISPM_KIND_RAW_SOCKET 62
#define AISPM_KIND_SIGNAL 63
#define AISPM_KIND_NAME_BYTES 30
#define AISPM_KIND_SOCKET_BYTES 31
#define AISPM_KIND_STREAM_DATA 40
#define AISPM_KIND_STREAM_CLOSE 41
#define AISPM_KIND_STDIO_FOUND 42

struct aispm_event_header {
	__u16 kind;
	__u16 cpu;
	__u32 size; /* bytes used of the whole record, this header included; the ring may hold more */
	__u64 boottime_ns;
	__u32 tgid;
	__u32 tid;
	__u64 start_boottime_ns;
	__u64 cgroup_id;
};
AISPM_SAME_LAYOUT(struct aispm_event_header, 40);

/* Who acted. Follows the header in records about processes and sockets. */
struct aispm_actor {
	__u32 uid; /* real uid in the initial user namespace */
	__u32 pid_namespace; /* inode number */
	__u32 parent_tgid;
	__u32 pad;
	__u64 parent_start_boottime_ns;
	char comm[AISPM_COMM_LEN];
};
AISPM_SAME_LAYOUT(struct aispm_actor, 40);

#define AISPM_EXEC_ARGS_TRUNCATED 1 /* the argument block was longer than AISPM_ARGS_LEN */
#define AISPM_EXEC_ARGS_FAULT 2     /* the argument block could not be read */
#define AISPM_EXEC_PATH_TRUNCATED 4

struct aispm_exec_event {
	struct aispm_event_header header;
	struct aispm_actor actor;
	__u16 path_size; /* bytes used in path */
	__u16 args_size; /* bytes used in args: strings, each ended by NUL (the last one maybe cut) */
	__u32 flags;     /* AISPM_EXEC_* */
	/* File that was loaded (the interpreter when a script was started): its names up to the process's root, each ended by NUL:
	 * "true\0bin\0usr\0". */
	char path[AISPM_PATH_LEN];
	char args[AISPM_ARGS_LEN]; /* only args_size bytes are sent */
};
AISPM_SAME_LAYOUT(struct aispm_exec_event, 40 + 40 + 8 + AISPM_PATH_LEN + AISPM_ARGS_LEN);

struct aispm_exit_event {
	struct aispm_event_header header;
	struct aispm_actor actor;
	__u32 exit_code; /* 0..255; 0 when a signal ended the process */
	__u32 signal;    /* 0 when none did */
};
AISPM_SAME_LAYOUT(struct aispm_exit_event, 40 + 40 + 8);

/* One socket's two ends. IPv4 uses the first four bytes. All zero when unknown. */
struct aispm_endpoints {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;
	__u16 destination_port;
	__u16 family; /* AISPM_FAMILY_*, 0 = unknown */
	__u16 protocol; /* IPPROTO_*; 0 reads as TCP */
	__u64 cookie; /* SO_COOKIE; 0 = none was assigned */
};
AISPM_SAME_LAYOUT(struct aispm_endpoints, 48);

struct aispm_listen_event {
	struct aispm_event_header header;
	struct aispm_actor actor;
	struct aispm_endpoints socket; /* source is what it listens on */
};
AISPM_SAME_LAYOUT(struct aispm_listen_event, 40 + 40 + 48);

/* connect_event.outcome */
#define AISPM_CONNECT_ESTABLISHED 1
#define AISPM_CONNECT_FAILED 2
#define AISPM_CONNECT_PENDING 3 /* the first SYN was not answered in time; no second record follows */

struct aispm_connect_event {
	struct aispm_event_header header; /* of the process that called connect; time of the call */
	struct aispm_actor actor;
	struct aispm_endpoints socket;
	__u32 outcome;
	__u32 latency_us; /* from the call to the outcome, at most 2^32 - 1 */
};
AISPM_SAME_LAYOUT(struct aispm_connect_event, 40 + 40 + 48 + 8);

/* A TLS connection as a library sees it. `generation` differs when the same pointer is used again. */
struct aispm_tls_key {
	__u64 ssl;
	__u64 generation; /* CLOCK_BOOTTIME ns when this SSL object was first seen */
};
AISPM_SAME_LAYOUT(struct aispm_tls_key, 16);

/* tls_event.direction */
#define AISPM_TLS_READ 0  /* the process received it */
#define AISPM_TLS_WRITE 1 /* the process sent it */

#define AISPM_TLS_LAST_OF_CALL 1 /* no further chunk of the same SSL_read or SSL_write follows */
#define AISPM_TLS_FROM_START 2   /* generation began with the connection: offset 0 is the first byte */

/* tls_event.library; append, never renumber */
#define AISPM_LIBRARY_OPENSSL 1
#define AISPM_LIBRARY_GNUTLS 2
#define AISPM_LIBRARY_NSS 3
#define AISPM_LIBRARY_BORINGSSL 4
#define AISPM_LIBRARY_GO 5
#define AISPM_LIBRARY_AWS_LC 6
#define AISPM_LIBRARY_LAST 6

/* What bpf_get_attach_cookie() gives a TLS probe: library | flags << 8 | the planner's own << 16. Flags: */
#define AISPM_PROBE_WRITE 1	 /* else it reads */
#define AISPM_PROBE_BY_POINTER 2 /* returns success; the fourth argument points to the size_t moved */
#define AISPM_PROBE_LONG 4	 /* returns a 64-bit size, not an int */
#define AISPM_PROBE_KNOWN_ONLY 8 /* only for objects that are known to be TLS (NSPR serves plain sockets too) */
#define AISPM_PROBE_FIFTH 16	 /* with BY_POINTER: it is the fifth argument */

/* tls_event.gap_cause, tls_close_event.*_cause: why plaintext right before is missing; the newest cause where there are several */
#define AISPM_GAP_NONE 0
#define AISPM_GAP_RING_FULL 1
#define AISPM_GAP_READ_FAULT 2 /* its page could not be read */
#define AISPM_GAP_HIDDEN 3     /* sent from a file or by the kernel (SSL_sendfile, kTLS): never in a buffer of the process */

/* tls_event.attribution: how `socket` was found */
#define AISPM_ATTRIBUTION_NONE 0
#define AISPM_ATTRIBUTION_SOCKET 1	    /* the library did I/O on it within the call */
#define AISPM_ATTRIBUTION_THREAD_SEQUENCE 2 /* the thread did I/O on it right before or after such a call, again and again */

struct aispm_tls_event {
	struct aispm_event_header header;
	struct aispm_tls_key key;
	__u64 offset; /* of the first byte in this direction's plaintext since `generation` */
	__u64 gap;    /* bytes right before `offset` that are missing; the cause of them in gap_cause */
	struct aispm_endpoints socket; /* family 0 = unknown */
	__u32 size; /* bytes of plaintext, at most AISPM_CHUNK_LEN; header.size covers exactly these */
	__u8 direction;
	__u8 flags;
	__u8 library;
	__u8 gap_cause;
	__s32 fd; /* descriptor that carried it, -1 = unknown */
	__u8 attribution;
	__u8 confidence; /* of it, in percent */
	__u16 pad;
	__u32 uid;
	__u32 pid_namespace;
	char comm[AISPM_COMM_LEN]; /* of the thread */
	/* `size` bytes of plaintext follow */
};
AISPM_SAME_LAYOUT(struct aispm_tls_event, 40 + 16 + 16 + 48 + 24 + 16);

struct aispm_tls_close_event {
	struct aispm_event_header header;
	struct aispm_tls_key key;
	__u64 read_bytes; /* plaintext seen in all, whether delivered or lost */
	__u64 written_bytes;
	__u64 read_lost; /* of these, what no record delivers */
	__u64 written_lost;
};
AISPM_SAME_LAYOUT(struct aispm_tls_close_event, 40 + 16 + 32);

/* Agents: a process that user space put into the `agents` map, and all that it starts, however they detach. `agent` is the
 * number user space gave.
 */
struct aispm_agent {
	__u64 start_boottime_ns; /* of the process: a reused tgid must not inherit */
	__u32 agent;
	__u32 pad;
};
AISPM_SAME_LAYOUT(struct aispm_agent, 16);

/* The header is the parent's. */
struct aispm_agent_fork_event {
	struct aispm_event_header header;
	__u64 child_start_boottime_ns;
	__u32 child_tgid;
	__u32 agent;
};
AISPM_SAME_LAYOUT(struct aispm_agent_fork_event, 40 + 16);

/* file_open_event.flags */
#define AISPM_OPEN_WRITE 1	    /* opened for writing */
#define AISPM_OPEN_CREATED 2	    /* made by this call */
#define AISPM_OPEN_PATH_TRUNCATED 4 /* names nearest the root are missing */

/* An open that succeeded. One file is told once to each agent for reading and once for writing, until it falls out of a
 * table of limited size.
 */
struct aispm_file_open_event {
	struct aispm_event_header header;
	struct aispm_actor actor;
	__u64 inode;
	__u64 size_bytes;
	__u32 device; /* as in struct inode: major << 20 | minor */
	__u32 agent;  /* 0 = a process of no agent */
	__u32 flags;  /* AISPM_OPEN_* */
	__u16 path_size;
	__u16 pad;
	char path[AISPM_PATH_LEN]; /* as in exec_event; only path_size bytes are sent */
};
AISPM_SAME_LAYOUT(struct aispm_file_open_event, 40 + 40 + 32 + AISPM_PATH_LEN);

/* A process of an agent asked for a socket below TCP and UDP. */
struct aispm_raw_socket_event {
	struct aispm_event_header header;
	struct aispm_actor actor;
	__u32 family; /* AF_* */
	__u32 type;   /* SOCK_*, without flags */
	__u32 protocol;
	__u32 agent;
};
AISPM_SAME_LAYOUT(struct aispm_raw_socket_event, 40 + 40 + 16);

/* A process sent the sensor a signal that ends or stops it. */
struct aispm_signal_event {
	struct aispm_event_header header;
	struct aispm_actor actor;
	__u32 signal;
	__u32 pad;
};
AISPM_SAME_LAYOUT(struct aispm_signal_event, 40 + 40 + 8);

/* name_event.what: which packets these are the first bytes of */
#define AISPM_NAME_TLS_HELLO 1 /* a TCP stream's first bytes: handshake records */
#define AISPM_NAME_HTTP 2      /* a TCP stream's first bytes: a request in plaintext */
#define AISPM_NAME_DNS 3       /* a UDP datagram to or from port 53 */
#define AISPM_NAME_DNS_TCP 4   /* bytes to or from TCP port 53 */
#define AISPM_NAME_QUIC 5      /* a UDP datagram to port 443 that begins a connection */
#define AISPM_NAME_KINDS 5
#define AISPM_NAME_LEN_MAX 4096 /* bytes of one packet; the rest is cut */

/* The first bytes of a connection, which may name a host. */
struct aispm_name_event {
	struct aispm_event_header header; /* of the socket's owner; time of the packet */
	struct aispm_actor actor;
	struct aispm_endpoints socket; /* of this datagram, or of the connection */
	__u32 size;   /* bytes that follow */
	__u32 offset; /* of the first of them in this direction's stream; 0 for datagrams */
	__u8 what;
	__u8 direction; /* AISPM_TLS_READ or _WRITE */
	__u16 pad;
	__u32 net_namespace; /* inode of the socket's; 0 = unknown */
	/* `size` bytes follow */
};
AISPM_SAME_LAYOUT(struct aispm_name_event, 40 + 40 + 48 + 16);

#define AISPM_SOCKET_IS_OPEN 1	  /* an interim total */
#define AISPM_SOCKET_FROM_START 2 /* seen since it was opened */
#define AISPM_SOCKET_ACCEPTED 4	  /* the peer connected to us */

/* What a TCP socket carried. */
struct aispm_socket_bytes_event {
	struct aispm_event_header header; /* of the socket's owner; time of the report */
	struct aispm_actor actor;
	struct aispm_endpoints socket;
	__u64 sent_bytes;     /* payload, without what was sent again */
	__u64 received_bytes; /* payload, in order */
	__u64 opened_boottime_ns;
	__u32 flags; /* AISPM_SOCKET_* */
	__u32 pad;
};
AISPM_SAME_LAYOUT(struct aispm_socket_bytes_event, 40 + 40 + 48 + 32);

/* stream_event.source */
#define AISPM_STREAM_SOCKET 1
#define AISPM_STREAM_STDIO 2

#define AISPM_STREAM_FROM_START 1
#define AISPM_STREAM_LAST_OF_CALL 2

/* Bytes of a TCP socket that is not encrypted, or of a child's stdin and stdout. */
struct aispm_stream_event {
	struct aispm_event_header header; /* of the socket's owner, or the child */
	__u64 id;	  /* socket cookie; inode of the child's stdin */
	__u64 generation; /* CLOCK_BOOTTIME ns when capture of this stream began */
	__u64 offset;	  /* of the first byte in this direction since `generation` */
	struct aispm_endpoints socket; /* family 0 for stdio */
	__u32 size; /* at most AISPM_CHUNK_LEN */
	__u8 direction;
	__u8 flags; /* AISPM_STREAM_* */
	__u8 source;
	__u8 pad;
	__u32 uid;
	__u32 pid_namespace;
	char comm[AISPM_COMM_LEN];
	/* `size` bytes follow */
};
AISPM_SAME_LAYOUT(struct aispm_stream_event, 40 + 24 + 48 + 16 + 16);

struct aispm_stream_close_event {
	struct aispm_event_header header;
	__u64 id;
	__u64 generation;
	__u64 read_bytes; /* seen in all, whether delivered or lost */
	__u64 written_bytes;
	__u32 source;
	__u32 pad;
};
AISPM_SAME_LAYOUT(struct aispm_stream_close_event, 40 + 40);

/* stdio_found.kind of an end */
#define AISPM_STDIO_PIPE 1
#define AISPM_STDIO_SOCKET 2

/* A program was started whose stdin and stdout are pipes or UNIX sockets: it may be a stdio server. */
struct aispm_stdio_found_event {
	struct aispm_event_header header;
	struct aispm_actor actor;
	__u64 generation;
	__u64 inode[2];	     /* of fd 0 and fd 1 */
	__u64 peer_inode[2]; /* of the socket at the other end; 0 for pipes */
	__u32 kind[2];
};
AISPM_SAME_LAYOUT(struct aispm_stdio_found_event, 40 + 40 + 48);

/* Per-CPU counters of what did not arrive, one slot a cause; user space sums over CPUs. Totals since the programs were loaded. */
#define AISPM_LOSS_RING_FULL_CONTROL 0 /* exec, exit, listen, connect, agent and file records that met a full ring */
#define AISPM_LOSS_RING_FULL_DATA 1    /* TLS records that met a full ring */
#define AISPM_LOSS_READ_FAULT 2        /* plaintext whose page could not be read */
#define AISPM_LOSS_CALLS_FULL 3        /* TLS calls not followed: table of running calls full */
#define AISPM_LOSS_CONNECTIONS_FULL 4  /* TLS calls not followed: table of connections full */
#define AISPM_LOSS_CONNECTS_FULL 5     /* connects not followed: table of pending connects full */
#define AISPM_LOSS_LENGTH_FAULT 6      /* *_ex calls whose length could not be read */
#define AISPM_LOSS_HIDDEN 7	       /* plaintext that was in no buffer: SSL_sendfile, gnutls_record_send_file */
#define AISPM_LOSS_AGENTS_FULL 8       /* processes of agents not followed: table full */
#define AISPM_LOSS_SOCKETS_FULL 9      /* sockets not followed: no memory for their state */
#define AISPM_LOSS_STDIO_FULL 10        /* stdio servers not followed: table full */
#define AISPM_LOSS_CAUSES 11

struct aispm_loss {
	__u64 records;
	__u64 bytes; /* plaintext bytes; 0 for causes that have none */
};
AISPM_SAME_LAYOUT(struct aispm_loss, 16);

/* Per-CPU counters of work done. */
#define AISPM_COUNT_TLS_CALLS 0  /* SSL_read, SSL_write and _ex calls that returned data */
#define AISPM_COUNT_TLS_BYTES 1
#define AISPM_COUNT_TLS_NESTED 2 /* calls within another TLS call on the same thread: not captured, by design */
#define AISPM_COUNTS 3

#include "bpf/include/enforce_layout.h"

#endif
