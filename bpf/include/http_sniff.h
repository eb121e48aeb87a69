/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the first bytes of a TCP segment say: an HTTP request, and one that a model or MCP server is asked? */
#ifndef AISPM_HTTP_SNIFF_H
#define AISPM_HTTP_SNIFF_H

struct sniff {
	__u8 bytes[32]; /* zero after the payload's end */
};

/* Ports whose plain HTTP is wanted, whatever it asks: from the signatures, and of listeners known as servers. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u16);
	__type(value, __u8);
} plain_ports SEC(".maps");

static __always_inline void read_head(struct __sk_buff *skb, const struct packet *packet, struct sniff *head)
{
	__builtin_memset(head, 0, sizeof(*head));
	if (packet->payload_size >= sizeof(head->bytes))
		bpf_skb_load_bytes(skb, packet->payload_at, head->bytes, sizeof(head->bytes));
	else if (packet->payload_size >= 16)
		bpf_skb_load_bytes(skb, packet->payload_at, head->bytes, 16);
	else if (packet->payload_size >= 6)
		bpf_skb_load_bytes(skb, packet->payload_at, head->bytes, 6);
}

/* clang calls memcmp() for long texts, which does not exist here. */
static __always_inline bool has_text(const __u8 *at, const char *text, const __u32 size)
{
	__u8 differs = 0;

#pragma unroll
	for (__u32 i = 0; i < size; i++)
		differs |= at[i] ^ (__u8)text[i];
	return !differs;
}
#define STARTS_WITH(at, text) has_text((at), (text), sizeof(text) - 1)

static __always_inline bool is_http_request(const struct sniff *head)
{
	const __u8 *at = head->bytes;

	return STARTS_WITH(at, "POST /") || STARTS_WITH(at, "GET /") || STARTS_WITH(at, "PUT /") ||
	       STARTS_WITH(at, "DELETE /") || STARTS_WITH(at, "HEAD /") || STARTS_WITH(at, "OPTIONS /");
}

/* Paths of model and MCP servers. Few enough on another host, where plain HTTP may be anything. */
static __always_inline bool is_wanted_request(const struct sniff *head, bool is_local)
{
	const __u8 *at = head->bytes;

	if (STARTS_WITH(at, "POST /v1/chat/") || STARTS_WITH(at, "POST /v1/messages") || STARTS_WITH(at, "POST /v1/completions") ||
	    STARTS_WITH(at, "POST /v1/responses") || STARTS_WITH(at, "POST /v1/embeddings") || STARTS_WITH(at, "POST /v1beta/models/") ||
	    STARTS_WITH(at, "POST /api/chat") || STARTS_WITH(at, "POST /api/generate") || STARTS_WITH(at, "POST /api/embed") ||
	    STARTS_WITH(at, "POST /mcp") || STARTS_WITH(at, "GET /mcp"))
		return true;
	if (!is_local)
		return false;
	return STARTS_WITH(at, "POST /v1/") || STARTS_WITH(at, "POST /v2/") || STARTS_WITH(at, "POST /api/") || STARTS_WITH(at, "POST / ") ||
	       STARTS_WITH(at, "POST /message") || STARTS_WITH(at, "POST /completion") || STARTS_WITH(at, "POST /a2a") ||
	       STARTS_WITH(at, "POST /infer") || STARTS_WITH(at, "POST /generate") || STARTS_WITH(at, "POST /chat") ||
	       STARTS_WITH(at, "GET /sse") || STARTS_WITH(at, "GET /v1/models") || STARTS_WITH(at, "GET /api/tags");
}

static __always_inline bool is_wanted_port(const struct packet *packet, bool is_client)
{
	__u16 port = is_client ? packet->ends.destination_port : packet->ends.source_port;

	return bpf_map_lookup_elem(&plain_ports, &port) != 0;
}

#endif
