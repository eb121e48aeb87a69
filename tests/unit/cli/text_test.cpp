// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/text.hpp"

#include <gtest/gtest.h>

namespace aispm::cli {
namespace {

using namespace std::string_view_literals;

struct Case {
  std::string_view given;
  std::string_view shown;
};

TEST(SafeText, ShowsEveryControlByteAsWords) {
  for (int byte = 0; byte < 0x20; ++byte) {
    const std::string shown = safe(std::string(1, static_cast<char>(byte)));
    ASSERT_GE(shown.size(), 2U) << byte;
    EXPECT_EQ(shown[0], '\\') << byte;
    for (const char c : shown) EXPECT_TRUE(c >= ' ' && c < '\x7f') << byte;
  }
}

TEST(SafeText, DisarmsWhatATerminalWouldObey) {
  constexpr Case kCases[] = {
      {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
      {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
      {"one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"},
      {"a\0b"sv, "a\\x00b"},
      {"\x7f", "\\x7f"},
      {"\xc2\x9b"
       "31m",
       "\\x9b31m"},                               // CSI as one C1 control
      {"abc\xe2\x80\xaetxt", "abc\\u{202e}txt"},  // right-to-left override
      {"a\xe2\x80\x8b"
       "b",
       "a\\u{200b}b"},                               // zero width space
      {"a\xe2\x80\xa8z", "a\\u{2028}z"},             // line separator
      {"a\xf3\xa0\x81\x81z", "a\\u{e0041}z"},        // tag character
      {"a\xff\xc3z", "a\xef\xbf\xbd\xef\xbf\xbdz"},  // not UTF-8
  };
  for (const auto& [given, shown] : kCases) EXPECT_EQ(safe(given), shown);
}

TEST(SafeText, LeavesOrdinaryTextAlone) {
  for (const std::string text :
       {"", "deny secret.aws_access_key", "Zürich 東京 🙂", "back\\slash"})
    EXPECT_EQ(safe(text), text);
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("ü"), 1U);
  EXPECT_EQ(display_width("東京"), 4U);
  EXPECT_EQ(display_width("e\xcc\x81"), 1U);  // e and a combining acute
}

TEST(Shorten, CutsByColumnsAndSaysSo) {
  EXPECT_EQ(shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(shorten("abcdefg", 6), "abcde…");
  EXPECT_EQ(shorten("東京都", 5), "東京…");
  EXPECT_EQ(shorten("東京都", 4), "東…");
  EXPECT_EQ(shorten("abc", 1), "…");
  EXPECT_EQ(shorten(std::string(1000, 'x'), 0), std::string(1000, 'x'));
}

TEST(Paint, WritesEscapeCodesOnlyWithColours) {
  EXPECT_EQ(paint("deny", Style::kBad, true), "\x1b[31mdeny\x1b[0m");
  EXPECT_EQ(paint("deny", Style::kBad, false), "deny");
  EXPECT_EQ(paint("deny", Style::kPlain, true), "deny");
  EXPECT_EQ(paint("", Style::kBad, true), "");
}

}  // namespace
}  // namespace aispm::cli
