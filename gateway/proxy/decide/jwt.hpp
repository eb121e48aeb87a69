// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

// Signed tokens (JWT, EdDSA or RS256). Pure.
namespace aispm::gateway {

inline constexpr std::size_t kMaxJwtBytes = 8U << 10;
inline constexpr std::int64_t kClockSkewSeconds = 30;

// What a token claims, signed by one of these public keys (PEM). kDenied: no such token; says what
// is wrong with it: "is no JWT".
Result<boost::json::object> read_jwt(std::string_view token, std::span<const std::string> keys);

// What a token claims, whoever signed it: only to find the key by which it must be read.
std::optional<boost::json::object> peek_jwt(std::string_view token);

// A text member; "" when there is none.
std::string_view text_claim(const boost::json::object& claims, const char* key);
std::optional<std::int64_t> number_claim(const boost::json::object& claims, const char* key);
// A text, or a list with it.
bool claims_one(const boost::json::object& claims, const char* key, std::string_view wanted);

}  // namespace aispm::gateway
