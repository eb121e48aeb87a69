// SPDX-License-Identifier: Apache-2.0
// A first byte says how the connection was joined; then [side, hole, length] bytes over and over.
// However the bytes are cut the events are the same, and memory stays bounded.
#include <cstdlib>
#include <string>

#include "sdk/core/codec/http2.hpp"

namespace {

using namespace aispm::codec::http2;

std::string run(std::string_view input, std::size_t step) {
  Observer observer((input[0] & 1) != 0);
  input.remove_prefix(1);
  std::string log;
  const auto sink = [&](const Event& event) {
    const std::string where = std::to_string(static_cast<int>(event.kind)) + "/" +
                              std::to_string(event.stream) + "/" +
                              std::to_string(static_cast<int>(event.from)) + ":";
    if (event.kind == Event::Kind::kData) {
      // Cuts show in data events only by their number.
      const std::size_t last = log.rfind('\n', log.size() - 1 - (log.empty() ? 0 : 1));
      const std::string_view line =
          std::string_view(log).substr(last == std::string::npos ? 0 : last + 1);
      if (line.starts_with(where)) {
        log.pop_back();
      } else {
        log += where;
      }
      for (const char c : event.data) log.push_back(c == '\n' ? ' ' : c);
      log += "\n";
      return;
    }
    log += where + std::to_string(event.lost_bytes) + "," + std::to_string(event.error_code);
    if (event.head != nullptr)
      for (const Field& field : event.head->fields)
        log += " " + std::to_string(field.name.size()) + "=" + std::to_string(field.value.size());
    log += "\n";
  };
  while (input.size() >= 2) {
    const Side side = (input[0] & 1) != 0 ? Side::kClient : Side::kServer;
    if ((input[0] & 2) != 0) observer.skip(side, static_cast<unsigned char>(input[1]), sink);
    std::string_view bytes = input.substr(2, static_cast<unsigned char>(input[1]) * 4U);
    input.remove_prefix(2 + bytes.size());
    while (!bytes.empty()) {
      (void)observer.feed(side, bytes.substr(0, step), sink);
      bytes.remove_prefix(std::min(step, bytes.size()));
    }
    if (observer.held_bytes() > 2 * kMaxHeaderBlockBytes || observer.stream_count() > kMaxStreams)
      std::abort();
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (run(input, SIZE_MAX) != run(input, 1 + data[1] % 13)) std::abort();
  (void)likeness(Side::kClient, input);
  (void)likeness(Side::kServer, input);
  return 0;
}
