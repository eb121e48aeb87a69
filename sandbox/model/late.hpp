// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/model/plan.hpp"
#include "sdk/core/common/result.hpp"

// What a waiting sandbox of the warm pool is told when it is taken. Pure.
namespace aispm::sandbox {

inline constexpr std::uint32_t kEnterMagic = 0x4E455741;
inline constexpr std::size_t kMaxEnterLimits = 16;
inline constexpr std::size_t kMaxEnterBytes = 8U << 20;  // of arguments and environment

// Begins the memory file that comes with kEnter. Behind it stand NUL-terminated texts: the folder
// to start in, the executable, the script (empty: none), the arguments, the environment.
// Read by the sandbox's own process, in C++ (sandbox/enter) and in Python (runner.py).
struct EnterHeader {
  struct Limit {
    std::uint32_t resource;
    std::uint32_t pad;
    std::uint64_t soft;
    std::uint64_t hard;
  };
  std::uint32_t magic;
  std::uint32_t text_offset;  // bytes from the start of the file
  std::uint32_t arguments;
  std::uint32_t variables;
  std::uint64_t signal_mask;
  std::uint32_t umask;
  std::uint32_t landlock_flags;
  std::uint32_t limits;
  std::uint32_t pad;
  Limit limit[kMaxEnterLimits];
};
static_assert(sizeof(EnterHeader) == 40 + 24 * kMaxEnterLimits);

// The whole file. kTooLarge above kMaxEnterBytes, kInvalid for a text with a NUL in it.
Result<std::string> encode_enter(EnterHeader header, const std::string& folder,
                                 const std::string& executable, const std::string& script,
                                 const std::vector<std::string>& arguments,
                                 const std::vector<std::string>& environment);

inline constexpr std::size_t kMaxLateMounts = 1024;
inline constexpr std::size_t kMaxLateMountBytes = 4U << 20;
std::string encode_mounts(const std::vector<Mount>& mounts);
// Any bytes are safe. kInvalid for what encode_mounts() did not write.
Result<std::vector<Mount>> decode_mounts(std::string_view bytes);

// What a caller of the pool wants. Both ends compute `fingerprint` from their own plan of the
// sandbox's base: it differs where they do not see the same.
struct Want {
  std::string profile;      // built-in
  std::string interpreter;  // of Python, absolute; empty: a sandbox that executes what it is told
  bool is_online = false;   // with a way to the gateway
  std::string fingerprint;
  std::vector<std::string> locale;  // LANG=..., LC_*=...: an interpreter reads them when it starts
  bool operator==(const Want&) const = default;
  auto operator<=>(const Want&) const = default;
};
inline constexpr std::size_t kMaxWantBytes = 1000;
// kTooLarge when it does not fit into a message.
Result<std::string> encode_want(const Want& want);
// Any bytes are safe: kInvalid for a wrong number of lines, characters or variables.
Result<Want> decode_want(std::string_view text);

}  // namespace aispm::sandbox
