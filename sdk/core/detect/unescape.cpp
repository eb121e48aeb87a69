// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/unescape.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace aispm::detect {
namespace {

constexpr std::size_t kMaxEntityBytes = 10;
constexpr std::size_t kMaxSequenceBytes = 32;

struct Escape {
  std::size_t size = 0;  // bytes of the escape; 0 = none
  std::uint32_t value = 0;
  bool is_byte = false;  // a byte of UTF-8, else a code point
  Trick trick = Trick::kNone;
  bool is_nothing = false;  // stands for no character
};

// What a terminal or a browser shows nothing of: control characters but white space.
bool is_control(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  return (byte < 0x20 && (byte < '\t' || byte > '\r')) || byte == 0x7f;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Digits at `at`, between `least` and `most` of them; the count in `size`, 0 when there are fewer.
std::uint32_t read_number(std::string_view text, std::size_t at, unsigned base, std::size_t least,
                          std::size_t most, std::size_t& size) {
  std::uint32_t value = 0;
  size = 0;
  while (size < most && at + size < text.size()) {
    const int digit = hex_digit(text[at + size]);
    if (digit < 0 || static_cast<unsigned>(digit) >= base) break;
    value = value * base + static_cast<unsigned>(digit);
    ++size;
  }
  if (size < least) size = 0;
  return value;
}

Escape read_percent(std::string_view text) {
  std::size_t digits = 0;
  const std::uint32_t value = read_number(text, 1, 16, 2, 2, digits);
  if (digits == 0) return {};
  return {3, value, true, Trick::kPercent};
}

Escape read_backslash(std::string_view text) {
  if (text.size() < 4) return {};
  std::size_t digits = 0;
  if (text[1] >= '0' && text[1] <= '3') {
    const std::uint32_t value = read_number(text, 1, 8, 3, 3, digits);
    return digits == 0 ? Escape{} : Escape{4, value, true, Trick::kEscape};
  }
  if (text[1] == 'U') {
    const std::uint32_t value = read_number(text, 2, 16, 8, 8, digits);
    return digits == 0 || value > 0x10ffff ? Escape{} : Escape{10, value, false, Trick::kEscape};
  }
  if (text[1] != 'u' && text[1] != 'x') return {};
  if (text[1] == 'x') {
    const std::uint32_t value = read_number(text, 2, 16, 2, 2, digits);
    return digits == 0 ? Escape{} : Escape{4, value, true, Trick::kEscape};
  }
  if (text[2] == '{') {
    const std::uint32_t value = read_number(text, 3, 16, 1, 6, digits);
    if (digits == 0 || digits + 3 >= text.size() || text[digits + 3] != '}') return {};
    return {digits + 4, value, false, Trick::kEscape};
  }
  const std::uint32_t value = read_number(text, 2, 16, 4, 4, digits);
  if (digits == 0) return {};
  // A surrogate pair is two escapes that mean one character.
  if (value >= 0xd800 && value < 0xdc00 && text.substr(6, 2) == "\\u") {
    const std::uint32_t low = read_number(text, 8, 16, 4, 4, digits);
    if (digits == 4 && low >= 0xdc00 && low < 0xe000)
      return {12, 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00), false, Trick::kEscape};
  }
  return {6, value, false, Trick::kEscape};
}

struct Named {
  std::string_view name;
  std::uint32_t value;
};
constexpr Named kNamed[] = {{"lt;", '<'},    {"gt;", '>'},   {"amp;", '&'},     {"quot;", '"'},
                            {"apos;", '\''}, {"nbsp;", ' '}, {"sol;", '/'},     {"colon;", ':'},
                            {"comma;", ','}, {"excl;", '!'}, {"period;", '.'},  {"lowbar;", '_'},
                            {"Tab;", '\t'},  {"shy;", 0xad}, {"NewLine;", '\n'}};

Escape read_entity(std::string_view text) {
  text = text.substr(0, kMaxEntityBytes);
  if (text.size() < 4) return {};
  if (text[1] != '#') {
    for (const Named& entry : kNamed)
      if (text.substr(1).starts_with(entry.name))
        return {entry.name.size() + 1, entry.value, false, Trick::kEntity};
    return {};
  }
  const bool hex = text[2] == 'x' || text[2] == 'X';
  const std::size_t from = hex ? 3 : 2;
  std::size_t digits = 0;
  const std::uint32_t value = read_number(text, from, hex ? 16 : 10, 2, 7, digits);
  if (digits == 0) return {};
  const std::size_t end = from + digits;
  const bool closed = end < text.size() && text[end] == ';';
  return {end + (closed ? 1 : 0), value, false, Trick::kEntity};
}

// A control character, or the whole sequence of a terminal that it begins: ESC [ 1 ; 31 m.
Escape read_control(std::string_view text) {
  std::size_t size = 1;
  if (text.starts_with("\x1b[")) {
    const auto stands = [&](std::size_t at, char from, char to) {
      return at < text.size() && text[at] >= from && text[at] <= to;
    };
    std::size_t end = 2;
    while (end < kMaxSequenceBytes && stands(end, ' ', '?')) ++end;
    if (stands(end, '@', '~')) size = end + 1;
  }
  return {size, 0, true, Trick::kEscape, true};
}

Escape read_escape(std::string_view text, bool keeps_controls) {
  if (is_control(text.front())) return keeps_controls ? Escape{} : read_control(text);
  switch (text.front()) {
    case '%':
      return read_percent(text);
    case '\\':
      return read_backslash(text);
    case '&':
      return read_entity(text);
    default:
      return {};
  }
}

void append(std::string_view text, std::size_t from, Shadow& out) {
  out.text.append(text);
  for (std::size_t i = 0; i < text.size(); ++i)
    out.origin.push_back(
        {static_cast<std::uint32_t>(from + i), static_cast<std::uint32_t>(from + i + 1)});
}

void append(const Escape& escape, std::size_t at, Shadow& out) {
  if (escape.is_nothing) return;
  std::array<char, 4> bytes{};
  std::size_t size = 1;
  const std::uint32_t c = escape.value;
  const auto tail = [](std::uint32_t value) { return static_cast<char>(0x80 | (value & 0x3f)); };
  if (escape.is_byte || c < 0x80) {
    bytes[0] = static_cast<char>(c);
  } else if (c < 0x800) {
    bytes = {static_cast<char>(0xc0 | (c >> 6)), tail(c)};
    size = 2;
  } else if (c < 0x10000) {
    bytes = {static_cast<char>(0xe0 | (c >> 12)), tail(c >> 6), tail(c)};
    size = 3;
  } else {
    bytes = {static_cast<char>(0xf0 | ((c >> 18) & 7)), tail(c >> 12), tail(c >> 6), tail(c)};
    size = 4;
  }
  out.text.append(bytes.data(), size);
  for (std::size_t i = 0; i < size; ++i)
    out.origin.push_back(
        {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + escape.size)});
}

