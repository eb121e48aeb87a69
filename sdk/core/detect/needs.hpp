// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "sdk/core/detect/pattern.hpp"

namespace aispm::detect {

// What one look at a text says about it, whatever is asked of it afterwards.
struct TextShape {
  std::uint32_t digits = 0;  // in all
  std::uint32_t run = 0;     // bytes of the longest run of letters, digits, `_` and `-`
  ByteSet present;           // bytes that stand in it
};
TextShape shape_of(std::string_view text);

// What every text must have in which a pattern matches somewhere, read off its syntax tree: a
// card's number needs twelve digits, a token a long run. A database that looks for nothing else
// need not be asked about a text that has not got it. The default is no need at all.
struct TextNeeds {
  std::uint32_t digits = 0;
  std::uint32_t run = 0;
  // One of these must be there; full: any text will do. Of a pattern's marks (`@`, `+`) the rarest.
  ByteSet one_of = ByteSet().set();

  bool are_met_by(const TextShape& text) const {
    return text.digits >= digits && text.run >= run &&
           (one_of.all() || (one_of & text.present).any());
  }
  // What is needed for either of both.
  TextNeeds or_else(const TextNeeds& other) const;
};
TextNeeds needs_of(const Node& pattern);

}  // namespace aispm::detect
