// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "gateway/proxy/dialect.hpp"
#include "sdk/core/codec/http1.hpp"

namespace aispm::gateway {

// Headers pass by allow-list, both ways: everything else, credentials, cookies and forwarding
// headers first of all, stays here.

// Appends the client's header lines that the provider may see.
void append_request_headers(Dialect dialect, std::span<const codec::http1::Header> headers,
                            std::string& out);
// Appends the provider's header lines that the client may see (no framing, no connection headers).
void append_reply_headers(std::span<const codec::http1::Header> headers, std::string& out);

// The key a client presents: `x-api-key`, `x-goog-api-key`, `api-key` (Azure's clients), or
// `Authorization: Bearer`. Empty when there is none; also when two are there and differ, since they
// would name two agents.
std::string_view presented_key(const codec::http1::Head& head);

// The name of a header that says who asks or in which session or chain (keys, x-aispm-session,
// x-correlation-id) and is there twice with different values, since each reader could choose
// another; "" = none.
std::string_view find_doubled_identity(const codec::http1::Head& head);

// `traceparent` of W3C trace context version 00. Views into `value`.
struct TraceParent {
  std::string_view trace_id;
  std::string_view parent_id;
};
bool parse_traceparent(std::string_view value, TraceParent& parent);

}  // namespace aispm::gateway
