// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/input.hpp"

#include <iostream>

#include "sdk/core/common/file.hpp"

namespace aispm::cli {

Result<std::string> read_text(const std::string& file, std::size_t limit_bytes) {
  if (file != "-") return read_file(file, limit_bytes);
  std::string text(limit_bytes + 1, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::cin.gcount()));
  if (text.size() > limit_bytes)
    return fail(Errc::kTooLarge,
                "standard input: longer than " + std::to_string(limit_bytes) + " bytes");
  return text;
}

}  // namespace aispm::cli
