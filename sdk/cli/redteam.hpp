// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>

#include "sdk/core/common/result.hpp"

namespace aispm::cli {

// Where `aispm redteam` lies for a program in `folder`: ../lib/aispm/redteam, both installed and
// built. kNotFound when it is not there.
Result<std::filesystem::path> find_redteam(const std::filesystem::path& folder);

// Becomes `aispm redteam` (sdk/redteam, Python) with these arguments, without the user's Python
// settings. Comes back only with the reason why it cannot.
Error exec_redteam(std::span<char* const> arguments);

}  // namespace aispm::cli
