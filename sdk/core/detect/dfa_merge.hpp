// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace aispm::detect {

// The rows of an automaton under construction. State 0 is dead: nothing leads out of it.
struct DfaRows {
  std::span<const std::uint16_t> table;  // a row of `class_count` states for each state
  std::span<const std::uint8_t> marks;   // of each state
  std::size_t class_count = 0;
};

// More cells than this are left as they are: merging takes some 30 bytes of memory for each.
inline constexpr std::size_t kMaxMergedCells = 2'000'000;

// For each state the set of states that it cannot be told from by any input and marks: numbers from
// 0, in the order of the first state of each set. Two states of one set may become one.
// Takes O(cells log states) time. Source: A. Valmari, "Fast brief practical DFA minimization",
// Information Processing Letters 112 (2012).
std::vector<std::uint32_t> find_equal_states(const DfaRows& rows);

}  // namespace aispm::detect
