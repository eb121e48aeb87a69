// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// Runs of base64 (also URL-safe) or hex in a text, which may hide what the rules look for.
namespace aispm::detect {

// Shorter runs are words, paths and hashes, and hold too little to matter.
inline constexpr std::size_t kMinEncodedRun = 24;

struct EncodedRun {
  std::size_t offset = 0;
  std::size_t length = 0;
};

// The first run at or after `from`.
std::optional<EncodedRun> find_encoded_run(std::string_view text, std::size_t from);

// Replaces `out` by what `run` says: hex when it is nothing but pairs of hex digits, else base64.
// Padding and an incomplete last group are let go. False when what comes out is not mostly
// printable text, and so no hiding place for it.
bool decode_run(std::string_view run, std::string& out);

}  // namespace aispm::detect
