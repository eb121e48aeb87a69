// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "sdk/core/detect/normalise.hpp"
#include "sdk/core/detect/rule.hpp"

// Characters written as escapes: %41, \u0041, \u{41}, \x41, &#65;, &#x41;, &lt;. Between them the
// text stays as it is, so every match leads back to its exact place.
namespace aispm::detect {

// Fewer escapes than this hide no wording.
inline constexpr std::size_t kMinEscapes = 3;

// Replaces `out` by the text with its escapes resolved. The kind of most of them; kNone when there
// are fewer than kMinEscapes: `out` says nothing then. Linear; no allocation once `out` has grown.
Trick unescape(std::string_view text, Shadow& out);

}  // namespace aispm::detect
