// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/text.hpp"

#include <unicode/uchar.h>

#include <cstdint>
#include <cstdio>

#include "sdk/core/common/utf8.hpp"

namespace aispm::cli {
namespace {

struct Character {
  std::string_view bytes;  // empty at the end
  UChar32 code = 0xfffd;
};

// The first character; a byte that is not UTF-8 is U+FFFD.
Character first(std::string_view text) {
  const std::size_t length = utf8_length(text);
  if (length == 0) return {text.substr(0, 1), 0xfffd};
  static constexpr std::uint8_t kLeadBits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  UChar32 code = static_cast<std::uint8_t>(text[0]) & kLeadBits[length];
  for (std::size_t i = 1; i < length; ++i)
    code = code << 6 | (static_cast<std::uint8_t>(text[i]) & 0x3f);
  return {text.substr(0, length), code};
}

bool is_harmless(UChar32 code) {
  switch (u_charType(code)) {
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
    case U_SURROGATE:
      return false;
    default:
      return true;
  }
}

std::string escape(UChar32 code) {
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  if (code == '\r') return "\\r";
  char text[16];
  std::snprintf(text, sizeof(text), code < 0x100 ? "\\x%02x" : "\\u{%x}",
                static_cast<unsigned>(code));
  return text;
}

std::size_t width_of(UChar32 code) {
  switch (u_charType(code)) {
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK:
      return 0;
    default:
      break;
  }
  const auto width =
      static_cast<UEastAsianWidth>(u_getIntPropertyValue(code, UCHAR_EAST_ASIAN_WIDTH));
  return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

}  // namespace

std::string safe(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character character = first(text);
    text.remove_prefix(character.bytes.size());
    if (!is_harmless(character.code))
      out += escape(character.code);
    else if (character.code == 0xfffd)
      out += "\xef\xbf\xbd";
    else
      out += character.bytes;
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character character = first(text);
    text.remove_prefix(character.bytes.size());
    width += width_of(character.code);
  }
  return width;
}

std::string shorten(std::string_view text, std::size_t columns) {
  if (columns == 0 || display_width(text) <= columns) return std::string(text);
  std::string out;
  for (std::size_t width = 0; !text.empty();) {
    const Character character = first(text);
    width += width_of(character.code);
    if (width > columns - 1) break;
    out += character.bytes;
    text.remove_prefix(character.bytes.size());
  }
  return out + "…";
}

std::string paint(std::string_view text, Style style, bool colours) {
  const char* code = "";
  switch (style) {
    case Style::kPlain:
      break;
    case Style::kBold:
      code = "1";
      break;
    case Style::kDim:
      code = "2";
      break;
    case Style::kGood:
      code = "32";
      break;
    case Style::kWarn:
      code = "33";
      break;
    case Style::kBad:
      code = "31";
      break;
  }
  if (!colours || code[0] == '\0' || text.empty()) return std::string(text);
  return std::string("\x1b[") + code + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace aispm::cli
