// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace aispm::policy {

// "http", "ws", "ftp", ... in any letters: URLs of these name a host, with or without "//".
bool is_web_scheme(std::string_view name);

}  // namespace aispm::policy
