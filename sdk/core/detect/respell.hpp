// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sdk/core/detect/normalise.hpp"

// English words that people still read and patterns do not: run together ("ignoreallprevious
// instructions" without the space), with their inner letters shuffled ("ignroe all pervoius"), or
// letter by letter ("i g n o r e", spaced_letters.hpp).
namespace aispm::detect {

inline constexpr std::size_t kMinJoinedLetters = 13;  // in a row, before they may be several words
inline constexpr std::size_t kMaxJoinedRun = 2048;    // letters told apart together; more in pieces
inline constexpr std::size_t kMaxJoinedBytes = 16384;  // of one text; what comes later stays
inline constexpr std::size_t kMinShuffledWords = 3;

// Working memory, about 12 KB.
struct RespellBuffers {
  std::array<float, kMaxJoinedRun + 1> cost;
  std::array<std::uint8_t, kMaxJoinedRun + 1> size;  // of the word that ends here
  std::array<bool, kMaxJoinedRun + 1> known;         // it is a word, not a letter that is left over
};

enum class Respelled : std::uint8_t {
  kNot,
  kClosedUp,  // letters one by one became words
  kApart,     // words run together became words
  kInOrder,   // shuffled letters did
};

// Replaces `out` by the text with such words as they are usually spelled, and says which; `out` is
// of no use at kNot. One disguise at a time: what comes out may be respelled again. `text` is
// normalised. Linear; no allocation once `out` has grown. Any thread.
Respelled respell(std::string_view text, RespellBuffers& buffers, Shadow& out);

}  // namespace aispm::detect
