// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/stream_runs.hpp"

#include <algorithm>

#include "sdk/core/common/keyed_hash.hpp"
#include "sdk/core/detect/encoded.hpp"

namespace aispm::detect {
namespace {

// A line of base64 at least this long may go on in the next.
constexpr std::size_t kMimeLine = 60;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_graphic(char c) { return c > ' ' && c < '\x7f'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_base64(char c) {
  return is_lower(c) || is_upper(c) || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '-' ||
         c == '_' || c == '=';
}
bool is_digit(char c) { return c == '0' || c == '1' || c == ',' || is_space(c); }
bool is_mark(char c) { return c == '.' || c == '-' || c == '/' || c == '|' || is_space(c); }
bool withholds(model::Outcome outcome) {
  return outcome == model::Outcome::kRedact || outcome == model::Outcome::kDeny;
}

}  // namespace

StreamRuns::StreamRuns(std::shared_ptr<const Engine> engine, Surface surface,
                       std::shared_ptr<const Outcomes> outcomes, Redactor* redactor,
                       const Secret* hash_key)
    : engine_(std::move(engine)),
      outcomes_(std::move(outcomes)),
      redactor_(redactor),
      hash_key_(hash_key),
      surface_(surface) {}

// Whether `byte` may belong to the run that is open.
bool StreamRuns::goes_on(char byte) const {
  if (at_line_end_) return is_base64(byte) || byte == '\n' || byte == '\r';
  if (is_graphic(byte)) return true;
  if (!is_space(byte)) return false;
  if (is_digits_ || is_marks_) return true;
  return (byte == '\n' || byte == '\r') && line_bytes_ >= kMimeLine;
}

void StreamRuns::note(char byte) {
  const bool is_letter = is_lower(byte) || (is_upper(byte) && run_.empty());
  is_plain_ = is_plain_ && is_letter && run_.size() < kFreeBytes;
  is_digits_ = is_digits_ && is_digit(byte);
  is_marks_ = is_marks_ && is_mark(byte);
  if (byte == '\n' || byte == '\r') {
    at_line_end_ = at_line_end_ || line_bytes_ >= kMimeLine;
    line_bytes_ = 0;
  } else {
    at_line_end_ = false;
    line_bytes_ = is_base64(byte) ? line_bytes_ + 1 : 0;
  }
}

// A run may begin, or goes on with its last `keep` bytes, of which `passed` left already.
void StreamRuns::restart(std::size_t keep, std::size_t passed) {
  begin_ += run_.size() - keep;
  run_.erase(0, run_.size() - keep);
  passed_ = passed;
  is_plain_ = keep == 0;
  if (keep > 0) return;
  is_digits_ = true;
  is_marks_ = true;
  line_bytes_ = 0;
  at_line_end_ = false;
}

void StreamRuns::record(const Match& match) {
  Match placed = match;
  placed.offset += begin_;
  const bool known = std::any_of(found_.begin(), found_.end(), [&](const Found& one) {
    return one.match.rule == placed.rule && one.match.offset == placed.offset;
  });
  if (known) return;
  if (found_.size() >= kMaxRecorded) {
    ++dropped_;
    return;
  }
  const std::string_view value = std::string_view(run_).substr(match.offset, match.length);
  const bool is_secret = engine_->rules()[match.rule].category == Category::kSecret;
  found_.push_back(
      {placed, mask(value, Mask::kAll),
       hash_key_ != nullptr && is_secret ? keyed_hash(*hash_key_, value) : std::string()});
}

// Scans the run and lets it go on, but for its last `keep` bytes. Says up to where it left.
Result<std::size_t> StreamRuns::look(Scratch& scratch, std::size_t keep, std::string& out) {
  std::size_t done = passed_;
  matches_.clear();
  if (run_.size() >= kMinEncodedRun)
    AISPM_CHECK(engine_->scan(run_, surface_, scratch, matches_,
                              {.reads_plain = false, .replies_too = true}));
  for (const Match& match : matches_) {
    const model::Outcome outcome = (*outcomes_)[match.rule];
    // What is not hidden is for the scanner behind this.
    if (match.trick == Trick::kNone || outcome == model::Outcome::kUnspecified) continue;
    record(match);
    const std::size_t end = match.offset + match.length;
    if (!withholds(outcome) || end <= done) continue;
    const std::size_t begin = std::max<std::size_t>(match.offset, done);
    out.append(run_, done, begin - done);
    if (outcome == model::Outcome::kDeny) {
      denied_ = true;
      return run_.size();
    }
    const Rule& rule = engine_->rules()[match.rule];
    if (redactor_ != nullptr)
      redactor_->append(rule, std::string_view(run_).substr(match.offset, match.length), out);
    else
      append_redaction(rule, out);
    ++redactions_;
    done = end;
  }
  const std::size_t until = std::max(done, run_.size() - keep);
  out.append(run_, done, until - done);
  return until;
}

Result<> StreamRuns::end_run(Scratch& scratch, std::string& out) {
  if (run_.empty()) return {};
  AISPM_CHECK(look(scratch, 0, out));
  restart(0, 0);
  return {};
}

Result<> StreamRuns::feed(std::string_view delta, Scratch& scratch, std::string& out) {
  for (const char byte : delta) {
    if (denied_) return {};
    if (!run_.empty() && !goes_on(byte)) AISPM_CHECK(end_run(scratch, out));
    if (denied_) return {};
    if (run_.empty() && !is_graphic(byte)) {
      out.push_back(byte);
      ++begin_;
      continue;
    }
    note(byte);
    run_.push_back(byte);
    if (run_.size() < kMaxRunBytes) continue;
    AISPM_TRY(const std::size_t until, look(scratch, kOverlapBytes, out));
    if (!denied_) restart(kOverlapBytes, until - (run_.size() - kOverlapBytes));
  }
  if (!denied_ && is_plain_ && passed_ < run_.size()) {
    out.append(run_, passed_);
    passed_ = run_.size();
  }
  return {};
}

Result<> StreamRuns::finish(Scratch& scratch, std::string& out) { return end_run(scratch, out); }

}  // namespace aispm::detect
