// SPDX-License-Identifier: Apache-2.0
// First byte: side and extensions, second byte: step. However the bytes are cut the messages are
// the same; what is held stays bounded.
#include <cstdlib>
#include <string>

#include "sdk/core/codec/websocket.hpp"

namespace {

using namespace aispm::codec::websocket;

constexpr std::size_t kLimit = 4096;

std::string run(unsigned flags, std::string_view bytes, std::size_t step) {
  Reader reader((flags & 1) != 0 ? Sender::kClient : Sender::kServer,
                {.deflate = (flags & 2) != 0,
                 .client_no_context_takeover = (flags & 4) != 0,
                 .server_no_context_takeover = (flags & 4) != 0},
                kLimit);
  std::string log;
  while (!bytes.empty()) {
    const auto result = reader.feed(bytes.substr(0, step), [&](const Message& message) {
      log += std::to_string(static_cast<int>(message.kind)) + ":" + std::string(message.data) +
             ":" + std::to_string(message.close_code) + (message.is_whole ? "\n" : "!\n");
    });
    if (reader.held_bytes() > kLimit + kMaxControlBytes + 16) std::abort();
    if (!result) return log + "failed";
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (run(data[0], bytes, SIZE_MAX) != run(data[0], bytes, 1 + data[1] % 17)) std::abort();
  (void)read_extensions(bytes);
  return 0;
}
