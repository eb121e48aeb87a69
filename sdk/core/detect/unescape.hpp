// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

#include "sdk/core/detect/normalise.hpp"
#include "sdk/core/detect/rule.hpp"

// Characters written as escapes: %41, \u0041, \u{41}, \U00000041, \x41, \101, &#65;, &#x41;, &lt;.
// Control characters but white space, and what they make a terminal do, stand for nothing. Between
// them the text stays as it is, so every match leads back to its exact place.
namespace aispm::detect {

// Fewer escapes than this hide no wording; a single control character may.
inline constexpr std::size_t kMinEscapes = 3;

// Replaces `out` by the text with its escapes resolved. The kind of most of them; kNone when there
// are too few: `out` says nothing then. Linear; no allocation once `out` has grown.
// With `keeps_controls` control characters stand for themselves.
Trick unescape(std::string_view text, Shadow& out, bool keeps_controls = false);

std::size_t count_controls(std::string_view text);

}  // namespace aispm::detect
