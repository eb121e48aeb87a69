// SPDX-License-Identifier: Apache-2.0
// What a text may hide, each as a view of its own.
#include <algorithm>

#include "sdk/core/detect/broken_words.hpp"
#include "sdk/core/detect/context.hpp"
#include "sdk/core/detect/deep_scan.hpp"
#include "sdk/core/detect/unescape.hpp"

namespace aispm::detect {
namespace {

void turn_rot13(std::string_view text, std::string& out) {
  out.assign(text);
  for (char& c : out) {
    const char lower = static_cast<char>(c | 0x20);
    if (lower >= 'a' && lower <= 'z') c = static_cast<char>(c + (lower < 'n' ? 13 : -13));
  }
}

bool is_letter_at(std::string_view text, std::size_t at) {
  const char c = at < text.size() ? static_cast<char>(text[at] | 0x20) : '\0';
  return c >= 'a' && c <= 'z';
}

}  // namespace

// `reading` is the text, or its normalised form.
bool DeepScan::scan_deeper(const Frame& frame, std::string_view reading, bool rot13,
                           bool reversed) {
  if (is_late()) return true;
  ScanBuffers::Level& level = buffers_.levels[frame.depth];
  if (has_broken_words(reading, *tables_.vocabulary)) {
    if (!scan_mended(frame, reading)) return false;
  } else if (options_.views != nullptr && is_mostly_leet(reading) && !show_mended(frame, reading)) {
    return false;
  }
  if (!scan_respelled(frame, reading)) return false;
  if (rot13 && !scan_turned(frame, Trick::kRot13)) return false;
  if (reversed && !scan_turned(frame, Trick::kReversed)) return false;
  // Words taken apart or put in order have the escapes that stood in the parent, whose escapes
  // are resolved and then respelled anyway.
  const Trick escapes = frame.is_respelled ? Trick::kNone : unescape(frame.text, level.other);
  if (escapes != Trick::kNone) {
    Frame child;
    child.text = level.other.text;
    child.origin = &level.other.origin;
    child.trick = escapes;
    if (!scan_child(frame, child)) return false;
  }
  return scan_runs(frame, Trick::kBase64) && scan_runs(frame, Trick::kBinary) &&
         scan_runs(frame, Trick::kMorse) && scan_runs(frame, Trick::kHex);
}

// Where bytes [begin, end) of a frame's mended form come from.
DeepScan::Place DeepScan::place_mended(const Frame& frame, const Shadow& mended, bool is_folded,
                                       std::size_t begin, std::size_t end) const {
  std::size_t from = mended.origin[begin].begin;
  std::size_t to = mended.origin[end - 1].end;
  if (is_folded) {
    const auto& origin = buffers_.levels[frame.depth].folded.origin;
    from = origin[from].begin;
    to = origin[to - 1].end;
  }
  return place_of(frame, from, to);
}

// The rule has matched there already, in the clear: what putting words together adds to that match,
// such as the slashes of an address, hides nothing. Not for matches that need support: that one may
// yet be dropped.
bool DeepScan::was_clear(std::uint32_t rule, const Place& place) const {
  if ((*tables_.rules)[rule].needs_support_on(surface_)) return false;
  const std::size_t asked = std::min(matches_.size(), kMaxClearAsked);
  return std::any_of(matches_.begin(), matches_.begin() + static_cast<std::ptrdiff_t>(asked),
                     [&](const Match& match) {
                       return match.rule == rule && match.trick == Trick::kNone &&
                              match.offset < place.end && place.begin < match.offset + match.length;
                     });
}

bool DeepScan::scan_mended(const Frame& frame, std::string_view reading) {
  ScanBuffers::Level& level = buffers_.levels[frame.depth];
  Shadow& mended = level.other;
  if (!charge(reading.size())) return false;
  mend_words(reading, *tables_.vocabulary, Mending::kKnownWords, mended);
  Fired& fired = level.fired;
  if (!block_.prefilter(mended.text, hyperscan_, fired)) {
    fail_with(Errc::kInternal, "Hyperscan: scan failed");
    return false;
  }
  const bool is_folded = reading.data() != frame.text.data();
  for (const std::uint32_t rule : fired.rules) {
    if (!applies(rule, frame, true)) continue;
    const auto found = [&](ViewMatch match) {
      if (!stands_in_context(rule, mended.text, match)) return true;
      const std::size_t from = mended.origin[match.begin].begin;
      const std::size_t to = mended.origin[match.end - 1].end;
      const std::string_view shown =
          std::string_view(mended.text).substr(match.begin, match.end - match.begin);
      const std::string_view there = reading.substr(from, to - from);
      if (shown == there) return true;  // nothing was mended: it was found as it is
      // "instruction-shaped" is not "instructions".
      if (there.size() > shown.size() && is_letter_at(mended.text, match.end - 1) &&
          is_letter_at(mended.text, match.end))
        return true;
      Place place = place_mended(frame, mended, is_folded, match.begin, match.end);
      if (was_clear(rule, place)) return true;
      if (place.trick == Trick::kNone)
        place.trick = there.size() > shown.size() ? Trick::kBroken : Trick::kLeet;
      return add(rule, place, match.validated);
    };
    if (!block_.run(rule, fired, mended.text, {}, nullptr, buffers_.resolving, found)) return false;
  }
  return show_mended(frame, reading);
}

// A text in which some words are broken is read once more with all of them put together.
bool DeepScan::show_mended(const Frame& frame, std::string_view reading) {
  if (options_.views == nullptr || is_late()) return true;
  if (!charge(reading.size())) return false;
  Shadow& mended = buffers_.levels[frame.depth].other;
  mend_words(reading, *tables_.vocabulary,
             is_mostly_leet(reading) ? Mending::kLeetText : Mending::kEveryWord, mended);
  if (mended.text.empty()) return true;
  class MendedOrigin final : public ViewReader::Origin {
   public:
    MendedOrigin(const DeepScan& scan, const Frame& frame, const Shadow& mended, bool is_folded)
        : scan_(scan), frame_(frame), mended_(mended), is_folded_(is_folded) {}
    ViewReader::Span of(std::size_t begin, std::size_t end) const override {
      const Place place = scan_.place_mended(frame_, mended_, is_folded_, begin, end);
      return {place.begin, place.end};
    }

   private:
    const DeepScan& scan_;
    const Frame& frame_;
    const Shadow& mended_;
    bool is_folded_;
  };
  const MendedOrigin origin(*this, frame, mended, reading.data() != frame.text.data());
  Trick trick = place_of(frame, 0, frame.text.size()).trick;
  if (trick == Trick::kNone)
    trick = mended.text.size() < reading.size() ? Trick::kBroken : Trick::kLeet;
  options_.views->read(mended.text, trick, origin);
  return true;
}

// Words that were run together or shuffled, or letters one by one, as a view of their own.
bool DeepScan::scan_respelled(const Frame& frame, std::string_view reading) {
  ScanBuffers::Level& level = buffers_.levels[frame.depth];
  const Respelled how = respell(reading, buffers_.respelling, level.other);
  if (how == Respelled::kNot) return true;
  if (reading.data() != frame.text.data()) {
    for (Shadow::Origin& origin : level.other.origin)
      origin = {level.folded.origin[origin.begin].begin, level.folded.origin[origin.end - 1].end};
  }
  Frame child;
  child.text = level.other.text;
  child.origin = &level.other.origin;
  child.trick = Trick::kBroken;
  child.is_text_only = true;
  child.is_mended = how == Respelled::kClosedUp;
  child.is_respelled = how != Respelled::kClosedUp;
  return scan_child(frame, child);
}

bool DeepScan::scan_turned(const Frame& frame, Trick trick) {
  if (frame.is_text_only) return true;
  ScanBuffers::Level& level = buffers_.levels[frame.depth];
  Frame child;
  if (trick == Trick::kRot13) {
    turn_rot13(frame.text, level.decoded);
  } else {
    level.decoded.assign(frame.text);  // assign(rbegin, rend) would allocate
    std::reverse(level.decoded.begin(), level.decoded.end());
    child.mirrored = true;
  }
  child.text = level.decoded;
  child.trick = trick;
  child.is_text_only = true;
  return scan_child(frame, child);
}

bool DeepScan::scan_runs(const Frame& frame, Trick kind) {
  ScanBuffers::Level& level = buffers_.levels[frame.depth];
  const std::string_view text = frame.text;
  for (auto run = find_encoded_run(text, 0, kind); run;
       run = find_encoded_run(text, run->offset + run->length, kind)) {
    if (is_late()) return true;
    const std::string_view bytes = text.substr(run->offset, run->length);
    if (kind == Trick::kBase64 && !scan_packed(frame, *run)) return false;
    const auto trick = decode_run(bytes, kind, level.decoded);
    if (!trick) continue;
    Frame child;
    child.text = level.decoded;
    child.begin = run->offset;
    child.end = run->offset + run->length;
    child.is_run = true;
    child.trick = *trick;
    if (!scan_child(frame, child)) return false;
  }
  return true;
}

bool DeepScan::scan_packed(const Frame& frame, const EncodedRun& run) {
  ScanBuffers::Level& level = buffers_.levels[frame.depth];
  if (!decode_packed(frame.text.substr(run.offset, run.length), level.packed)) return true;
  if (!charge(level.packed.size())) return false;
  const auto outcome = buffers_.inflater.inflate(level.packed, level.decoded);
  if (outcome == Inflater::Outcome::kNot || !is_mostly_text(level.decoded)) return true;
  Frame child;
  child.text = level.decoded;
  child.begin = run.offset;
  child.end = run.offset + run.length;
  child.is_run = true;
  child.trick = Trick::kGzip;
  if (outcome == Inflater::Outcome::kCut &&
      !add_signal(Signal::kDecodeLimit, place_of(frame, child.begin, child.end)))
    return false;
  return scan_child(frame, child);
}

}  // namespace aispm::detect
