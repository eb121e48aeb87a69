// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace aispm {
namespace {

bool in_range(std::string_view text, std::size_t at, std::uint8_t low, std::uint8_t high) {
  if (at >= text.size()) return false;
  const auto byte = static_cast<std::uint8_t>(text[at]);
  return byte >= low && byte <= high;
}

}  // namespace

// Eight bytes at a time: nearly every text is ASCII to its end.
bool is_ascii(std::string_view bytes) {
  std::uint64_t seen = 0;
  std::uint64_t word = 0;
  for (; bytes.size() >= sizeof word; bytes.remove_prefix(sizeof word)) {
    std::memcpy(&word, bytes.data(), sizeof word);
    seen |= word;
  }
  for (const char c : bytes) seen |= static_cast<std::uint8_t>(c);
  return (seen & 0x8080808080808080U) == 0;
}

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<std::uint8_t>(text[0]);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return in_range(text, 1, 0x80, 0xbf) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const std::uint8_t low = lead == 0xe0 ? 0xa0 : 0x80;
    const std::uint8_t high = lead == 0xed ? 0x9f : 0xbf;
    return in_range(text, 1, low, high) && in_range(text, 2, 0x80, 0xbf) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const std::uint8_t low = lead == 0xf0 ? 0x90 : 0x80;
    const std::uint8_t high = lead == 0xf4 ? 0x8f : 0xbf;
    const bool well_formed = in_range(text, 1, low, high) && in_range(text, 2, 0x80, 0xbf) &&
                             in_range(text, 3, 0x80, 0xbf);
    return well_formed ? 4 : 0;
  }
  return 0;
}

std::string to_utf8(std::string_view bytes) {
  if (is_ascii(bytes)) return std::string(bytes);
  std::string text;
  text.reserve(bytes.size() + 8);
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0)
      text += "\xef\xbf\xbd";
    else
      text += bytes.substr(0, length);
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

bool cut_utf8(std::string& text, std::size_t limit_bytes) {
  if (text.size() <= limit_bytes) return false;
  std::size_t end = limit_bytes;
  // A character has at most three bytes after its first.
  for (int i = 0; i < 3 && end > 0 && (static_cast<std::uint8_t>(text[end]) & 0xc0) == 0x80; ++i)
    --end;
  text.resize(end);
  return true;
}

}  // namespace aispm
