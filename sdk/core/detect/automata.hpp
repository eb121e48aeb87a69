// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/dfa.hpp"
#include "sdk/core/detect/normalise.hpp"
#include "sdk/core/detect/rule.hpp"

// The exact meaning of every rule, shared by block and stream scanning so that both find the same.
//
// An *attempt* of a rule starts at one byte, if the byte before it is not in `not_after`, and runs
// until its automaton is dead. Its match is the longest accepted one whose next byte is not in
// `not_before`; it must have been accepted once within `max_bytes`. Then the validators speak, and
// the leading `keep` part is taken off. Attempts do not know of each other.
namespace aispm::detect {

struct RuleAutomaton {
  std::shared_ptr<const Dfa> dfa;    // null for rules of a signal
  std::shared_ptr<const Dfa> keep;   // may be null
  std::shared_ptr<const Dfa> allow;  // matched texts that are none; may be null
  ByteSet not_after;
  ByteSet not_before;
  std::uint64_t max_bytes = 0;
  bool has_not_before = false;
};

// Raw bytes, or the normalised form of them.
enum class View : std::uint8_t { kRaw, kShadow };

struct DfaSource;

class Automata {
 public:
  // What make() needs compiled, in its order.
  static std::vector<DfaSource> sources(const std::vector<Rule>& rules);
  static Result<Automata> make(const std::vector<Rule>& rules,
                               std::vector<std::shared_ptr<const Dfa>> compiled);

  const RuleAutomaton& of(std::uint32_t rule) const { return automata_[rule]; }

  // Rules of `surface` whose match can start with `byte`.
  std::span<const std::uint16_t> starting_with(Surface surface, std::uint8_t byte) const {
    return starts_[static_cast<std::size_t>(surface)][byte];
  }

  struct Span {
    std::size_t begin = 0;  // bytes, relative to the start of the attempt
    std::size_t end = 0;
    bool validated = false;
  };
  // The final word on an attempt in one view: `text` reads from the start of the attempt to its
  // longest accepted end, and so does the span.
  std::optional<Span> resolve_view(const Rule& rule, std::uint32_t index,
                                   std::string_view text) const;
  // The same for the original text and its normalised form, with offsets in the original; `shadow`
  // is working memory.
  std::optional<Span> resolve(const Rule& rule, std::uint32_t index, std::string_view original,
                              View view, Shadow& shadow) const;

  std::size_t memory_bytes() const;

 private:
  void note_starts(const Rule& rule, std::size_t index);

  std::vector<RuleAutomaton> automata_;
  std::array<std::array<std::vector<std::uint16_t>, 256>, kSurfaceCount> starts_;
};

}  // namespace aispm::detect
