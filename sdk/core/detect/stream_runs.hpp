// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/detect/inspect.hpp"
#include "sdk/core/detect/redact.hpp"

namespace aispm::detect {

// What encodings hide in a text that comes in pieces: the counterpart, for streams, of looking
// deeper into a whole text.
//
//   StreamRuns runs(engine, Surface::kReply, outcomes);
//   AISPM_CHECK(runs.feed(delta, scratch, passed));   // to be fed to a StreamScanner
//
// A run is what an encoding would look like: bytes of ASCII without white space, also lines of
// base64, binary digits and Morse code. Words of up to kFreeBytes small letters pass at once;
// anything longer or stranger waits for its end, is decoded and scanned, and leaves, is replaced,
// or denies. So a run whose content is to be withheld shows at most the small letters that it
// begins with, however the text is cut. Movable; one thread.
class StreamRuns {
 public:
  static constexpr std::size_t kFreeBytes = 15;
  // Longer runs are looked at in pieces of this, which overlap by kOverlapBytes.
  static constexpr std::size_t kMaxRunBytes = 16U << 10;
  static constexpr std::size_t kOverlapBytes = 2U << 10;
  static constexpr std::size_t kMaxRecorded = 64;

  struct Found {
    Match match;  // offset in the whole stream
    std::string evidence;
    std::string value_hash = {};  // as StreamScanner::Found::value_hash, of the run as it stands
  };

  // `outcomes` has one entry per rule; `redactor` null: labels. All outlive it.
  StreamRuns(std::shared_ptr<const Engine> engine, Surface surface,
             std::shared_ptr<const Outcomes> outcomes, Redactor* redactor = nullptr,
             const Secret* hash_key = nullptr);

  // Takes the next piece and appends what may go on. Linear in the delta, but for runs, each of
  // which is scanned once. Errors: as Engine::scan; nothing passes any more then.
  Result<> feed(std::string_view delta, Scratch& scratch, std::string& out);
  // The text is complete.
  Result<> finish(Scratch& scratch, std::string& out);

  bool denied() const { return denied_; }
  const std::vector<Found>& found() const { return found_; }
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t redactions() const { return redactions_; }
  std::size_t held_bytes() const { return run_.size() - passed_; }

 private:
  bool goes_on(char byte) const;
  void note(char byte);
  Result<> end_run(Scratch& scratch, std::string& out);
  Result<std::size_t> look(Scratch& scratch, std::size_t keep, std::string& out);
  void record(const Match& match);
  void restart(std::size_t keep, std::size_t passed);

  std::shared_ptr<const Engine> engine_;
  std::shared_ptr<const Outcomes> outcomes_;
  Redactor* redactor_;
  const Secret* hash_key_;
  Surface surface_;
  std::string run_;             // so far
  std::size_t passed_ = 0;      // of it, bytes that left already
  std::uint64_t begin_ = 0;     // of the run, in the stream
  bool is_plain_ = true;        // nothing but a short word
  bool is_digits_ = true;       // only binary digits and white space
  bool is_marks_ = true;        // only Morse and white space
  std::size_t line_bytes_ = 0;  // of base64, since the last line end
  bool at_line_end_ = false;    // the last byte ended a long line
  std::vector<Match> matches_;
  std::vector<Found> found_;
  std::uint64_t dropped_ = 0;
  std::uint64_t redactions_ = 0;
  bool denied_ = false;
};

}  // namespace aispm::detect
