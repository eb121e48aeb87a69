// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/common/secret.hpp"

namespace aispm {

// HMAC-SHA-256 (RFC 2104) as 64 lower-case hex digits. Any thread.
std::string hmac_sha256_hex(const Secret& key, std::string_view text);

}  // namespace aispm
