// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/json_edit.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "sdk/core/codec/json_unescape.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::codec {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append_escaped(char c, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default: {
      const auto byte = static_cast<unsigned char>(c);
      out += "\\u00";
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
}

bool needs_escape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

// ASCII that stands for itself in a JSON string.
bool is_plain(char c) { return !needs_escape(c) && static_cast<unsigned char>(c) < 0x80; }

// Reads four hex digits at `text`; -1 when they are not.
std::int32_t read_hex4(std::string_view text) {
  if (text.size() < 4) return -1;
  std::int32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const char c = text[i];
    const char l = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      value = value * 16 + (c - '0');
    } else if (l >= 'a' && l <= 'f') {
      value = value * 16 + (l - 'a' + 10);
    } else {
      return -1;
    }
  }
  return value;
}

char* write_utf8(std::uint32_t point, char* out) {
  const auto put = [&](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | (point >> 6));
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3F));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  }
  return out;
}

// `rest` begins after "\u". Writes the code point and returns the bytes of `rest` used, 0 when it
// is not valid.
std::size_t decode_unicode(std::string_view rest, char*& out) {
  const std::int32_t high = read_hex4(rest);
  if (high < 0 || (high >= 0xDC00 && high <= 0xDFFF)) return 0;
  if (high < 0xD800 || high > 0xDBFF) {
    out = write_utf8(static_cast<std::uint32_t>(high), out);
    return 4;
  }
  if (rest.size() < 10 || rest[4] != '\\' || rest[5] != 'u') return 0;
  const std::int32_t low = read_hex4(rest.substr(6));
  if (low < 0xDC00 || low > 0xDFFF) return 0;
  out = write_utf8(0x10000U + (static_cast<std::uint32_t>(high - 0xD800) << 10) +
                       static_cast<std::uint32_t>(low - 0xDC00),
                   out);
  return 10;
}

}  // namespace

std::optional<std::size_t> unescape_into(std::string_view content, char* out) {
  char* const begin = out;
  std::size_t i = 0;
  while (i < content.size()) {
    const void* found = std::memchr(content.data() + i, '\\', content.size() - i);
    const std::size_t plain =
        found == nullptr
            ? content.size() - i
            : static_cast<std::size_t>(static_cast<const char*>(found) - content.data()) - i;
    std::memcpy(out, content.data() + i, plain);
    out += plain;
    i += plain;
    if (i == content.size()) break;
    if (i + 1 == content.size()) return std::nullopt;
    static constexpr std::string_view kNames = "\"\\/bfnrt";
    static constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
    const char name = content[i + 1];
    i += 2;
    if (name == 'u') {
      const std::size_t used = decode_unicode(content.substr(i), out);
      if (used == 0) return std::nullopt;
      i += used;
    } else {
      const std::size_t at = kNames.find(name);
      if (at == std::string_view::npos) return std::nullopt;
      *out++ = kBytes[at];
    }
  }
  return static_cast<std::size_t>(out - begin);
}

std::optional<std::string> mend_surrogates(std::string_view json) {
  constexpr std::size_t kEscape = 6;  // bytes of \uXXXX
  std::optional<std::string> mended;
  const auto half_at = [&](std::size_t at) -> std::int32_t {
    const bool is_escape = json.substr(at, 2) == "\\u";
    const std::int32_t unit = is_escape ? read_hex4(json.substr(at + 2)) : -1;
    return unit >= 0xD800 && unit <= 0xDFFF ? unit : -1;
  };
  for (std::size_t at = json.find('\\'); at < json.size(); at = json.find('\\', at)) {
    const std::int32_t half = half_at(at);
    const bool is_pair =
        half >= 0 && half < 0xDC00 && at + kEscape < json.size() && half_at(at + kEscape) >= 0xDC00;
    if (half >= 0 && !is_pair) {
      if (!mended) mended.emplace(json);
      mended->replace(at, kEscape, "\\ufffd");
    }
    at += is_pair ? 2 * kEscape : half >= 0 ? kEscape : 2;
  }
  return mended;
}

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

std::string json_string(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8 + 2);
  out.push_back('"');
  std::size_t i = 0;
  while (i < text.size()) {
    std::size_t end = i;
    while (end < text.size() && is_plain(text[end])) ++end;
    out.append(text.substr(i, end - i));
    i = end;
    if (i == text.size()) break;
    const char c = text[i];
    if (needs_escape(c)) {
      append_escaped(c, out);
      ++i;
      continue;
    }
    const std::size_t length = utf8_length(text.substr(i));
    out.append(length > 0 ? text.substr(i, length) : kReplacement);
    i += length > 0 ? length : 1;
  }
  out.push_back('"');
  return out;
}

Result<std::string> json_unescape(std::string_view token) {
  const auto bad = [] { return fail(Errc::kInvalid, "not a JSON string"); };
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return bad();
  const std::string_view content = token.substr(1, token.size() - 2);
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (static_cast<unsigned char>(content[i]) < 0x20 || content[i] == '"') return bad();
    if (content[i] == '\\') ++i;  // the escaped byte is judged below
  }
  if (find_invalid_utf8(content) != std::string_view::npos) return bad();
  std::string text(content.size(), '\0');
  const auto size = unescape_into(content, text.data());
  if (!size) return bad();
  text.resize(*size);
  return text;
}

JsonPatch string_patch(JsonSpan span, std::string_view text) { return {span, json_string(text)}; }

Result<std::string> apply_patches(std::string_view document, std::vector<JsonPatch> patches) {
  std::stable_sort(
      patches.begin(), patches.end(),
      [](const JsonPatch& left, const JsonPatch& right) { return left.span < right.span; });
  std::size_t size = document.size();
  std::size_t at = 0;
  for (const JsonPatch& patch : patches) {
    if (patch.span.begin < at || patch.span.end < patch.span.begin ||
        patch.span.end > document.size())
      return fail(Errc::kInvalid, "json patch: span out of order or out of the document");
    at = patch.span.end;
    size += patch.json.size();
  }
  std::string out;
  out.reserve(size);
  at = 0;
  for (const JsonPatch& patch : patches) {
    out.append(document.substr(at, patch.span.begin - at));
    out.append(patch.json);
    at = patch.span.end;
  }
  out.append(document.substr(at));
  return out;
}

}  // namespace aispm::codec