// The next byte that may begin an escape.
std::size_t find_start(std::string_view text, std::size_t from) {
  const auto starts = [](char c) { return c == '%' || c == '\\' || c == '&' || is_control(c); };
  const auto found =
      std::find_if(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), starts);
  return static_cast<std::size_t>(found - text.begin());
}

// Whether there are kMinEscapes at all, or one control character; three passes of memchr are
// cheaper than one of our own, and the fourth has no branches.
bool has_enough(std::string_view text, bool keeps_controls) {
  if (!keeps_controls && count_controls(text) != 0) return true;
  std::size_t count = 0;
  for (const char start : {'%', '\\', '&'}) {
    for (auto at = text.find(start); at != std::string_view::npos; at = text.find(start, at + 1))
      if (read_escape(text.substr(at), true).size != 0 && ++count >= kMinEscapes) return true;
  }
  return false;
}

}  // namespace

std::size_t count_controls(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += is_control(c) ? 1U : 0U;
  return count;
}

Trick unescape(std::string_view text, Shadow& out, bool keeps_controls) {
  if (!has_enough(text, keeps_controls)) return Trick::kNone;
  out.clear();
  std::array<std::size_t, 3> counts{};
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = find_start(text, at);
    append(text.substr(at, next - at), at, out);
    if (next >= text.size()) break;
    const Escape escape = read_escape(text.substr(next), keeps_controls);
    if (escape.size == 0) {
      append(text.substr(next, 1), next, out);
      at = next + 1;
      continue;
    }
    append(escape, next, out);
    ++counts[static_cast<std::size_t>(escape.trick) - static_cast<std::size_t>(Trick::kPercent)];
    at = next + escape.size;
  }
  if (out.text.empty()) return Trick::kNone;
  const auto most = std::max_element(counts.begin(), counts.end()) - counts.begin();
  return static_cast<Trick>(static_cast<std::size_t>(Trick::kPercent) +
                            static_cast<std::size_t>(most));
}

}  // namespace aispm::detect
