// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/media_text.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include "sdk/core/codec/base64.hpp"
#include "sdk/core/codec/content_decoder.hpp"
#include "sdk/core/codec/media_reader.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::codec {
namespace {

// Shorter runs are chance.
constexpr std::size_t kMinRunBytes = 6;

std::size_t readable_at(std::string_view bytes, std::size_t at) {
  const std::uint8_t byte = byte_at(bytes, at);
  if (byte == '\n' || byte == '\r' || byte == '\t') return 1;
  if (byte < 0x20 || byte == 0x7f) return 0;
  return byte < 0x80 ? 1 : utf8_length(bytes.substr(at, 4));
}

// The other half of a letter in UTF-16: a NUL with another one two bytes before or after.
bool is_wide_gap(std::string_view bytes, std::size_t at) {
  if (bytes[at] != '\0') return false;
  const auto is_nul = [&](std::size_t where) {
    return where < bytes.size() && bytes[where] == '\0';
  };
  return (at >= 2 && is_nul(at - 2) && !is_nul(at - 1)) || (is_nul(at + 2) && !is_nul(at + 1));
}

// The first letters of pictures and PDF in base64, whatever follows them; JPEG's in both alphabets.
bool may_be_shown(std::string_view base64) {
  constexpr std::array<std::string_view, 6> kBegins = {"iVBORw0KGg", "/9j/",  "_9j_",
                                                       "R0lGOD",     "UklGR", "JVBERi"};
  return std::any_of(kBegins.begin(), kBegins.end(),
                     [&](std::string_view begin) { return base64.starts_with(begin); });
}

std::string_view without_url_head(std::string_view base64) {
  if (base64.starts_with("data:"))
    base64.remove_prefix(std::min(base64.find(',') + 1, base64.size()));
  return base64;
}

// Base64 of either alphabet, padded or not.
std::optional<std::string> decode_any(std::string text) {
  while (text.ends_with('=')) text.pop_back();
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  if (text.size() % 4 == 1) text.pop_back();
  text.append((4 - text.size() % 4) % 4, '=');
  return base64_decode(text);
}

// Sounds are told by their first bytes; most base64 is none.
bool may_be_heard(const std::string& base64) {
  constexpr std::size_t kHead = 16;
  const auto head = decode_any(base64.substr(0, kHead));
  return head && begins_as_sound(*head);
}

}  // namespace

void MediaText::take(std::string_view bytes) {
  std::string run;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = readable_at(bytes, at);
    if (size > 0) {
      run.append(bytes, at, size);
      at += size;
    } else {
      if (!is_wide_gap(bytes, at)) keep(run);
      ++at;
    }
  }
  keep(run);
}

void MediaText::take_words(std::string words) { keep(words); }

std::string MediaText::inflate(std::string_view bytes) {
  std::string plain;
  ContentDecoder decoder(ContentCoding::kDeflate, {.max_bytes = inflate_left_});
  const auto fed = decoder.feed(bytes, [&](std::string_view piece) { plain += piece; });
  is_full_ = is_full_ || (!fed && fed.error().code == Errc::kTooLarge);
  inflate_left_ -= std::min(plain.size(), inflate_left_);
  return plain;
}

Result<std::string> MediaText::finish() && {
  if (is_full_)
    return fail(Errc::kTooLarge, "a file with more than " + std::to_string(kMaxMediaTextBytes) +
                                     " bytes of text, or too much packed data");
  return std::move(text_);
}

void MediaText::keep(std::string& run) {
  if (run.size() >= kMinRunBytes) {
    is_full_ = is_full_ || text_.size() + run.size() > kMaxMediaTextBytes;
    if (!is_full_) text_.append(run).push_back('\n');
  }
  run.clear();
}

Result<MediaReading> read_media(std::string_view bytes, std::size_t inflate_bytes) {
  inflate_bytes = std::min(inflate_bytes, kMaxInflatedMediaBytes);
  MediaText out(inflate_bytes);
  MediaReading reading;
  reading.is_whole = read_picture(bytes, out) || read_sound(bytes, out) || read_pdf(bytes, out);
  reading.inflated_bytes = inflate_bytes - out.inflate_left();
  AISPM_TRY(reading.text, std::move(out).finish());
  return reading;
}

Result<MediaReading> read_encoded_media(std::string_view base64, std::size_t inflate_bytes) {
  base64 = without_url_head(base64);
  // Many decoders pass over line breaks, so they hide nothing from us.
  std::string text;
  text.reserve(base64.size());
  std::copy_if(base64.begin(), base64.end(), std::back_inserter(text),
               [](char c) { return static_cast<unsigned char>(c) > ' '; });
  const bool is_shown = may_be_shown(text);
  if (!is_shown && !may_be_heard(text)) return MediaReading{};
  const std::size_t letters = text.find_last_not_of('=') + 1;
  const bool is_plain = text.size() == base64.size() && letters % 4 != 1;
  const auto bytes = decode_any(std::move(text));
  if (!bytes && !is_shown) return MediaReading{};
  // Others may read it all the same.
  if (!bytes) return fail(Errc::kInvalid, "a file in base64 that cannot be read");
  AISPM_TRY(MediaReading reading, read_media(*bytes, inflate_bytes));
  reading.is_whole = reading.is_whole && is_plain;
  return reading;
}

}  // namespace aispm::codec
