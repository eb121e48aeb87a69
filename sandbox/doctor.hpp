// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sandbox/model/host.hpp"

namespace aispm::sandbox {

// Prints what this host can do: each mechanism by itself, then all of them together around
// /bin/true. Gives 0 when everything that is needed is there, else 1.
int run_doctor(const Host& host, const std::string& gateway_socket);

}  // namespace aispm::sandbox
