// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "sdk/core/detect/normalise.hpp"

// Text with white space between its letters: "i g n o r e  a l l".
namespace aispm::detect {

inline constexpr std::size_t kMinSpacedLetters = 5;  // of at most 16 characters one by one

// Replaces `out` by the text without the white space between such letters, and says whether there
// are any; `out` is of no use otherwise. White space that is wider than elsewhere in the stretch,
// or ends a line, stays as one space; where none is, the words are run together. `text` is
// normalised. Linear; no allocation once `out` has grown. Any thread.
bool close_up(std::string_view text, Shadow& out);

}  // namespace aispm::detect
