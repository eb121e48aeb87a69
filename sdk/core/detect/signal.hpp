// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Tricks that are a sign by themselves, whatever the text says: characters that no reader sees,
// that turn the direction of writing, or that stand for letters of another script. Rules name them
// by `signal:`, and so give them severity, surfaces and policy like any other rule.
namespace aispm::detect {

enum class Signal : std::uint8_t {
  kTagCharacters,       // U+E0000..E007F, but for flags
  kVariationSelectors,  // three or more in a row: they carry hidden bytes
  kInvisible,           // three or more zero-width characters, inside Latin words or in a row
  kBidiOverride,        // U+202D, U+202E
  kMixedScript,         // a word of Latin letters and look-alikes of other scripts
  kHiddenAttack,        // wording of an attack that an encoding, leet or broken words hid
  kDecodeLimit,         // an encoding that is larger or deeper than is looked into
};
inline constexpr std::size_t kSignalCount = 7;

// "tag_characters", "variation_selectors", "invisible", "bidi_override", "mixed_script",
// "hidden_attack", "decode_limit"
std::string_view name_of(Signal signal);
std::optional<Signal> parse_signal(std::string_view name);
std::string signal_words();

struct SignalHit {
  Signal signal = Signal::kInvisible;
  std::uint64_t begin = 0;  // bytes in the original text
  std::uint64_t end = 0;
};

// Finds the first five of them, character by character, so that a stream gives the same as the
// whole text. Bounded state. Left alone are: joiners after letters of scripts that need them
// (Arabic, Hebrew, Indic, ...) and in emoji, tag characters of flags, soft hyphens, direction
// marks, and a byte order mark at the start.
class SignalTracker {
 public:
  // Zero-width characters further apart than this are counted anew.
  static constexpr std::uint64_t kWindowBytes = 256;
  static constexpr unsigned kManyInvisible = 3;
  static constexpr unsigned kManySelectors = 3;
  static constexpr unsigned kMinMixedLetters = 3;
  static constexpr std::uint64_t kMaxWordBytes = 128;
  static constexpr std::uint64_t kMaxRunBytes = 4096;  // longer ones are cut into several

  // An ASCII character; the same as step() and cheaper.
  void ascii(std::uint8_t byte, std::uint64_t at, std::vector<SignalHit>& hits) {
    const bool quiet = run_end_ == 0 && pending_ == 0 && !word_.foreign;
    if (quiet) {
      visible_ascii(byte, at);
    } else {
      step(byte, at, at + 1, hits);
    }
  }
  // The next character; kInvalidByte ends words and runs. Appends to `hits`.
  void step(std::uint32_t code_point, std::uint64_t begin, std::uint64_t end,
            std::vector<SignalHit>& hits);
  void finish(std::vector<SignalHit>& hits);

  // The first byte that may still become part of a hit; UINT64_MAX: none.
  std::uint64_t open_from() const;

 private:
  struct Word {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    unsigned letters = 0;
    bool latin = false;
    bool foreign = false;  // has look-alikes
    bool unlike = false;   // has letters that look like nothing in ASCII
  };
  void visible_ascii(std::uint8_t byte, std::uint64_t at) {
    const bool letter = static_cast<std::uint8_t>((byte | 0x20U) - 'a') < 26;
    const bool digit = static_cast<std::uint8_t>(byte - '0') < 10;
    joins_ = false;
    latin_before_ = letter || digit;
    flag_ = false;
    last_end_ = at + 1;
    if (!letter) {
      word_ = Word{};
      return;
    }
    if (word_.letters == 0) word_.begin = at;
    word_.end = at + 1;
    ++word_.letters;
    word_.latin = true;
  }
  void invisible(std::uint64_t begin, std::uint64_t end, std::vector<SignalHit>& hits);
  void settle_pending(bool latin_after, std::vector<SignalHit>& hits);
  void count_invisible(std::uint64_t begin, std::uint64_t end, std::vector<SignalHit>& hits);
  void end_run(std::vector<SignalHit>& hits);
  void end_word(std::vector<SignalHit>& hits);
  void visible(std::uint32_t code_point, std::uint64_t begin, std::uint64_t end,
               std::vector<SignalHit>& hits);

  Word word_;
  bool latin_before_ = false;  // the last visible character is a Latin letter or a digit
  bool joins_ = false;         // the last visible character may be followed by a joiner
  bool flag_ = false;          // U+1F3F4, of a flag made with tags
  // A run of tag characters or of variation selectors.
  std::uint64_t run_begin_ = 0;
  std::uint64_t run_end_ = 0;  // 0 = none
  unsigned run_length_ = 0;
  bool run_is_tags_ = false;
  // Zero-width characters since the last visible one.
  std::uint64_t pending_begin_ = 0;
  std::uint64_t pending_end_ = 0;
  unsigned pending_ = 0;
  // Zero-width characters inside words: where the last two began.
  std::uint64_t earlier_[2] = {0, 0};
  unsigned earlier_count_ = 0;
  std::uint64_t last_end_ = 0;  // of the text seen
};

}  // namespace aispm::detect
