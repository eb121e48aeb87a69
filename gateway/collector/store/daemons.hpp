// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace aispm::collector::store {

// Daemons of one host that may say what came of one policy's version or one freeze; words of
// further ones are passed over.
inline constexpr std::int64_t kMaxDaemonsOfHost = 64;

}  // namespace aispm::collector::store
