// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>

#include "gateway/proxy/egress/egress_request.hpp"

// Whatever an agent or a host sends: what is forwarded is one head that a strict parser reads
// again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm;
  using codec::http1::HeadParser;
  const HostPort host{"allowed.example", 80};
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  HeadParser parser(HeadParser::Role::kRequest);
  if (const auto head = parser.parse(bytes); head && *head) {
    const auto checked = gateway::check_request(**head, host);
    if (checked && (*head)->method != "CONNECT") {
      const std::string forwarded = gateway::forward_head(**head, host) + "\r\n";
      HeadParser again(HeadParser::Role::kRequest);
      const auto second = again.parse(forwarded);
      if (!second || !*second || (*second)->size_bytes != forwarded.size() ||
          (*second)->host != "allowed.example" || (*second)->body != codec::http1::BodyKind::kNone)
        std::abort();
    }
  }
  HeadParser replies(HeadParser::Role::kReply);
  if (const auto head = replies.parse(bytes, "GET"); head && *head) {
    const std::string forwarded = gateway::reply_head(**head) + "\r\n";
    if (forwarded.find("\r\n\r\n") != forwarded.size() - 4) std::abort();
  }
  (void)gateway::check_hello(bytes, host);
  return 0;
}
