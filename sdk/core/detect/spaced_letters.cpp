// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/spaced_letters.hpp"

#include <algorithm>

namespace aispm::detect {
namespace {

constexpr std::size_t kMaxGap = 4;   // white space between two letters
constexpr std::size_t kSample = 16;  // characters that show what a stretch is

bool is_gap(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct Gap {
  std::size_t size = 0;
  bool ends_line = false;
};

Gap gap_at(std::string_view text, std::size_t at) {
  Gap gap;
  for (; at + gap.size < text.size() && is_gap(text[at + gap.size]); ++gap.size)
    gap.ends_line = gap.ends_line || text[at + gap.size] == '\n';
  return gap;
}

// Bytes of the character at `at`, if it stands alone before white space or the end; 0 if not.
std::size_t lone_at(std::string_view text, std::size_t at) {
  if (at >= text.size() || is_gap(text[at])) return 0;
  const bool is_ascii = static_cast<unsigned char>(text[at]) < 0x80;
  const std::size_t size = is_ascii ? 1 : std::max<std::size_t>(decode_utf8(text, at).size, 1);
  return at + size >= text.size() || is_gap(text[at + size]) ? size : 0;
}

// Characters one by one.
struct Stretch {
  std::size_t end = 0;
  std::size_t letters = 0;
  std::size_t characters = 0;
  std::size_t narrowest = kMaxGap + 1;  // gap
  bool has_line = false;                // a gap that holds no end of a line
};

Stretch stretch_at(std::string_view text, std::size_t at, std::size_t most) {
  Stretch stretch{at};
  while (stretch.characters < most) {
    const std::size_t size = lone_at(text, at);
    if (size == 0) break;
    ++stretch.characters;
    stretch.letters += is_letter(text[at]) ? 1 : 0;
    stretch.end = at + size;
    const Gap gap = gap_at(text, stretch.end);
    if (gap.size == 0 || gap.size > kMaxGap) break;
    if (lone_at(text, stretch.end + gap.size) == 0) break;
    stretch.narrowest = std::min(stretch.narrowest, gap.size);
    stretch.has_line = stretch.has_line || !gap.ends_line;
    at = stretch.end + gap.size;
  }
  return stretch;
}

bool is_spaced(std::string_view text, std::size_t at) {
  const Stretch start = stretch_at(text, at, kSample);
  return start.letters >= kMinSpacedLetters && start.letters * 2 >= start.characters;
}

void copy(std::string_view text, std::size_t begin, std::size_t end, Shadow& out) {
  for (std::size_t i = begin; i < end; ++i) {
    out.text.push_back(text[i]);
    out.origin.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i + 1)});
  }
}

void close_stretch(std::string_view text, std::size_t at, const Stretch& stretch, Shadow& out) {
  while (at < stretch.end) {
    const std::size_t size = lone_at(text, at);
    copy(text, at, at + size, out);
    at += size;
    if (at >= stretch.end) break;
    const Gap gap = gap_at(text, at);
    const bool is_border = gap.size > stretch.narrowest || (gap.ends_line && stretch.has_line);
    if (is_border) copy(text, at, at + 1, out);
    at += gap.size;
  }
}

// Where the next character stands that may begin a stretch, from `at` on.
std::size_t next_lone(std::string_view text, std::size_t at) {
  for (; at < text.size(); ++at) {
    const bool starts = at == 0 || is_gap(text[at - 1]);
    if (starts && lone_at(text, at) != 0) return at;
  }
  return text.size();
}

}  // namespace

bool close_up(std::string_view text, Shadow& out) {
  std::size_t at = next_lone(text, 0);
  while (at < text.size() && !is_spaced(text, at)) at = next_lone(text, at + 1);
  if (at >= text.size()) return false;
  out.clear();
  std::size_t done = 0;
  while (at < text.size()) {
    if (is_spaced(text, at)) {
      copy(text, done, at, out);
      const Stretch stretch = stretch_at(text, at, text.size());
      close_stretch(text, at, stretch, out);
      done = stretch.end;
    }
    at = next_lone(text, std::max(done, at + 1));
  }
  copy(text, done, text.size(), out);
  return true;
}

}  // namespace aispm::detect
