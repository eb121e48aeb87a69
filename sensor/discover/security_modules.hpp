// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace aispm::sensor {

// The security modules that the running kernel has active, as /sys/kernel/security/lsm lists them:
// "capability,landlock,bpf". Asks the kernel itself, since securityfs need not be mounted; nothing
// before Linux 6.8.
std::optional<std::string> active_security_modules();

// Names for the numbers of linux/lsm.h; one without a name is "lsm-<number>".
std::string name_security_modules(std::span<const std::uint64_t> ids);

}  // namespace aispm::sensor
