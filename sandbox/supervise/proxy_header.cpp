// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/proxy_header.hpp"

#include <string_view>

namespace aispm::sandbox {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

void append_size(std::string& text, std::size_t size) {
  text += static_cast<char>(size >> 8 & 0xFF);
  text += static_cast<char>(size & 0xFF);
}

void append_tlv(std::string& text, unsigned char type, const std::string& value) {
  if (value.empty()) return;
  text += static_cast<char>(type);
  append_size(text, value.size());
  text += value;
}

}  // namespace

std::string make_proxy_header(Speaker speaker, const std::string& session_id,
                              const std::string& agent, const std::string& trace_id,
                              const HeaderExtras& extras) {
  std::string tlvs;
  append_tlv(tlvs, 0xE0, session_id);
  append_tlv(tlvs, 0xE1, agent);
  append_tlv(tlvs, 0xE2, trace_id);
  append_tlv(tlvs, 0xE3, extras.egress_host);
  for (const ParentRun& parent : extras.parents)
    append_tlv(tlvs, 0xE4, parent.session_id + " " + parent.agent);
  append_tlv(tlvs, 0xE5, extras.parent_session);
  std::string header(kSignature);
  header += speaker == Speaker::kAgent ? '\x21' : '\x20';
  header += '\0';  // AF_UNSPEC
  append_size(header, tlvs.size());
  return header + tlvs;
}

}  // namespace aispm::sandbox
