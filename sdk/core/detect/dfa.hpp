// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/pattern.hpp"

namespace aispm::detect {

// A deterministic automaton that matches from one given start: the language of all patterns of a
// rule. It knows at every byte whether a match may still come (state not dead), which is what makes
// a sound hold-back possible. Immutable after compile; any thread.
class Dfa {
 public:
  using State = std::uint16_t;
  static constexpr State kDead = 0;
  static constexpr State kStart = 1;
  static constexpr std::size_t kMaxStates = 20'000;
  static constexpr std::size_t kMaxNfaStates = 20'000;
  // Bounds the time to compile (about a second in a debug build).
  static constexpr std::size_t kMaxWork = 100'000'000;

  // kTooLarge when the pattern needs more states, kInvalid when it matches the empty text.
  static Result<Dfa> compile(const std::vector<Node>& alternatives);

  State next(State state, std::uint8_t byte) const {
    const Row& row = rows_[state];
    return targets_[row.first_target + columns_[row.first_column + class_of_[byte]]];
  }
  // A match may end here.
  bool accepts(State state) const { return (marks_[state] & kAccept) != 0; }
  // A match ends here and cannot become longer.
  bool is_final(State state) const { return marks_[state] == (kAccept | kLeaf); }
  // Bytes a match can start with.
  const ByteSet& first_bytes() const { return first_bytes_; }
  std::size_t state_count() const { return marks_.size(); }
  std::size_t memory_bytes() const;

  // As bytes for the cache, and back. take_from() removes what it read; nothing when the bytes are
  // no automaton.
  void append_to(std::string& out) const;
  static std::optional<Dfa> take_from(std::string_view& bytes);

 private:
  friend class DfaBuilder;
  // Of one state. Most states go to few others, and which bytes go to one of them together is the
  // same for many states: a third of the memory of a table of all states and classes.
  struct Row {
    std::uint32_t first_target = 0;  // in targets_: where it goes to, each state once
    std::uint32_t first_column = 0;  // in columns_: for each class, which of them
  };

  // `table`: of each state, for each class where it goes to.
  void pack(const std::vector<State>& table);
  bool is_sound() const;
  void find_first_bytes();

  static constexpr std::uint8_t kAccept = 1;
  static constexpr std::uint8_t kLeaf = 2;

  std::uint8_t class_of_[256] = {};
  std::size_t class_count_ = 0;
  std::vector<Row> rows_;
  std::vector<std::uint8_t> columns_;
  std::vector<State> targets_;
  std::vector<std::uint8_t> marks_;
  ByteSet first_bytes_;
};

}  // namespace aispm::detect
