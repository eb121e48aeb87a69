// SPDX-License-Identifier: Apache-2.0
// However a stream is cut, lines and array elements are the same.
#include <cstdlib>
#include <string>

#include "sdk/core/codec/json_array.hpp"
#include "sdk/core/codec/line_framer.hpp"

namespace {

std::string lines(std::string_view bytes, std::size_t step) {
  aispm::codec::LineFramer framer(64);
  std::string out;
  while (!bytes.empty()) {
    framer.feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    while (const auto line = framer.next()) out += std::string(*line) + "\n";
    if (framer.held_bytes() > 64 + 64) std::abort();
  }
  if (const auto line = framer.finish()) out += std::string(*line) + "\n";
  return out + std::to_string(framer.dropped_lines());
}

std::string elements(std::string_view bytes, std::size_t step) {
  aispm::codec::JsonArraySplitter splitter(64);
  std::string out;
  while (!bytes.empty()) {
    splitter.feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    for (;;) {
      const auto element = splitter.next();
      if (!element) return out + "failed";
      if (!*element) break;
      out += std::string(**element) + "@" + std::to_string(splitter.element_offset()) + "\n";
    }
  }
  return out + (splitter.ended() ? "ended" : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = 1 + data[0] % 29;
  if (elements(bytes, step) != elements(bytes, SIZE_MAX)) std::abort();
  if (lines(bytes, step) != lines(bytes, 64)) std::abort();
  return 0;
}
