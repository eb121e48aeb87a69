// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/deep_scan.hpp"

#include <algorithm>

#include "sdk/core/detect/context.hpp"

namespace aispm::detect {
// Where pieces of a frame's text stand in the whole.
class DeepScan::FrameOrigin final : public ViewReader::Origin {
 public:
  FrameOrigin(const DeepScan& scan, const Frame& frame) : scan_(scan), frame_(frame) {}
  ViewReader::Span of(std::size_t begin, std::size_t end) const override {
    const Place place = scan_.place_of(frame_, begin, end);
    return {place.begin, place.end};
  }

 private:
  const DeepScan& scan_;
  const Frame& frame_;
};

DeepScan::DeepScan(const ScanTables& tables, Surface surface, const ScanOptions& options,
                   hs_scratch_t* scratch, ScanBuffers& buffers, std::vector<Match>& matches)
    : tables_(tables),
      surface_(surface),
      options_(options),
      hyperscan_(scratch),
      buffers_(buffers),
      matches_(matches),
      block_(*tables.rules, *tables.automata, tables.databases, surface, work_left_) {}

Result<> DeepScan::scan(std::string_view text, std::size_t work) {
  whole_ = text;
  work_left_ = work;
  decode_left_ = kDecodeFloor + kMaxDecodedTimes * text.size();
  Frame root;
  root.text = text;
  if (!scan_frame(root)) {
    if (failure_) return fail(*failure_);
    return fail(Errc::kExhausted, "text takes too long to scan");
  }
  join_matches(matches_);
  return {};
}

void DeepScan::fail_with(Errc code, const char* what) {
  if (!failure_) failure_ = Error{code, what, 0};
}

bool DeepScan::charge(std::size_t bytes) {
  if (bytes > decode_left_) {
    fail_with(Errc::kExhausted, "text hides too much in encodings to look into all of it");
    return false;
  }
  decode_left_ -= bytes;
  return true;
}

// Time is up for looking deeper; said in the report.
bool DeepScan::is_late() {
  if (!options_.deadline || options_.now() < *options_.deadline) return false;
  if (options_.report != nullptr) options_.report->cut = true;
  return true;
}

DeepScan::Place DeepScan::place_of(const Frame& frame, std::size_t begin, std::size_t end) const {
  Place place{begin, end, false, Trick::kNone};
  for (const Frame* at = &frame; at->parent != nullptr; at = at->parent) {
    if (at->is_run) {
      place.begin = at->begin;
      place.end = at->end;
      place.encoded = true;
    } else if (at->mirrored) {
      const std::size_t size = at->text.size();
      const std::size_t from = size - place.end;
      place.end = size - place.begin;
      place.begin = from;
    } else if (at->origin != nullptr) {
      const std::size_t last = place.end - 1;
      place.begin = (*at->origin)[place.begin].begin;
      place.end = (*at->origin)[last].end;
    }
    place.trick = at->trick;
  }
  return place;
}

// Where a match in a view comes from. What stands in the whole text just so is not hidden, even if
// other parts of it are: the view is one of all of the text.
DeepScan::Place DeepScan::place_of_match(const Frame& frame, const ViewMatch& match) const {
  Place place = place_of(frame, match.begin, match.end);
  if (whole_.substr(place.begin, place.end - place.begin) ==
      frame.text.substr(match.begin, match.end - match.begin))
    place.trick = Trick::kNone;
  return place;
}

// Personal data is no data where it must be decoded first; words are what altered letters hide.
bool DeepScan::applies(std::uint32_t rule, const Frame& frame, bool mended) const {
  const Rule& one = (*tables_.rules)[rule];
  if (one.reads == Reads::kLetters && !mended && !frame.is_mended) return false;
  if (mended || frame.is_text_only) return !is_data(one.category);
  return frame.depth == 0 || one.category != Category::kPii;
}

// False when what the rule wants around it is not there.
bool DeepScan::stands_in_context(std::uint32_t rule, std::string_view text,
                                 ViewMatch& match) const {
  const Context& context = (*tables_.rules)[rule].context;
  if (context.empty()) return true;
  const bool near = is_near(context, text, match.begin, match.end);
  match.validated = match.validated || near;
  return near || !context.required;
}

bool DeepScan::add(std::uint32_t rule, const Place& place, bool validated) {
  if (matches_.size() >= kMaxMatches) {
    fail_with(Errc::kExhausted, "text has more matches than can be recorded");
    return false;
  }
  matches_.push_back(
      {rule, place.begin, place.end - place.begin, validated, place.encoded, place.trick});
  const Rule& one = (*tables_.rules)[rule];
  // A note that somebody's text is internal is none of an attack, hidden or not.
  const bool hidden = place.trick != Trick::kNone && !is_data(one.category) &&
                      one.category != Category::kObfuscation &&
                      one.severity_on(surface_) >= model::Severity::kMedium;
  return !hidden || add_signal(Signal::kHiddenAttack, place);
}

bool DeepScan::add_signal(Signal signal, const Place& place) {
  for (const std::uint32_t rule : (*tables_.signal_rules)[static_cast<std::size_t>(signal)])
    if ((*tables_.rules)[rule].applies_to(surface_) && !add(rule, place, false)) return false;
  return true;
}

// `text` is the frame's, its normalised form (then `folded` has the origins), or a mended form.
bool DeepScan::scan_view(const Frame& frame, std::string_view text,
                         const std::vector<Shadow::Origin>* folded, bool mended) {
  Fired& fired = buffers_.levels[frame.depth].fired;
  if (!block_.prefilter(text, hyperscan_, fired)) {
    fail_with(Errc::kInternal, "Hyperscan: scan failed");
    return false;
  }
  for (const std::uint32_t rule : fired.rules) {
    if (!applies(rule, frame, mended)) continue;
    const bool done =
        block_.run(rule, fired, text, frame.text, folded, buffers_.resolving, [&](ViewMatch match) {
          if (!stands_in_context(rule, frame.text, match)) return true;
          return add(rule, place_of_match(frame, match), match.validated);
        });
    if (!done) return false;
  }
  return true;
}

bool DeepScan::scan_frame(const Frame& frame) {
  ScanBuffers::Level& level = buffers_.levels[frame.depth];
  // Without reading the plain text, it is still asked whether it holds words turned round.
  const bool reads = frame.depth > 0 || options_.reads_plain;
  const auto take = [&](std::string_view text, const std::vector<Shadow::Origin>* folded) {
    if (options_.nothing_matches) return true;
    if (reads) return scan_view(frame, text, folded, false);
    if (block_.prefilter(text, hyperscan_, level.fired)) return true;
    fail_with(Errc::kInternal, "Hyperscan: scan failed");
    return false;
  };
  if (!take(frame.text, nullptr)) return false;
  const bool asked = !options_.nothing_matches;
  bool rot13 = asked && level.fired.rot13;
  bool reversed = asked && level.fired.reversed;
  std::string_view reading = frame.text;
  if (!is_ascii(frame.text)) {
    normalise(frame.text, level.folded);
    if (!take(level.folded.text, &level.folded.origin)) return false;
    rot13 = asked && (rot13 || level.fired.rot13);
    reversed = asked && (reversed || level.fired.reversed);
    if (frame.depth == 0 && reads && asked && !scan_signals(frame.text)) return false;
    reading = level.folded.text;
  }
  return !options_.looks_deeper || scan_deeper(frame, reading, rot13, reversed);
}

bool DeepScan::scan_signals(std::string_view text) {
  const auto& rules = *tables_.signal_rules;
  if (std::all_of(rules.begin(), rules.end(), [](const auto& list) { return list.empty(); }))
    return true;
  SignalTracker tracker;
  std::vector<SignalHit>& hits = buffers_.hits;
  hits.clear();
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<std::uint8_t>(text[at]);
    if (byte < 0x80) {
      tracker.ascii(byte, at, hits);
      ++at;
      continue;
    }
    Decoded unit = decode_utf8(text, at);
    if (unit.size == 0) unit = {kInvalidByte, 1};
    tracker.step(unit.code_point, at, at + unit.size, hits);
    at += unit.size;
  }
  tracker.finish(hits);
  for (const SignalHit& hit : hits)
    if (!add_signal(hit.signal, {hit.begin, hit.end, false, Trick::kNone})) return false;
  return true;
}

bool DeepScan::scan_child(const Frame& frame, Frame child) {
  if (child.text.empty() || is_late()) return true;
  child.parent = &frame;
  child.depth = frame.depth + 1;
  child.is_text_only = child.is_text_only || frame.is_text_only;
  child.is_mended = child.is_mended || frame.is_mended;
  if (child.depth > kMaxDepth)
    return add_signal(Signal::kDecodeLimit, place_of(child, 0, child.text.size()));
  if (!charge(child.text.size())) return false;
  if (options_.views != nullptr)
    options_.views->read(child.text, place_of(child, 0, child.text.size()).trick,
                         FrameOrigin(*this, child));
  return scan_frame(child);
}

}  // namespace aispm::detect
