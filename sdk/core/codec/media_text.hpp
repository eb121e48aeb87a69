// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

namespace aispm::codec {

// More text in one file is an error.
inline constexpr std::size_t kMaxMediaTextBytes = 1U << 20;
// Likewise all that is inflated of one file, and of the files that are judged together.
inline constexpr std::size_t kMaxInflatedMediaBytes = 8U << 20;
inline constexpr std::size_t kMaxInflatedTogetherBytes = 32U << 20;

struct MediaReading {
  // It has the structure of its kind up to its end, with pixels, sound or pages, and all of it is
  // base64: nothing in it is text but what `text` holds. A beginning alone makes no file: whoever
  // writes it could hide letters from the rules that read text.
  bool is_whole = false;
  // For whoever must judge it, a run a line; may hold noise.
  std::string text;
  std::size_t inflated_bytes = 0;  // that it took to read it
};

// What a file says beside its pixels and its sound: text chunks of PNG (inflated where compressed),
// EXIF, XMP, IPTC and comments of JPEG, GIF and WebP; tags of WAV, MP3, AAC, FLAC, Ogg and MP4; of
// PDF its objects, and of its pages what they show in fonts with Latin codes (fonts with codes of
// their own are not read); and what stands behind the end of each. Broken structure is read on as
// text, never passed over. Nothing for what is none of these. kTooLarge past the limits, of which
// `inflate_bytes` may be less for a file that is one of many.
Result<MediaReading> read_media(std::string_view bytes,
                                std::size_t inflate_bytes = kMaxInflatedMediaBytes);

// Likewise, of a file as APIs take it: base64 of either alphabet, padded or not, also within
// "data:...;base64,"; white space in it is passed over. kInvalid: begins as a picture or PDF, and
// is no base64 further on.
Result<MediaReading> read_encoded_media(std::string_view base64,
                                        std::size_t inflate_bytes = kMaxInflatedMediaBytes);

}  // namespace aispm::codec
