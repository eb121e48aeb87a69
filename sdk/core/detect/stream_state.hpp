// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "sdk/core/detect/automata.hpp"
#include "sdk/core/detect/stream.hpp"

// The inside of a StreamScanner: for stream.cpp, which takes bytes and releases them, and
// stream_match.cpp, which decides what a finished attempt is.
namespace aispm::detect {

// A rule that started somewhere and may still match. Offsets are bytes of the original stream.
struct StreamAttempt {
  std::uint64_t start = 0;
  std::uint64_t accepted_end = 0;  // 0 = not yet
  std::uint16_t rule = 0;
  Dfa::State state = Dfa::kStart;
  bool holds = false;  // its outcome keeps text from leaving
};

// The automata of one view of the text.
struct StreamLane {
  std::vector<StreamAttempt> attempts;
  std::uint64_t last_end = 0;  // end of the last byte fed
  std::uint8_t last_byte = 0;
  bool has_last = false;
};

// A match whose rule wants to see what stands around it.
struct StreamPending {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint32_t rule = 0;
  bool validated = false;
  bool holds = false;
};

// A match that must not leave, in order of release.
struct StreamSpan {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint32_t rule = 0;
  bool operator<(const StreamSpan& other) const {
    return std::tie(begin, rule) < std::tie(other.begin, other.rule);
  }
};

inline bool holds(model::Outcome outcome) {
  return outcome == model::Outcome::kRedact || outcome == model::Outcome::kDeny;
}

struct StreamScanner::State {
  State(std::shared_ptr<const Engine> the_engine, Surface the_surface,
        std::shared_ptr<const Outcomes> the_outcomes)
      : engine(std::move(the_engine)),
        automata(engine->automata()),
        outcomes(std::move(the_outcomes)),
        surface(the_surface) {}

  std::shared_ptr<const Engine> engine;
  const Automata& automata;  // the engine's
  std::shared_ptr<const Outcomes> outcomes;
  Surface surface;
  Redactor* redactor = nullptr;
  const Secret* hash_key = nullptr;

  // Original bytes from `base` on: those held, and those that an attempt of a recording rule still
  // needs.
  std::string buffer;
  std::uint64_t base = 0;
  std::uint64_t total = 0;     // taken
  std::uint64_t released = 0;  // released or replaced
  std::uint64_t decoded = 0;   // up to here the shadow lane has seen the text

  StreamLane raw;
  StreamLane shadow;
  bool forked = false;  // the shadow lane differs from the raw one
  Shadow resolving;

  SignalTracker signals;
  std::vector<SignalHit> hits;
  bool tracks_signals = false;  // a rule asks for them
  bool holds_signals = false;   // and one of those keeps text from leaving

  std::vector<StreamPending> pending;  // until what stands after them is known
  std::size_t context_before = 0;      // bytes that contexts look back

  std::vector<StreamSpan> spans;  // sorted, not released yet
  std::vector<Found> found;
  std::uint64_t dropped = 0;
  std::uint64_t redactions = 0;
  bool denied = false;
  std::optional<Error> failure;

  std::string_view original(std::uint64_t begin, std::uint64_t end) const {
    return std::string_view(buffer).substr(begin - base, end - begin);
  }

  void fail_closed(Errc code, std::string message) {
    if (!failure) failure = Error{code, std::move(message), 0};
  }

  std::string hash_of(std::uint32_t rule, std::uint64_t begin, std::uint64_t end) const;
  void record(std::uint32_t rule, std::uint64_t begin, std::uint64_t end, bool validated);
  void resolve(const StreamAttempt& attempt, View view);
  void settle(const StreamPending& match);
  void settle_pending(bool complete);
  void find_contexts();
  void find_signal_rules();
  void take_signals();
  void hide(std::uint64_t begin, std::uint64_t end, std::uint32_t rule);
  bool advance(StreamAttempt& attempt, std::uint8_t byte, std::uint64_t end, const StreamLane& lane,
               View view);
  // The byte after one, if it is known and this lane will read it: what cannot go on with it need
  // not begin.
  using Next = std::optional<std::uint8_t>;
  void step(StreamLane& lane, std::uint8_t byte, Next next, std::uint64_t begin, std::uint64_t end,
            View view);
  void spawn(StreamLane& lane, std::uint8_t byte, Next next, std::uint64_t begin, std::uint64_t end,
             View view);
  void feed_raw();
  void feed_shadow(bool complete);
  void end_lane(StreamLane& lane, View view);
  std::uint64_t hold_from() const;
  std::uint64_t start_of_character(std::uint64_t at) const;
  void release_text(std::uint64_t limit, std::string& release);
  void release_until(std::uint64_t limit, std::string& release);
  void forget();
  void bound_memory();
};

}  // namespace aispm::detect
