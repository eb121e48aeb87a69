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

  // A rule whose match can start with a byte, and what is known of the attempt after that byte.
  struct Start {
    std::uint16_t rule = 0;
    Dfa::State state = Dfa::kStart;
    SurfaceBits surfaces = 0;
    std::uint16_t second = 0;  // for can_follow()
    bool goes_on = false;      // no match yet, and it may become longer, whatever its borders say
  };
  // Of a start that goes on: whether it does with `byte` behind its first one. Three of five do
  // not.
  bool can_follow(const Start& start, std::uint8_t byte) const {
    return seconds_[start.second].test(byte);
  }
  // Those of one border are passed over together: within a word nearly all are.
  struct Starts {
    std::uint8_t border = 0;  // for closed_after()
    std::vector<Start> starts;
  };
  std::span<const Starts> starting_with(std::uint8_t byte) const { return starts_[byte]; }
  // The borders that do not let a rule start after `byte`, as bits; rules share few of them.
  // A start with border kAskRule asks its rule's `not_after` itself.
  static constexpr std::uint8_t kAskRule = 63;
  std::uint64_t closed_after(std::uint8_t byte) const { return closed_[byte]; }

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
  std::uint8_t border_of(const ByteSet& not_after);
  std::uint16_t second_of(const Dfa& dfa, Dfa::State state);

  std::vector<RuleAutomaton> automata_;
  std::array<std::vector<Starts>, 256> starts_;
  std::vector<ByteSet> borders_;  // that rules have, at most kAskRule
  std::array<std::uint64_t, 256> closed_ = {};
  std::vector<ByteSet> seconds_;
};

}  // namespace aispm::detect
