// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/seccomp.h>

#include <cerrno>
#include <string>

#include "sdk/core/common/result.hpp"

namespace aispm::sandbox {

// What every announced call is answered with.
inline constexpr int kRefusedCall = EPERM;

// The name of a refused call from its registers alone, so it cannot be forged: "ptrace",
// "socket(AF_VSOCK,1,0)", "ioctl(0x5412)", "i386:26", "x32:39", "syscall:4000". Pure.
std::string name_call(const seccomp_data& call);

// Answers one announced call with EPERM and names it. Never lets a call continue and never reads
// the agent's memory. Empty when the caller died meanwhile.
Result<std::string> refuse_call(int listener);

}  // namespace aispm::sandbox
