// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/net/proxy_header.hpp"

// A header is read from any bytes without crashing, never asks for more than its limit, and means
// the same however it arrives.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = aispm::net::parse_proxy_header(bytes);
  if (!whole) return 0;
  if (!*whole) {
    if (size >= aispm::net::kMaxProxyHeaderBytes) std::abort();
    return 0;
  }
  if ((*whole)->size_bytes > size) std::abort();
  for (std::size_t cut = 0; cut < (*whole)->size_bytes; ++cut) {
    const auto part = aispm::net::parse_proxy_header(bytes.substr(0, cut));
    if (part && *part) std::abort();
  }
  const auto& header = (*whole)->header;
  if (!header.agent.empty() && !aispm::net::is_agent_name(header.agent)) std::abort();
  if (!header.session_id.empty() && !aispm::net::is_uuid(header.session_id)) std::abort();
  return 0;
}
