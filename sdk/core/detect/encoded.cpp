// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/encoded.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace aispm::detect {
namespace {

constexpr std::uint8_t kNone = 0xff;

constexpr std::array<std::uint8_t, 256> make_base64() {
  std::array<std::uint8_t, 256> values{};
  for (auto& value : values) value = kNone;
  for (unsigned i = 0; i < 26; ++i) {
    values['A' + i] = static_cast<std::uint8_t>(i);
    values['a' + i] = static_cast<std::uint8_t>(26 + i);
  }
  for (unsigned i = 0; i < 10; ++i) values['0' + i] = static_cast<std::uint8_t>(52 + i);
  values['+'] = values['-'] = 62;
  values['/'] = values['_'] = 63;
  return values;
}
constexpr auto kBase64 = make_base64();

std::uint8_t base64_value(char c) { return kBase64[static_cast<std::uint8_t>(c)]; }

std::uint8_t hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return kNone;
}

bool decode_hex(std::string_view run, std::string& out) {
  if (run.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < run.size(); i += 2) {
    const std::uint8_t high = hex_value(run[i]);
    const std::uint8_t low = hex_value(run[i + 1]);
    if (high == kNone || low == kNone) return false;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

void decode_base64(std::string_view run, std::string& out) {
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : run) {
    bits = (bits << 6) | base64_value(c);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>((bits >> count) & 0xff));
  }
}

// At least nine of ten bytes are text.
bool is_mostly_text(std::string_view text) {
  const auto strange = std::count_if(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte >= 0x7f;
  });
  return !text.empty() && static_cast<std::size_t>(strange) * 10 <= text.size();
}

}  // namespace

std::optional<EncodedRun> find_encoded_run(std::string_view text, std::size_t from) {
  // A run that is long enough covers a multiple of its minimum, so most bytes are never looked at.
  for (std::size_t probe = from + kMinEncodedRun - 1; probe < text.size();) {
    if (base64_value(text[probe]) == kNone) {
      probe += kMinEncodedRun;
      continue;
    }
    std::size_t begin = probe;
    while (begin > from && base64_value(text[begin - 1]) != kNone) --begin;
    std::size_t end = probe + 1;
    while (end < text.size() && base64_value(text[end]) != kNone) ++end;
    if (end - begin >= kMinEncodedRun) return EncodedRun{begin, end - begin};
    probe = end + kMinEncodedRun;
  }
  return std::nullopt;
}

bool decode_run(std::string_view run, std::string& out) {
  out.clear();
  if (!decode_hex(run, out)) {
    out.clear();
    decode_base64(run, out);
  }
  return is_mostly_text(out);
}

}  // namespace aispm::detect
