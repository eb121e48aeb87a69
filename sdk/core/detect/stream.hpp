// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/detect/engine.hpp"
#include "sdk/core/detect/redact.hpp"

// Scanning and redaction of a text that arrives in pieces (one scanner per text channel of a reply:
// choice, tool call, content block).
//
//   StreamScanner scanner(engine, Surface::kReply, outcomes);
//   AISPM_CHECK(scanner.feed(delta, release));   // appends to `release` what may leave now,
//   redacted if (scanner.denied()) ...                    // nothing more will be released
//   AISPM_CHECK(scanner.finish(release));        // the rest
//
// Soundness: no byte that belongs to a match of a kRedact or kDeny rule is ever released, however
// the text is cut; and everything released together equals redact(scan(whole text)). A byte is held
// only while an automaton that started at or before it is still alive, so most text passes at once.
// With no outcome above kAllow nothing is held, besides the at most three bytes of a cut UTF-8
// character.
namespace aispm::detect {

class StreamScanner {
 public:
  // A text held longer than this (a match that goes on and on) fails the stream closed with
  // kTooLarge.
  static constexpr std::size_t kMaxHeldBytes = 32U << 10;
  // Attempts alive at once; beyond it the stream fails closed with kExhausted: a text made to be
  // slow.
  static constexpr std::size_t kMaxAttempts = 512;
  // Matches kept for the record; more are counted in dropped_matches().
  static constexpr std::size_t kMaxRecorded = 256;

  struct Found {
    Match match;                  // offset in the whole stream, in bytes of the original text
    std::string evidence;         // masked
    std::string value_hash = {};  // keyed, of a secret; "" where there is no key
  };

  // `outcomes` has one entry per rule of `engine`. `redactor` null: labels; else it outlives the
  // scanner and is told the type that is about data where matches overlap. With `hash_key`, which
  // outlives it, too, equal secrets can be told by Found::value_hash.
  StreamScanner(std::shared_ptr<const Engine> engine, Surface surface,
                std::shared_ptr<const Outcomes> outcomes, Redactor* redactor = nullptr,
                const Secret* hash_key = nullptr);
  StreamScanner(StreamScanner&&) noexcept;
  StreamScanner& operator=(StreamScanner&&) noexcept;
  ~StreamScanner();

  // Takes the next piece and appends to `release` what may leave now. After an error or a denial
  // nothing is released any more and every further call gives the same error (or does nothing).
  // Linear in the delta.
  Result<> feed(std::string_view delta, std::string& release);
  // The text is complete: appends the rest. Call once.
  Result<> finish(std::string& release);

  // A kDeny rule matched; what stands before the match was released, the match and all after it is
  // not.
  bool denied() const;
  // Matches so far, also of kAllow rules, in the order in which they ended. Those of one rule that
  // overlap are joined.
  const std::vector<Found>& found() const;
  std::uint64_t dropped_matches() const;
  std::uint64_t redactions() const;   // replacements released
  std::size_t held_bytes() const;     // taken but not released
  std::uint64_t total_bytes() const;  // taken
  std::size_t memory_bytes() const;   // this scanner's own memory

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aispm::detect
