// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gateway/proxy/header_policy.hpp"
#include "gateway/proxy/route.hpp"
#include "sdk/core/codec/http1.hpp"

// What is forwarded of any request can never hold a line end of the client's making, a credential,
// or an unknown path.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm;
  codec::http1::HeadParser parser(codec::http1::HeadParser::Role::kRequest);
  const auto parsed = parser.parse({reinterpret_cast<const char*>(data), size});
  if (!parsed || !*parsed) return 0;
  const codec::http1::Head& head = **parsed;
  const gateway::Route route =
      gateway::find_route(head.method, head.target, head.find("anthropic-version").has_value());
  const bool forwarded =
      route.kind == gateway::RouteKind::kLlm || route.kind == gateway::RouteKind::kModels;
  if (forwarded && !route.path.starts_with("/v1/")) std::abort();
  if (forwarded && (route.query.find_first_of("\r\n %#") != std::string_view::npos)) std::abort();
  std::string lines;
  gateway::append_request_headers(route.dialect, head.headers, lines);
  std::size_t count = 0;
  for (std::size_t at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at + 1)) {
    if (at == 0 || lines[at - 1] != '\r') std::abort();
    ++count;
  }
  if (count > head.headers.size() + 1) std::abort();
  if (gateway::presented_key(head).find_first_of("\r\n") != std::string_view::npos) std::abort();
  gateway::TraceParent parent;
  (void)gateway::parse_traceparent(head.find("traceparent").value_or(std::string_view{}), parent);
  return 0;
}
