/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The server name in a TLS ClientHello on its way out. RFC 8446 section 4.1.2, RFC 6066 section 3. */
#ifndef AISPM_CLIENT_HELLO_H
#define AISPM_CLIENT_HELLO_H

#define MAX_EXTENSIONS 32
#define EXTENSION_SERVER_NAME 0

/* Where the search for the name stands when a hello spans segments: at the header of the next extension. */
struct hello_place {
	__u32 next_seq; /* TCP sequence of that header; 0 = no search */
	__u32 end_seq;  /* of the extensions */
};

static __always_inline __u32 load16(struct __sk_buff *skb, __u32 at, bool *bad)
{
	__u8 b[2] = {};

	if (bpf_skb_load_bytes(skb, at, b, 2))
		*bad = true;
	return b[0] << 8 | b[1];
}

static __always_inline __u32 load8(struct __sk_buff *skb, __u32 at, bool *bad)
{
	__u8 b = 0;

	if (bpf_skb_load_bytes(skb, at, &b, 1))
		*bad = true;
	return b;
}

/* Offset of the extensions in the packet and their length. 0 when `at` is not the start of a hello. */
static __always_inline __u32 find_extensions(struct __sk_buff *skb, __u32 at, __u32 *length)
{
	bool bad = false;

	if (load8(skb, at, &bad) != 22 || load8(skb, at + 1, &bad) != 3 || load8(skb, at + 5, &bad) != 1 || bad)
		return 0;
	at += 5 + 4 + 2 + 32;                  /* record, handshake, version, random */
	at += 1 + load8(skb, at, &bad);        /* session */
	at += 2 + (load16(skb, at, &bad) & 0xfffe); /* cipher suites */
	at += 1 + load8(skb, at, &bad);        /* compression */
	*length = load16(skb, at, &bad);
	return bad ? 0 : at + 2;
}

/* Looks at extensions from *at to `end` (both offsets in the packet). Returns the offset of the name and sets *size; 0 when
 * there is none in this packet, with *at at the first header that is not in it.
 */
static __always_inline __u32 find_name(struct __sk_buff *skb, __u32 *at, __u32 end, __u32 *size)
{
	__u32 name = 0;
	int i;

	for (i = 0; i < MAX_EXTENSIONS; i++) {
		__u8 head[9] = {};

		if (*at >= end || *at + 4 > skb->len || bpf_skb_load_bytes(skb, *at, head, 4))
			break;
		if ((head[0] << 8 | head[1]) == EXTENSION_SERVER_NAME) {
			if (bpf_skb_load_bytes(skb, *at, head, 9))
				break;
			*size = head[7] << 8 | head[8];
			if (*at + 9 + *size <= skb->len)
				name = *at + 9;
			break;
		}
		*at += 4 + (head[2] << 8 | head[3]);
	}
	return name;
}

#endif
