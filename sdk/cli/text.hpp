// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace aispm::cli {

// Text of events is written by agents and remote hosts. This makes it harmless in a terminal:
// control bytes (so no escape sequence, no second line), direction overrides and invisible format
// characters appear as \n, \x1b or \u{202e}; bytes that are not UTF-8 as U+FFFD. Printing anything
// from the collector without it is a bug.
std::string safe(std::string_view text);

// Columns the text takes in a terminal: wide characters count 2, combining ones 0. For text that
// went through safe().
std::size_t display_width(std::string_view text);

// At most `columns` wide; what is cut ends with "…". 0 means no limit.
std::string shorten(std::string_view text, std::size_t columns);

// The text, or "-" for none.
inline std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

enum class Style { kPlain, kBold, kDim, kGood, kWarn, kBad };

// The text between the escape codes of a style, or as it is when `colours` is false.
std::string paint(std::string_view text, Style style, bool colours);

}  // namespace aispm::cli
