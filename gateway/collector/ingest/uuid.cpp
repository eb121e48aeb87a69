// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/uuid.hpp"

namespace aispm::collector {

std::optional<EventId> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  EventId id{};
  std::size_t nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return std::nullopt;
      continue;
    }
    int value = 0;
    if (c >= '0' && c <= '9')
      value = c - '0';
    else if (c >= 'a' && c <= 'f')
      value = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
      value = c - 'A' + 10;
    else
      return std::nullopt;
    id[nibble / 2] = static_cast<char>(
        (nibble % 2 == 0) ? value << 4 : static_cast<unsigned char>(id[nibble / 2]) | value);
    ++nibble;
  }
  return id;
}

std::string format_uuid(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[static_cast<unsigned char>(bytes[i]) >> 4];
    text += kHex[static_cast<unsigned char>(bytes[i]) & 15];
  }
  return text;
}

}  // namespace aispm::collector
