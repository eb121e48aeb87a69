// SPDX-License-Identifier: Apache-2.0
#pragma once

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
  std::string target;    // "93.184.216.34:443", "[2001:db8::1]:443", "secret.example", "ptrace"
  std::string protocol;  // "tcp", "udp" or empty
  auto operator<=>(const Denial&) const = default;
};

}  // namespace aispm::sandbox
