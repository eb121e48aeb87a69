// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "sdk/core/common/result.hpp"

namespace aispm::cli {

// The whole file, `-` for standard input. kTooLarge beyond `limit_bytes`.
Result<std::string> read_text(const std::string& file, std::size_t limit_bytes);

}  // namespace aispm::cli
