// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

namespace aispm::codec {

// More text beside one picture's pixels is an error.
inline constexpr std::size_t kMaxPictureTextBytes = 1U << 20;

// What a picture says beside its pixels, for whoever must judge it: text chunks of PNG (inflated
// where compressed), EXIF, XMP, IPTC and comments of JPEG, GIF and WebP, and what stands behind the
// picture's end. Runs of readable characters (UTF-8, or ASCII as UTF-16), one a line; they may hold
// noise. "" for what is none of these. Broken structure is read on as text, never passed over.
// kTooLarge past kMaxPictureTextBytes.
Result<std::string> picture_text(std::string_view bytes);

// Likewise, of a picture as APIs take it: base64 of either alphabet, padded or not, also within
// "data:...;base64,"; white space in it is passed over. "" for what does not begin as a picture.
// kInvalid: it does, and is no base64 further on.
Result<std::string> encoded_picture_text(std::string_view base64);

// Whether that is a picture of these kinds, without white space: all of it is base64, and what it
// decodes to has the structure of its kind, with pixels, up to its end mark. What follows the mark
// is for encoded_picture_text(). A beginning alone makes no picture: whoever writes it could hide
// letters from the rules that read text.
bool is_encoded_picture(std::string_view base64);

}  // namespace aispm::codec
