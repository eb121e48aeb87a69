// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/signal.hpp"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <array>

#include "sdk/core/detect/normalise.hpp"

namespace aispm::detect {
namespace {

constexpr std::array<std::string_view, kSignalCount> kNames = {
    "tag_characters", "variation_selectors", "invisible",   "bidi_override",
    "mixed_script",   "hidden_attack",       "decode_limit"};

constexpr std::uint32_t kBlackFlag = 0x1f3f4;

bool is_tag(std::uint32_t c) { return c >= 0xe0000 && c <= 0xe007f; }
bool is_selector(std::uint32_t c) {
  return (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef);
}
bool is_bidi_override(std::uint32_t c) { return c == 0x202d || c == 0x202e; }
// Zero-width, other than soft hyphen and direction marks, which honest texts hold.
bool is_zero_width(std::uint32_t c) {
  return (c >= 0x200b && c <= 0x200d) || (c >= 0x202a && c <= 0x202c) ||
         (c >= 0x2060 && c <= 0x2064) || (c >= 0x2066 && c <= 0x206f) || c == 0xfeff ||
         c == 0x180e || c == 0x034f || c == 0x115f || c == 0x1160 || c == 0x3164;
}
bool is_transparent(std::uint32_t c) {
  if (c == 0xad || c == 0x200e || c == 0x200f || c == 0x061c) return true;
  const auto type = u_charType(static_cast<UChar32>(c));
  return type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK;
}

// Joiners and direction controls are part of how these are written.
bool takes_joiners(std::uint32_t c) {
  if (c < 0x590) return false;
  if (u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_EXTENDED_PICTOGRAPHIC) != 0 ||
      u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_EMOJI_MODIFIER) != 0 ||
      u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_REGIONAL_INDICATOR) != 0)
    return true;
  const bool letter = u_isalpha(static_cast<UChar32>(c)) != 0;
  // Everything between Hebrew and Mongolian that is not Cherokee or runes, and the later blocks of
  // the same scripts.
  const bool joining = (c >= 0x590 && c < 0x13a0) || (c >= 0x1680 && c < 0x1cc0) ||
                       (c >= 0xa800 && c < 0xac00) || (c >= 0xfb1d && c < 0xfe00) ||
                       (c >= 0xfe70 && c < 0xff00) || (c >= 0x10800 && c < 0x12000);
  return letter && joining;
}

}  // namespace

std::string_view name_of(Signal signal) { return kNames.at(static_cast<std::size_t>(signal)); }

std::optional<Signal> parse_signal(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Signal>(i);
  return std::nullopt;
}

std::string signal_words() {
  std::string all;
  for (const std::string_view name : kNames) {
    if (!all.empty()) all += ", ";
    all += name;
  }
  return all;
}

void SignalTracker::end_run(std::vector<SignalHit>& hits) {
  if (run_end_ == 0) return;
  if (run_is_tags_)
    hits.push_back({Signal::kTagCharacters, run_begin_, run_end_});
  else if (run_length_ >= kManySelectors)
    hits.push_back({Signal::kVariationSelectors, run_begin_, run_end_});
  run_end_ = 0;
  run_length_ = 0;
}

void SignalTracker::end_word(std::vector<SignalHit>& hits) {
  const bool sized = word_.letters >= kMinMixedLetters && word_.end - word_.begin <= kMaxWordBytes;
  if (word_.latin && word_.foreign && !word_.unlike && sized)
    hits.push_back({Signal::kMixedScript, word_.begin, word_.end});
  word_ = Word{};
}

// One more zero-width character that counts: with the two before it, if they are near, a hit.
void SignalTracker::count_invisible(std::uint64_t begin, std::uint64_t end,
                                    std::vector<SignalHit>& hits) {
  if (earlier_count_ > 0 && begin - earlier_[earlier_count_ - 1] > kWindowBytes) earlier_count_ = 0;
  if (earlier_count_ == kManyInvisible - 1 && begin - earlier_[0] > kWindowBytes) {
    earlier_[0] = earlier_[1];
    earlier_count_ = 1;
  }
  if (earlier_count_ < kManyInvisible - 1) {
    earlier_[earlier_count_++] = begin;
    return;
  }
  hits.push_back({Signal::kInvisible, earlier_[0], end});
  earlier_[0] = earlier_[1];
  earlier_[1] = begin;
}

