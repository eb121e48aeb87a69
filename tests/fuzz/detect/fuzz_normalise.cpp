// SPDX-License-Identifier: Apache-2.0
// Any bytes: the shadow is ASCII, its offsets lie in the text and never go back, and pieces give
// the same as the whole.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "sdk/core/detect/broken_words.hpp"
#include "sdk/core/detect/encoded.hpp"
#include "sdk/core/detect/normalise.hpp"
#include "sdk/core/detect/respell.hpp"
#include "sdk/core/detect/signal.hpp"
#include "sdk/core/detect/split_words.hpp"
#include "sdk/core/detect/unescape.hpp"

namespace {

using namespace aispm::detect;

void require(bool claim, const char* what) {
  if (claim) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void check_runs(std::string_view text) {
  static Inflater inflater;
  std::string decoded;
  std::string inflated;
  for (const Trick kind : {Trick::kBase64, Trick::kBinary, Trick::kMorse}) {
    std::size_t from = 0;
    for (auto run = find_encoded_run(text, from, kind); run;
         run = find_encoded_run(text, from, kind)) {
      require(run->offset >= from && run->length >= kMinEncodedRun, "run goes back or is short");
      require(run->offset + run->length <= text.size(), "run leaves the text");
      const std::string_view bytes = text.substr(run->offset, run->length);
      (void)decode_run(bytes, kind, decoded);
      require(decoded.size() < run->length, "decoding must shrink");
      if (decode_packed(bytes, decoded)) (void)inflater.inflate(decoded, inflated);
      require(inflated.size() <= kMaxInflatedBytes, "inflating must end");
      from = run->offset + run->length;
    }
  }
}

void check_shadow(const Shadow& view, std::size_t size, bool ordered) {
  require(view.text.size() == view.origin.size(), "one origin a byte");
  std::uint32_t last = 0;
  for (const Shadow::Origin& origin : view.origin) {
    require(origin.begin < origin.end && origin.end <= size, "origin leaves the text");
    require(!ordered || origin.begin >= last, "origin goes back");
    last = origin.begin;
  }
}

Vocabulary make_vocabulary() {
  Rule rule;
  rule.category = Category::kPromptInjection;
  rule.patterns = {"(?i)ignore", "(?i)instructions?", "(?i)system prompt"};
  auto vocabulary = Vocabulary::of(std::span<const Rule>(&rule, 1));
  require(vocabulary.has_value(), "vocabulary");
  return std::move(*vocabulary);
}

void check_views(std::string_view text, const Shadow& folded) {
  static const Vocabulary vocabulary = make_vocabulary();
  Shadow view;
  if (unescape(text, view) != Trick::kNone) check_shadow(view, text.size(), true);
  (void)has_broken_words(folded.text, vocabulary);
  (void)is_mostly_leet(folded.text);
  (void)is_mostly_split(text);
  for (const Mending mending : {Mending::kKnownWords, Mending::kEveryWord, Mending::kLeetText}) {
    mend_words(folded.text, vocabulary, mending, view);
    check_shadow(view, folded.text.size(), true);
  }
  static RespellBuffers respelling;
  if (respell(folded.text, respelling, view) != Respelled::kNot)
    check_shadow(view, folded.text.size(), true);
  SignalTracker tracker;
  std::vector<SignalHit> hits;
  for (std::size_t at = 0; at < text.size();) {
    Decoded unit = decode_utf8(text, at);
    if (unit.size == 0) unit = {kInvalidByte, 1};
    tracker.step(unit.code_point, at, at + unit.size, hits);
    at += unit.size;
    for (const SignalHit& hit : hits)
      require(hit.begin < hit.end && hit.end <= at, "signal outside of what was seen");
  }
  tracker.finish(hits);
  for (const SignalHit& hit : hits) require(hit.begin < hit.end && hit.end <= text.size(), "hit");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Shadow whole;
  normalise(text, whole);
  require(whole.text.size() == whole.origin.size(), "one origin a byte");
  std::uint32_t last = 0;
  for (std::size_t i = 0; i < whole.text.size(); ++i) {
    require(static_cast<std::uint8_t>(whole.text[i]) < 0x80, "not ASCII");
    require(whole.origin[i].begin < whole.origin[i].end && whole.origin[i].end <= size,
            "origin leaves the text");
    require(whole.origin[i].begin >= last, "origin goes back");
    last = whole.origin[i].begin;
  }
  // Character by character, as a stream would.
  std::string pieces;
  for (std::size_t at = 0; at < size;) {
    Decoded unit = decode_utf8(text, at);
    if (unit.size == 0) unit = {kInvalidByte, 1};
    const Replacement& out = normalise_code_point(unit.code_point);
    pieces.append(out.bytes.data(), out.size);
    at += unit.size;
  }
  require(pieces == whole.text, "pieces and whole differ");
  if (is_ascii(text)) require(whole.text == text, "ASCII must stay as it is");
  check_runs(text);
  check_views(text, whole);
  return 0;
}
