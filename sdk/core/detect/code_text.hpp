// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Is this code, markup or a dump rather than sentences? Pure; any bytes; one pass.
namespace aispm::detect {

// The most confidence that tier 1 has in a text which is not suspected for what it is.
inline constexpr double kNoSuspicion = 0.49;

// At least one character in ten is a sign of code, or names of code (`a_b`, `aB`, `f(`, `--x=`) are
// a fifth of the words, or less than three fifths are letters and spaces. A text without words is
// none. Bytes beyond ASCII count as letters.
bool reads_like_code(std::string_view text);

// Nothing but an address of a few words (`office://letters/2026/welcome.txt`), without a query:
// its words are no sentence. One of more than six words may well be.
bool is_plain_uri(std::string_view text);

}  // namespace aispm::detect
