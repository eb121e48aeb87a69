// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace aispm::sensor::fingerprint {

// Name and content of each fingerprint file this version was built with.
std::vector<std::pair<std::string, std::string>> builtin_pack_files();

}  // namespace aispm::sensor::fingerprint
