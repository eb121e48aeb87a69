// SPDX-License-Identifier: Apache-2.0
// First byte: step, second: where a hole is. However the bytes are cut, the messages are the same.
#include <cstdlib>
#include <string>

#include "sdk/core/codec/eventstream.hpp"

namespace {

std::string run(std::string_view bytes, std::size_t step, std::size_t hole) {
  aispm::codec::EventStreamParser parser(4096);
  std::string log;
  std::size_t at = 0;
  while (!bytes.empty()) {
    std::size_t size = std::min(step, bytes.size());
    if (at < hole && at + size > hole) size = hole - at;
    parser.feed(bytes.substr(0, size));
    bytes.remove_prefix(size);
    at += size;
    for (;;) {
      const auto message = parser.next();
      if (!message) return log + "failed";
      if (!*message) break;
      log += std::string((*message)->message_type) + std::string((*message)->name) +
             std::string((*message)->payload) + "\n";
    }
    if (at == hole) parser.skip();
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t step = 1 + data[0] % 31;
  const std::size_t hole = data[1] == 0 ? SIZE_MAX : data[1];
  if (run(bytes, SIZE_MAX, hole) != run(bytes, step, hole)) std::abort();
  return 0;
}