void SignalTracker::invisible(std::uint64_t begin, std::uint64_t end,
                              std::vector<SignalHit>& hits) {
  if (joins_) return;
  if (pending_ == 0) pending_begin_ = begin;
  pending_end_ = end;
  // Many in a row hide something wherever they stand.
  if (++pending_ == kManyInvisible) {
    hits.push_back({Signal::kInvisible, pending_begin_, end});
  } else if (pending_ > kManyInvisible) {
    hits.push_back({Signal::kInvisible, pending_end_ - (end - begin), end});
  }
}

// What stands after the pending ones is known: inside a Latin word they count.
void SignalTracker::settle_pending(bool latin_after, std::vector<SignalHit>& hits) {
  if (pending_ == 0) return;
  if (pending_ < kManyInvisible && latin_before_ && latin_after)
    for (unsigned i = 0; i < pending_; ++i) count_invisible(pending_begin_, pending_end_, hits);
  pending_ = 0;
}

void SignalTracker::visible(std::uint32_t code_point, std::uint64_t begin, std::uint64_t end,
                            std::vector<SignalHit>& hits) {
  const auto c = static_cast<UChar32>(code_point);
  const bool known = code_point != kInvalidByte;
  const bool letter = known && u_isalpha(c) != 0;
  UErrorCode status = U_ZERO_ERROR;
  const bool latin = letter && uscript_getScript(c, &status) == USCRIPT_LATIN;
  const bool digit = code_point - '0' < 10;
  settle_pending(latin || digit, hits);
  latin_before_ = latin || digit;
  joins_ = known && takes_joiners(code_point);
  flag_ = code_point == kBlackFlag;
  if (!letter) return end_word(hits);
  if (word_.letters == 0) word_.begin = begin;
  word_.end = end;
  ++word_.letters;
  if (latin) {
    word_.latin = true;
    return;
  }
  const Replacement& shown = normalise_code_point(code_point);
  const auto first = static_cast<std::uint8_t>(shown.size > 0 ? shown.bytes[0] : 0);
  const bool alike = shown.size == 1 && static_cast<std::uint8_t>((first | 0x20U) - 'a') < 26;
  // Compatibility forms (fullwidth, mathematical) fold by design and mix scripts by nobody's.
  if (alike) {
    word_.foreign = word_.foreign || uscript_getScript(c, &status) != USCRIPT_COMMON;
  } else {
    word_.unlike = true;
  }
}

void SignalTracker::step(std::uint32_t code_point, std::uint64_t begin, std::uint64_t end,
                         std::vector<SignalHit>& hits) {
  last_end_ = end;
  const bool tag = is_tag(code_point);
  if (tag || is_selector(code_point)) {
    if (tag && flag_) return;  // until the next visible character
    if (run_end_ != 0 && (run_is_tags_ != tag || end - run_begin_ > kMaxRunBytes)) end_run(hits);
    if (run_end_ == 0) run_begin_ = begin;
    run_is_tags_ = tag;
    run_end_ = end;
    ++run_length_;
    return;
  }
  end_run(hits);
  if (is_bidi_override(code_point)) {
    hits.push_back({Signal::kBidiOverride, begin, end});
    return;
  }
  if (is_zero_width(code_point)) {
    const bool byte_order_mark = code_point == 0xfeff && begin == 0;
    if (!byte_order_mark) invisible(begin, end, hits);
    return;
  }
  if (code_point != kInvalidByte && code_point >= 0x80 && is_transparent(code_point)) {
    if (word_.letters > 0) word_.end = end;
    return;
  }
  visible(code_point, begin, end, hits);
}

void SignalTracker::finish(std::vector<SignalHit>& hits) {
  end_run(hits);
  settle_pending(false, hits);
  end_word(hits);
}

std::uint64_t SignalTracker::open_from() const {
  std::uint64_t from = UINT64_MAX;
  const auto consider = [&](std::uint64_t at) { from = at < from ? at : from; };
  if (run_end_ != 0) consider(run_begin_);
  if (pending_ > 0) consider(pending_begin_);
  if (word_.letters > 0 && word_.end - word_.begin <= kMaxWordBytes) consider(word_.begin);
  // Further zero-width characters may join those before.
  for (unsigned i = 0; i < earlier_count_; ++i)
    if (last_end_ - earlier_[i] <= kWindowBytes) consider(earlier_[i]);
  return from;
}

}  // namespace aispm::detect
