// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sdk/core/detect/normalise.hpp"

// English words that people still read and patterns do not: run together ("ignoreallprevious
// instructions" without the space) or with their inner letters shuffled ("ignroe all pervoius").
namespace aispm::detect {

inline constexpr std::size_t kMinJoinedLetters = 18;  // in a row, before they may be several words
inline constexpr std::size_t kMaxJoinedRun = 2048;    // letters told apart together; more in pieces
inline constexpr std::size_t kMaxJoinedBytes = 16384;  // of one text; what comes later stays
inline constexpr std::size_t kMinShuffledWords = 3;

// Working memory, about 10 KB.
struct RespellBuffers {
  std::array<float, kMaxJoinedRun + 1> cost;
  std::array<std::uint8_t, kMaxJoinedRun + 1> size;  // of the word that ends here
};

// Replaces `out` by the text with such words as they are usually spelled, and says whether there
// are any; `out` is of no use otherwise. `text` is normalised. Linear; no allocation once `out` has
// grown. Any thread.
bool respell(std::string_view text, RespellBuffers& buffers, Shadow& out);

}  // namespace aispm::detect
