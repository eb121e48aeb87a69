// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace aispm {

// No byte above 0x7f: UTF-8, of one byte a character.
bool is_ascii(std::string_view bytes);

// Length in bytes (1..4) of the well-formed UTF-8 character at the front, or 0 when there is none
// (Unicode 15 table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_length(std::string_view text);

// The text as it is when it is UTF-8, else with U+FFFD for each byte that is not part of a
// character. Kernel strings (argv, paths, task names) are bytes; protobuf, JSON and SQLite refuse
// what is not UTF-8.
std::string to_utf8(std::string_view bytes);

// Cuts text to at most `limit_bytes`, never within a character of well-formed
// UTF-8. True when something was cut.
bool cut_utf8(std::string& text, std::size_t limit_bytes);

}  // namespace aispm
