// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

// What the readers of single formats share. Internal to codec.
namespace aispm::codec {

inline std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return at < bytes.size() ? static_cast<std::uint8_t>(bytes[at]) : 0;
}

inline std::uint32_t big_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8U | byte_at(bytes, at + i);
  return value;
}

inline std::uint32_t little_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i > 0; --i) value = value << 8U | byte_at(bytes, at + i - 1);
  return value;
}

// At most `size` bytes from `at` on.
inline std::string_view slice(std::string_view bytes, std::size_t at, std::size_t size) {
  return at < bytes.size() ? bytes.substr(at, size) : std::string_view{};
}

// Gathers what is readable of a file: runs of readable characters (UTF-8, or ASCII as UTF-16).
class MediaText {
 public:
  // At most `inflate_bytes` of all that is packed in the file are read.
  explicit MediaText(std::size_t inflate_bytes) : inflate_left_(inflate_bytes) {}

  // Appends what is readable in these bytes.
  void take(std::string_view bytes);
  // Appends what is known to be text, as one run.
  void take_words(std::string words);
  // A zlib stream; what comes before an error in it counts.
  void take_deflated(std::string_view bytes) { take(inflate(bytes)); }
  // The bytes of a zlib stream, as far as it can be read.
  std::string inflate(std::string_view bytes);
  std::size_t inflate_left() const { return inflate_left_; }

  // kTooLarge: there was more than kMaxMediaTextBytes, or too much to inflate.
  Result<std::string> finish() &&;

 private:
  void keep(std::string& run);

  std::string text_;
  std::size_t inflate_left_;
  bool is_full_ = false;
};

// Each appends what a file of its kinds says beside pixels and sound, reads on as text where the
// structure is broken, and says whether it was whole; false, and nothing appended: another kind.
bool read_picture(std::string_view bytes, MediaText& out);
bool read_sound(std::string_view bytes, MediaText& out);
// Of the first 12 bytes.
bool begins_as_sound(std::string_view bytes);
bool read_pdf(std::string_view bytes, MediaText& out);

}  // namespace aispm::codec
