// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hs.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "sdk/core/detect/automata.hpp"
#include "sdk/core/detect/rule.hpp"

namespace aispm::detect {

// What the one Hyperscan pass over a text says.
struct Fired {
  std::vector<std::uint32_t> rules;     // that may match, of the surface
  std::vector<std::uint8_t> has_fired;  // by id
  bool rot13 = false;                   // words of the vocabulary in ROT13
  bool reversed = false;                // or backwards
};
// Ids of the database beyond those of rules.
constexpr std::uint32_t rot13_id(const std::vector<Rule>& rules) {
  return static_cast<std::uint32_t>(rules.size());
}
constexpr std::uint32_t reversed_id(const std::vector<Rule>& rules) {
  return static_cast<std::uint32_t>(rules.size() + 1);
}

// A match in one view of a text.
struct ViewMatch {
  std::size_t begin = 0;  // bytes in the view, or in what it was made from (BlockScan::run)
  std::size_t end = 0;
  bool validated = false;
};

// Finds the exact matches of single rules in whole texts. Lives for one scan.
class BlockScan {
 public:
  BlockScan(const std::vector<Rule>& rules, const Automata& automata, const hs_database_t* database,
            Surface surface, std::size_t& work_left)
      : rules_(rules),
        automata_(automata),
        database_(database),
        surface_(surface),
        work_left_(work_left) {}

  // Which rules of the surface fire in `text`; false when Hyperscan fails.
  bool prefilter(std::string_view text, hs_scratch_t* scratch, Fired& fired) const;

  // Calls `found(ViewMatch)` with each match of one rule in `text`; it returns false to end early.
  // `base` is empty, or what `text` is the normalised form of, with `origin`: then offsets are of
  // `base`. False when the work allowed is used up or `found` said so.
  template <typename Found>
  bool run(std::uint32_t index, std::string_view text, std::string_view base,
           const std::vector<Shadow::Origin>* origin, Shadow& resolving, Found&& found) {
    const RuleAutomaton& automaton = automata_.of(index);
    const ByteSet& first = automaton.dfa.first_bytes();
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (!first.test(static_cast<std::uint8_t>(text[at]))) continue;
      if (at > 0 && automaton.not_after.test(static_cast<std::uint8_t>(text[at - 1]))) continue;
      const std::size_t end = attempt(automaton, text, at, origin);
      if (end > 0) {
        ViewMatch match;
        if (resolve(index, text, base, at, end, origin, resolving, match) && !found(match))
          return false;
      }
      if (work_left_ == 0) return false;
    }
    return true;
  }

 private:
  std::size_t attempt(const RuleAutomaton& automaton, std::string_view text, std::size_t at,
                      const std::vector<Shadow::Origin>* origin);
  bool resolve(std::uint32_t index, std::string_view text, std::string_view base, std::size_t at,
               std::size_t end, const std::vector<Shadow::Origin>* origin, Shadow& resolving,
               ViewMatch& match);

  const std::vector<Rule>& rules_;
  const Automata& automata_;
  const hs_database_t* database_;
  Surface surface_;
  std::size_t& work_left_;
};

// Joins overlapping matches of one rule and sorts by offset, then rule.
void join_matches(std::vector<Match>& matches);

}  // namespace aispm::detect
