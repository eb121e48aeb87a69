// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

#include "sdk/core/detect/rule.hpp"

namespace aispm::detect {

// Whether the words that a rule wants stand near a match, and none that it does not want, and
// whether the match is meant where that counts (Context::mentions). `before` and `after` are what
// stands around the match, Context::within bytes of it or less. Whole words; ASCII case does not
// matter; the ends of the two texts are borders.
bool is_near(const Context& context, std::string_view before, std::string_view match,
             std::string_view after);

// The same for the match at [begin, end) of a whole text.
bool is_near(const Context& context, std::string_view text, std::size_t begin, std::size_t end);

}  // namespace aispm::detect
