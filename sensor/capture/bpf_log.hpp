// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sdk/core/common/result.hpp"

namespace aispm::sensor {

// Sends libbpf's own messages to our log at debug level and keeps the last warning. Call once,
// before any other libbpf call.
void capture_libbpf_messages();

// "load the tls programs: <errno text>; <libbpf's last warning>"
tl::unexpected<Error> fail_bpf(const std::string& what, int error);

}  // namespace aispm::sensor
