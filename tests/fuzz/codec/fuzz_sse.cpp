// SPDX-License-Identifier: Apache-2.0
// However a stream is cut, its events are the same and their raw bytes put together are the stream.
#include <cstdlib>
#include <string>

#include "sdk/core/codec/sse.hpp"

namespace {

struct Outcome {
  std::string events;
  std::string raw;
  bool failed = false;
};

void note(const aispm::codec::SseEvent& event, Outcome& outcome) {
  outcome.raw += event.raw;
  if (event.single_line && event.raw.substr(event.data_offset, event.data.size()) != event.data)
    std::abort();
  if (event.has_data)
    outcome.events += std::string(event.event) + "|" + std::string(event.data) + "|" +
                      std::string(event.id.value_or("-")) + "\n";
}

Outcome run(std::string_view bytes, std::size_t step) {
  aispm::codec::SseParser parser(4096);
  Outcome outcome;
  while (!bytes.empty()) {
    parser.feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    for (;;) {
      const auto event = parser.next();
      if (!event) outcome.failed = true;
      if (!event || !*event) break;
      note(**event, outcome);
    }
  }
  const auto last = parser.finish();
  if (last && *last) note(**last, outcome);
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = run(bytes, SIZE_MAX);
  const Outcome pieces = run(bytes, 1 + data[0] % 29);
  if (whole.failed || pieces.failed) return 0;
  if (whole.events != pieces.events || whole.raw != bytes || pieces.raw != bytes) std::abort();
  return 0;
}
