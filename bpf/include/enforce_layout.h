/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What enforcement programs and user space share beside records: the maps' keys and values. Part of events.h.
 * The maps are pinned and outlive the daemon: whoever changes a layout here raises AISPM_ENFORCE_LAYOUT.
 *
 * A rule is a bit. Each table says for one property of a process or of a destination which rules it fits; the rules that fit
 * an act are the AND of both sides. aispm_rule_sets then says what these rules do.
 */
#ifndef AISPM_ENFORCE_LAYOUT_H
#define AISPM_ENFORCE_LAYOUT_H

#define AISPM_ENFORCE_LAYOUT 1

#define AISPM_RULE_WORDS 4
#define AISPM_RULES (AISPM_RULE_WORDS * 64)
#define AISPM_NAME_BYTES 120 /* of a host name, from its end; of a program's name */
#define AISPM_PROGRAM_NAME_BYTES 32
#define AISPM_ORDER_ID_BYTES 64

struct aispm_rule_mask {
	__u64 words[AISPM_RULE_WORDS];
};
AISPM_SAME_LAYOUT(struct aispm_rule_mask, 32);

/* What a rule may forbid. Index of aispm_rule_sets.acts. */
#define AISPM_ACT_CONNECT 0      /* connect, and sendto of datagrams */
#define AISPM_ACT_HELLO 1        /* TLS ClientHello with a name */
#define AISPM_ACT_EXEC 2
#define AISPM_ACT_SOCKET 3       /* raw and packet sockets */
#define AISPM_ACT_WRITE 4        /* open for writing, make, remove, rename outside the allowed folders */
#define AISPM_ACT_KERNEL_WRITE 5 /* open for writing below /proc and /sys */
#define AISPM_ACT_TAMPER 6       /* signal or trace the daemon, bpf(2) */
#define AISPM_ACT_CUT 7          /* packets of a connection that was marked */
#define AISPM_ACTS 8

/* aispm_rule_sets.flags: which tables hold anything at all. */
#define AISPM_SETS_UID 1
#define AISPM_SETS_CGROUP 2
#define AISPM_SETS_NAMES 4
#define AISPM_SETS_CUTS 8
#define AISPM_SETS_EXE 16
#define AISPM_SETS_LSM 32 /* LSM programs refuse exec and sockets; without it the process is killed */

/* All that rules are and do, replaced as a whole: two copies, the array `active` says which one counts. */
struct aispm_rule_sets {
	__u32 flags;
	__u32 self_tgid; /* the daemon: never touched, and what TAMPER protects; 0 = none */
	__u64 self_start_boottime_ns;
	struct aispm_rule_mask enforce; /* the others only report */
	/* Strongest first: a quarantine beats an allowance, an allowance beats a block. */
	struct aispm_rule_mask quarantine;
	struct aispm_rule_mask allow;
	struct aispm_rule_mask block;
	struct aispm_rule_mask any_process; /* no table of processes limits these */
	struct aispm_rule_mask any_address;
	struct aispm_rule_mask any_port;
	struct aispm_rule_mask any_program;   /* EXEC: whatever is started */
	struct aispm_rule_mask approved_only; /* EXEC: all but files in `approved` */
	struct aispm_rule_mask refuse;        /* answer ECONNREFUSED instead of EPERM */
	struct aispm_rule_mask kill;          /* SIGKILL at the next exec */
	struct aispm_rule_mask acts[AISPM_ACTS];
};
AISPM_SAME_LAYOUT(struct aispm_rule_sets, 16 + 11 * 32 + AISPM_ACTS * 32);

struct aispm_process_key {
	__u32 tgid;
	__u32 pad;
	__u64 start_boottime_ns;
};
AISPM_SAME_LAYOUT(struct aispm_process_key, 16);

#define AISPM_SUBJECT_PROTECTED 1 /* no rule applies; its children lose this when they start another program */

/* Tables `processes`, `cgroups`, `uids`, `executables`. Children inherit what their parent has in `processes`. */
struct aispm_subject {
	struct aispm_rule_mask rules;
	__u32 flags;
	__u32 pad;
};
AISPM_SAME_LAYOUT(struct aispm_subject, 40);

/* Table `origins`: who forked a process, whoever it was given to since, and which rules held one that has ended. Of what was
 * forked, or ended while rules held it, since the hooks were armed.
 */
struct aispm_origin {
	struct aispm_process_key parent; /* tgid 0: not known */
	struct aispm_rule_mask ended_with;
	__u32 has_ended; /* as one of `processes` */
	__u32 pad;
};
AISPM_SAME_LAYOUT(struct aispm_origin, 16 + 32 + 8);

/* Tables `executables`, `approved`, `folders`. */
struct aispm_file_key {
	__u64 inode;
	__u32 device; /* the kernel's dev_t: major << 20 | minor */
	__u32 pad;
};
AISPM_SAME_LAYOUT(struct aispm_file_key, 16);

