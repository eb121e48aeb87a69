// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

// The arithmetic of the semantic tier: one window of token vectors becomes one vector of features.
// The shape is that of the multilingual universal sentence encoder, version 3: three convolutions
// over 2, 3 and 5 tokens beside the token vectors themselves, their sum, and dense layers above it.
// Plain memory in and out; nothing here checks, or knows of files.
namespace aispm::detect::net {

inline constexpr std::size_t kToken = 512;  // width of a token's vector
inline constexpr std::size_t kBranch = 256;
inline constexpr std::size_t kBranches = 3;
inline constexpr std::size_t kOrder[kBranches] = {2, 3, 5};  // tokens a convolution looks at
inline constexpr std::size_t kLeft[kBranches] = {0, 1, 2};   // of them before its own
inline constexpr std::size_t kWide = kToken + kBranches * kBranch;
inline constexpr std::size_t kPooled = 512;  // widths above the sum over tokens
inline constexpr std::size_t kHidden = 320;
inline constexpr std::size_t kLast = 512;
inline constexpr std::size_t kFeatures = kPooled + kHidden + kLast;  // three of those layers
inline constexpr std::size_t kPadding = 4;  // rows of zeros around a window, for the convolutions

// All matrices row by row, inputs x outputs.
struct Weights {
  const float* projection = nullptr;       // kToken x (kBranches * kBranch)
  const float* projection_bias = nullptr;  // kBranches * kBranch, as are the next two
  const float* projection_gain = nullptr;
  const float* projection_shift = nullptr;
  const float* first[kBranches] = {};  // (kOrder * kBranch) x kBranch
  const float* first_bias[kBranches] = {};
  const float* second[kBranches] = {};
  const float* second_bias[kBranches] = {};
  const float* gain = nullptr;  // kWide
  const float* shift = nullptr;
  const float* pooled = nullptr;       // kWide x kPooled
  const float* pooled_bias = nullptr;  // kPooled
  const float* dense1 = nullptr;       // kPooled x kHidden
  const float* dense2 = nullptr;       // kHidden x kHidden
  const float* dense2_skip = nullptr;  // kPooled x kHidden
  const float* dense3 = nullptr;       // kHidden x kLast
  const float* dense4 = nullptr;       // kLast x kLast
  const float* dense4_skip = nullptr;  // kHidden x kLast
};

// Buffers for windows of up to `tokens` tokens, 64-byte aligned.
struct Buffers {
  float* wide = nullptr;  // tokens x kWide; the caller puts the token vectors at the row starts
  float* projected = nullptr;  // tokens x (kBranches * kBranch)
  float* padded = nullptr;     // (tokens + kPadding) x kBranch, twice
  float* product = nullptr;    // tokens x kBranch, at least kWide + kHidden + kLast
};

// Whether this processor can run features(): x86-64 needs AVX2 and FMA.
bool is_supported();

// Writes kFeatures floats to `out`. `tokens` >= 1. About 1.7 million multiplications a token.
void features(const Weights& weights, const Buffers& buffers, std::size_t tokens, float* out);

}  // namespace aispm::detect::net
