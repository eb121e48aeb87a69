// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sandbox/supervise/gateway_link.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto reply = aispm::sandbox::parse_reply(bytes);
  if (reply && (reply->status < 0 || reply->status > 999 || reply->body.size() > size))
    std::abort();
  if (aispm::sandbox::find_json_text(bytes, "agent_id").size() > size) std::abort();
  return 0;
}
