// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace aispm::sandbox {

// Same names as aispm.v1.SandboxDenial.Kind.
enum class DenialKind : std::uint8_t {
  kConnect = 1,
  kDns = 2,
  kSyscall = 3,
  kFile = 4,
  kLimit = 5
};

// Something the sandbox refused. Equal ones are folded into a count.
struct Denial {
  DenialKind kind = DenialKind::kConnect;
  std::string target;       // "93.184.216.34:443", "[2001:db8::1]:443", "secret.example", "ptrace"
  std::string protocol;     // "tcp", "udp" or empty
  int error = 0;            // errno that the program got; 0: it was told nothing, or in other words
  std::string name = {};    // host name behind the target's address, where known
  std::string reason = {};  // as the agent was told; empty where the kind says it all
  auto operator<=>(const Denial&) const = default;
};

// What became of equal denials within one report.
struct FoldedDenial {
  Denial denial;
  std::uint64_t count = 0;
  std::chrono::steady_clock::time_point first;
  std::chrono::steady_clock::time_point last;
};

}  // namespace aispm::sandbox
