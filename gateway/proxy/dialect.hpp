// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace aispm::gateway {

// The API a client or provider speaks.
enum class Dialect : std::uint8_t { kOpenAi, kAnthropic };

constexpr std::string_view name_of(Dialect dialect) {
  return dialect == Dialect::kOpenAi ? "openai" : "anthropic";
}

}  // namespace aispm::gateway
