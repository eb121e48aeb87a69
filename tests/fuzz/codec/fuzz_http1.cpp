// SPDX-License-Identifier: Apache-2.0
// One stream read whole and read in pieces must give the same bodies and the same verdict. Byte 0
// chooses the role, byte 1 the piece size.
#include <cstdlib>
#include <string>

#include "sdk/core/codec/http1.hpp"

namespace {

using namespace aispm::codec::http1;

std::string read_stream(HeadParser::Role role, std::string_view bytes, std::size_t step) {
  HeadParser parser(role);
  BodyReader body;
  std::string log;
  std::string buffer;
  bool in_body = false;
  while (!bytes.empty()) {
    buffer.append(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    std::string_view left = buffer;
    for (;;) {
      if (!in_body) {
        const auto head = parser.parse(left, "POST");
        if (!head) return log + "!";
        if (!*head) break;
        if ((*head)->size_bytes > left.size()) std::abort();
        log += "[" + std::string((*head)->method) + std::to_string((*head)->status) + "]";
        body = BodyReader(**head);
        left.remove_prefix((*head)->size_bytes);
        in_body = true;
      }
      while (!body.done() && !left.empty()) {
        const auto slice = body.next(left);
        if (!slice) return log + "!";
        if (slice->consumed == 0 || slice->consumed > left.size()) std::abort();
        log += slice->data;
        left.remove_prefix(slice->consumed);
      }
      if (!body.done()) break;
      in_body = false;
    }
    buffer.erase(0, buffer.size() - left.size());
    if (!in_body) parser.reset();
  }
  return log + ((in_body && !body.finish()) ? "?" : ".");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto role = (data[0] & 1) != 0 ? HeadParser::Role::kRequest : HeadParser::Role::kReply;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (read_stream(role, bytes, SIZE_MAX) != read_stream(role, bytes, 1 + data[1] % 37))
    std::abort();
  return 0;
}
