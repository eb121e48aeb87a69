// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/rule.hpp"

namespace aispm::detect {

// The words that patterns about wording spell out, as stems ("ignor" of `ignor(?:e|ing)`). Telling
// whether a disguised word is one of them is cheaper than undoing every disguise there might be.
// Immutable; any thread.
class Vocabulary {
 public:
  static constexpr std::size_t kMinStem = 4;
  static constexpr std::size_t kMaxStem = 16;

  // Rules of categories about data (is_data) have no words.
  static Result<Vocabulary> of(std::span<const Rule> rules);

  // The length of the longest stem that `word` (lower-case letters) begins with; 0 = none.
  std::size_t stem_of(std::string_view word) const;
  // Sorted.
  const std::vector<std::string>& stems() const { return sorted_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  static std::size_t head_of(std::string_view word);

  std::unordered_set<std::string, Hash, std::equal_to<>> stems_;
  std::bitset<1U << 16> heads_;  // by the first kMinStem letters
  std::vector<std::string> sorted_;
};

}  // namespace aispm::detect
