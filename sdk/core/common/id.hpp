// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace aispm {

// Fills from getrandom(2); aborts if the kernel has no entropy source, since every id and key
// depends on it.
void fill_random(std::span<std::uint8_t> bytes);

std::string to_hex(std::span<const std::uint8_t> bytes);

// UUID version 7 (RFC 9562): sorts by the time it was made. Thread-safe, no allocation besides the
// string.
std::string make_uuid();
// W3C trace context ids: 32 and 16 lower-case hex digits, never all zero.
std::string make_trace_id();
std::string make_span_id();

// A URL-safe secret of `bytes` random bytes (base64url without padding), e.g. for keys and tokens.
std::string make_token(std::size_t bytes);

}  // namespace aispm
