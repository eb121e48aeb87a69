// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sdk/core/detect/automata.hpp"
#include "sdk/core/detect/hyperscan.hpp"
#include "sdk/core/detect/rule.hpp"

namespace aispm::detect {

// What the one Hyperscan pass over a text says.
struct Fired {
  std::vector<std::uint32_t> rules;     // that may match, of the surface
  std::vector<std::uint8_t> has_fired;  // by rule
  // Where pieces ended that every match of their rule holds: rule << 32 | offset, sorted. A rule
  // without any here may match anywhere.
  std::vector<std::uint64_t> pieces;
  bool rot13 = false;     // words of the vocabulary in ROT13
  bool reversed = false;  // or backwards
};

// A match in one view of a text.
struct ViewMatch {
  std::size_t begin = 0;  // bytes in the view, or in what it was made from (BlockScan::run)
  std::size_t end = 0;
  bool validated = false;
};

// Finds the exact matches of single rules in whole texts. Lives for one scan.
class BlockScan {
 public:
  BlockScan(const std::vector<Rule>& rules, const Automata& automata,
            std::span<const HsDatabase> databases, Surface surface, std::size_t& work_left)
      : rules_(rules),
        automata_(automata),
        databases_(databases),
        surface_(surface),
        work_left_(work_left) {}

  // Which rules of the surface fire in `text`; false when Hyperscan fails.
  bool prefilter(std::string_view text, hs_scratch_t* scratch, Fired& fired) const;

  // Calls `found(ViewMatch)` with each match of one rule of `fired` in `text`; it returns false to
  // end early. `base` is empty, or what `text` is the normalised form of, with `origin`: then
  // offsets are of `base`. False when the work allowed is used up or `found` said so.
  template <typename Found>
  bool run(std::uint32_t index, const Fired& fired, std::string_view text, std::string_view base,
           const std::vector<Shadow::Origin>* origin, Shadow& resolving, Found&& found) {
    const auto pieces = pieces_of(fired, index);
    if (pieces.empty())
      return run_between(index, 0, text.size(), text, base, origin, resolving, found);
    std::size_t done = 0;
    for (const std::uint64_t piece : pieces) {
      const std::size_t end = std::min<std::size_t>(piece & UINT32_MAX, text.size());
      const std::size_t begin = std::max(done, earliest_start(index, end, origin));
      if (!run_between(index, begin, end, text, base, origin, resolving, found)) return false;
      done = std::max(done, end);
    }
    return true;
  }

 private:
  // Attempts that start in [begin, end).
  template <typename Found>
  bool run_between(std::uint32_t index, std::size_t begin, std::size_t end, std::string_view text,
                   std::string_view base, const std::vector<Shadow::Origin>* origin,
                   Shadow& resolving, Found&& found) {
    const RuleAutomaton& automaton = automata_.of(index);
    const ByteSet& first = automaton.dfa->first_bytes();
    for (std::size_t at = begin; at < end; ++at) {
      if (!first.test(static_cast<std::uint8_t>(text[at]))) continue;
      if (at > 0 && automaton.not_after.test(static_cast<std::uint8_t>(text[at - 1]))) continue;
      const std::size_t to = attempt(automaton, text, at, origin);
      if (to > 0) {
        ViewMatch match;
        if (resolve(index, text, base, at, to, origin, resolving, match) && !found(match))
          return false;
      }
      if (work_left_ == 0) return false;
    }
    return true;
  }

  static std::span<const std::uint64_t> pieces_of(const Fired& fired, std::uint32_t rule);
  // Where a match may start at the earliest whose shortest form holds a piece that ends at `end`.
  std::size_t earliest_start(std::uint32_t rule, std::size_t end,
                             const std::vector<Shadow::Origin>* origin) const;
  std::size_t attempt(const RuleAutomaton& automaton, std::string_view text, std::size_t at,
                      const std::vector<Shadow::Origin>* origin);
  bool resolve(std::uint32_t index, std::string_view text, std::string_view base, std::size_t at,
               std::size_t end, const std::vector<Shadow::Origin>* origin, Shadow& resolving,
               ViewMatch& match);

  const std::vector<Rule>& rules_;
  const Automata& automata_;
  std::span<const HsDatabase> databases_;
  Surface surface_;
  std::size_t& work_left_;
};

// Joins overlapping matches of one rule and sorts by offset, then rule.
void join_matches(std::vector<Match>& matches);

}  // namespace aispm::detect