/* Table `approved`: exactly this content was approved. A file that was written to since no longer is. */
struct aispm_approval {
	struct aispm_rule_mask rules;
	__u64 size;
	__s64 modified_s;
	__u32 modified_ns;
	__u32 pad;
};
AISPM_SAME_LAYOUT(struct aispm_approval, 32 + 24);

/* Keys of longest-prefix tables. Masks are cumulative: a longer prefix repeats what its shorter ones say. */
struct aispm_address4_key {
	__u32 prefix_bits;
	__u8 address[4];
};
AISPM_SAME_LAYOUT(struct aispm_address4_key, 8);

struct aispm_address6_key {
	__u32 prefix_bits;
	__u8 address[16];
};
AISPM_SAME_LAYOUT(struct aispm_address6_key, 20);

/* A host name in lower case, from its end, each label ended by a dot: "moc.elpmaxe." fits api.example.com. Suffixes of
 * names are then prefixes of keys.
 */
struct aispm_name_key {
	__u32 prefix_bits;
	char reversed[AISPM_NAME_BYTES];
};
AISPM_SAME_LAYOUT(struct aispm_name_key, 4 + AISPM_NAME_BYTES);

struct aispm_program_key {
	char name[AISPM_PROGRAM_NAME_BYTES]; /* of the file itself, whatever link led to it; cut, NUL-filled */
};
AISPM_SAME_LAYOUT(struct aispm_program_key, AISPM_PROGRAM_NAME_BYTES);

/* Table `protected_endpoints`: destinations that stay open for everybody (our collector). */
struct aispm_endpoint_key {
	__u8 address[16]; /* IPv4 in the first four */
	__u16 port;       /* host order */
	__u16 family;     /* AISPM_FAMILY_* */
};
AISPM_SAME_LAYOUT(struct aispm_endpoint_key, 20);

/* Table `cuts`, by socket cookie: data of this connection is dropped. */
struct aispm_cut {
	struct aispm_rule_mask rules;
	__u64 packets;
	__u64 bytes;
	__u32 enforced; /* 0: only counted */
	__u32 pad;
};
AISPM_SAME_LAYOUT(struct aispm_cut, 32 + 24);

/* Array `orders`: which order holds a bit, so that a new daemon finds its bits again. */
struct aispm_rule_slot {
	char order_id[AISPM_ORDER_ID_BYTES]; /* NUL-filled; empty = free */
	__u32 layout;                        /* AISPM_ENFORCE_LAYOUT */
	__u32 part;                          /* an order may need several bits */
};
AISPM_SAME_LAYOUT(struct aispm_rule_slot, AISPM_ORDER_ID_BYTES + 8);

/* An act that a rule applied to. Repetitions by one process within a tenth of a second are counted and told with the next. */
#define AISPM_ENFORCED_DENIED 1 /* the act did not happen; else it was only reported */
#define AISPM_ENFORCED_KILLED 2 /* SIGKILL was sent */

struct aispm_enforced_event {
	struct aispm_event_header header;
	struct aispm_actor actor;
	struct aispm_endpoints socket; /* family 0 when the act has no destination */
	struct aispm_rule_mask rules;  /* that fit, strongest kind only */
	__u32 act;                     /* AISPM_ACT_* */
	__u32 flags;                   /* AISPM_ENFORCED_* */
	__u64 count;                   /* acts told by this record, at least 1 */
	__u32 detail;                  /* SOCKET: family << 16 | type; TAMPER: the signal */
	__u32 name_size;
	char name[AISPM_NAME_BYTES];   /* HELLO: the server's name; EXEC and WRITE: the file's */
};
AISPM_SAME_LAYOUT(struct aispm_enforced_event, 40 + 40 + 48 + 32 + 24 + AISPM_NAME_BYTES);

/* What the program `list_processes` writes for each process that runs. */
struct aispm_listed_process {
	struct aispm_process_key process;
	struct aispm_process_key parent;
	__u64 cgroup_id;
	__u32 uid;
	__u32 pad;
};
AISPM_SAME_LAYOUT(struct aispm_listed_process, 48);

/* Per-CPU array `effects`: acts refused or reported, folded ones included. Index: act, or AISPM_ACTS + act when only reported. */
#define AISPM_EFFECT_KILLS (2 * AISPM_ACTS)
#define AISPM_EFFECT_LOST_EVENTS (2 * AISPM_ACTS + 1)    /* records that met a full ring */
#define AISPM_EFFECT_LOST_CHILDREN (2 * AISPM_ACTS + 2)  /* children of a subject that did not fit `processes` */
#define AISPM_EFFECTS (2 * AISPM_ACTS + 3)

#endif
