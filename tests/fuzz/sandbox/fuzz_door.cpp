// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>

#include "sandbox/supervise/door.hpp"

// The first byte chooses the door.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sandbox;
  if (size == 0) return 0;
  static const DoorPolicy kPolicy = {
      true,
      {*aispm::parse_host_rule("allowed.example"), *aispm::parse_host_rule("*.w.example:80")},
      {"api.openai.com"},
      "fuzz"};
  const auto door = static_cast<Door>(data[0] % 3);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Knock knock = decide(door, door == Door::kProxy ? "" : "allowed.example", bytes, kPolicy);
  if (knock.ask == Knock::Ask::kHost && !aispm::is_allowed(kPolicy.allow, knock.host)) std::abort();
  if (knock.ask == Knock::Ask::kRefused && knock.reason.empty()) std::abort();
  const std::string reply = refusal_bytes(door, knock);
  // Whatever was sent, the refusal is one reply: its head ends where its body begins.
  if (door != Door::kTls && reply.find("\r\n\r\n{") == std::string::npos) std::abort();
  (void)read_reply_head(bytes);
  return 0;
}
