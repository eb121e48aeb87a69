// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Checksums and forms of network and wallet addresses, and of telephone numbers. Pure; any bytes.
namespace aispm::detect {

// Base58Check: the last four of the decoded bytes are the start of a double SHA-256 of the others.
// At most 128 characters. Source: Bitcoin wiki, "Base58Check encoding".
bool is_base58_check(std::string_view text);

// BIP-173 and BIP-350 (bech32, bech32m) of any human-readable part.
bool is_bech32(std::string_view text);

// A whole IPv6 address in one of the forms of RFC 4291 section 2.2, not unspecified or loopback.
bool is_ipv6(std::string_view text);

// 7 to 15 digits (ITU-T E.164) that are no date and no US social security number, whatever stands
// between them.
bool is_phone(std::string_view text);

}  // namespace aispm::detect
