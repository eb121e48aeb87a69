// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/codec/http1.hpp"
#include "sdk/core/common/host_rule.hpp"

// What a sandboxed agent may ask of a host besides the models, as bytes: pure. Aims at one request
// being one upstream request, whoever reads it.
namespace aispm::gateway {

// True when the request is for a proxy: CONNECT, or an absolute address.
bool is_proxy_request(const codec::http1::Head& head);

// Checks that the request is for `announced`, the host that aispm-run has opened the connection
// for, in its target and its Host. kInvalid says what disagrees.
Result<> check_request(const codec::http1::Head& head, const HostPort& announced);

// The request's head for the upstream, without framing and empty line: its path, the one Host, and
// the headers that are meant for the far end. `Connection: close`, so that nothing follows.
std::string forward_head(const codec::http1::Head& head, const HostPort& host);
// The reply's head for the agent, without framing and empty line.
std::string reply_head(const codec::http1::Head& head);

// First bytes of a tunnel: a TLS ClientHello that names `host`, and only it, in the open.
struct HelloCheck {
  enum class State { kMore, kGood, kBad };
  State state = State::kMore;
  std::string reason;
};
HelloCheck check_hello(std::string_view bytes, const HostPort& host);

// The whole reply of a refusal. `reason` goes into reason phrase, header and body; with `is_denied`
// the AISPM-Denied header tells aispm-run that this was decided, not that something failed.
std::string egress_refusal(int status, const HostPort& host, std::string_view reason,
                           bool is_denied);

}  // namespace aispm::gateway
