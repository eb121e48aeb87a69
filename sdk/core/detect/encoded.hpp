// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/detect/rule.hpp"

// Runs of base64 (also URL-safe, also in lines), hex, binary digits, Morse code or lists of
// codes ("49 67 6e", "0x49, 0x67", "73 103 110") in a text, which may hide what the rules look for.
// Every decoding is shorter than its run, but for gzip, which is cut at kMaxInflatedBytes.
namespace aispm::detect {

// Shorter runs are words, paths and hashes, and hold too little to matter.
inline constexpr std::size_t kMinEncodedRun = 16;
inline constexpr std::size_t kMaxInflatedBytes = 64U << 10;

struct EncodedRun {
  std::size_t offset = 0;
  std::size_t length = 0;
  Trick trick =
      Trick::kBase64;  // kBase64 (may turn out to be hex), kBinary, kMorse, kHex: a list of codes
};

// The first run of that kind at or after `from`.
std::optional<EncodedRun> find_encoded_run(std::string_view text, std::size_t from,
                                           Trick trick = Trick::kBase64);

// Unpacks gzip and zlib data; keeps its memory. Movable; one thread.
class Inflater {
 public:
  Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;
  ~Inflater();

  enum class Outcome : std::uint8_t {
    kWhole,  // all of it, or all that was not damaged
    kCut,    // more than kMaxInflatedBytes
    kNot,    // no such data
  };
  // Replaces `out`; `data` must not lie in it.
  Outcome inflate(std::string_view data, std::string& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Replaces `out` by what `run` says: hex when it is nothing but pairs of hex digits, else base64,
// from the first of its four alignments that gives text; binary; Morse; codes with gaps
// between them, hex or else decimal. UTF-16 of ASCII becomes ASCII. Padding and an incomplete
// last group are let go. The trick it was; nothing when what comes out is not mostly printable
// text, and so no hiding place for it.
std::optional<Trick> decode_run(std::string_view run, Trick trick, std::string& out);

// Replaces `out` by the bytes of a base64 run that may hold gzip or zlib data, judging by how it
// begins; false when it does not.
bool decode_packed(std::string_view run, std::string& out);

// At least nine of ten bytes are printable or part of valid UTF-8.
bool is_mostly_text(std::string_view text);

}  // namespace aispm::detect
