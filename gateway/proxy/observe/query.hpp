// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdk/core/common/result.hpp"

// Queries of the APIs that list what the gateway remembers. Pure.
namespace aispm::gateway {

inline constexpr std::size_t kMaxQueryBytes = 2048;
inline constexpr std::size_t kMaxQueryValueBytes = 256;

// "?name=value&..." taken apart, percent signs decoded; empty parts are left out. kInvalid says
// what is wrong.
Result<std::vector<std::pair<std::string, std::string>>> read_query(std::string_view query);

// A whole number from 0 to `high`.
Result<std::uint64_t> read_query_number(const std::string& name, std::string_view value,
                                        std::uint64_t high);

}  // namespace aispm::gateway
