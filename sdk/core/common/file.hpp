// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

namespace aispm {

// Reads a whole regular file. kTooLarge when it holds more than `limit_bytes`.
Result<std::string> read_file(const std::string& path, std::size_t limit_bytes);

// Replaces `path` atomically: temporary file beside it, fsync, rename, fsync of the folder.
Result<> write_file_atomically(const std::string& path, std::string_view content, unsigned mode);

// `mkdir -p`; folders made get `mode`. Existing ones are left as they are.
Result<> make_directories(const std::string& path, unsigned mode);

}  // namespace aispm
