// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace aispm::sensor {

// Name and content of each signature file this version was built with.
std::vector<std::pair<std::string, std::string>> builtin_signature_files();

}  // namespace aispm::sensor
