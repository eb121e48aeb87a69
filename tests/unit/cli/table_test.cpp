// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace aispm::cli {
namespace {

constexpr Screen kPipe{};

Table names_and_counts() {
  return Table({{"NAME", Table::Align::kLeft}, {"COUNT", Table::Align::kRight}, {"NOTE"}});
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Table, AlignsTextLeftAndNumbersRight) {
  Table table = names_and_counts();
  table.add({Cell("alice/agent.py"), Cell("7"), Cell("first")});
  table.add({Cell("bob"), Cell("1234567"), Cell("")});
  EXPECT_EQ(table.render(kPipe, ""),
            "NAME              COUNT  NOTE\n"
            "alice/agent.py        7  first\n"
            "bob             1234567\n");
}

TEST(Table, AlignsByColumnsNotBytes) {
  Table table = names_and_counts();
  table.add({Cell("東京"), Cell("1"), Cell("x")});
  table.add({Cell("abcd"), Cell("2"), Cell("y")});
  EXPECT_EQ(table.render(kPipe, ""),
            "NAME  COUNT  NOTE\n"
            "東京      1  x\n"
            "abcd      2  y\n");
}

TEST(Table, WithoutRowsIsASentence) {
  EXPECT_EQ(names_and_counts().render(kPipe, "No agents yet."), "No agents yet.\n");
}

TEST(Table, FillsMissingCells) {
  Table table = names_and_counts();
  table.add({Cell("alice")});
  EXPECT_THAT(lines_of(table.render(kPipe, "")),
              ::testing::ElementsAre("NAME   COUNT  NOTE", "alice"));
}

TEST(Table, DisarmsCells) {
  Table table = names_and_counts();
  table.add({Cell("\x1b[2Jx\nfake row"), Cell("1"), Cell("")});
  const std::string text = table.render(kPipe, "");
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(lines_of(text).size(), 2U);
}

TEST(Table, FitsATerminalByCuttingTheWidestColumn) {
  Table table = names_and_counts();
  table.add({Cell("alice"), Cell("7"), Cell(std::string(200, 'n'))});
  const Screen terminal{false, 60};
  const auto lines = lines_of(table.render(terminal, ""));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_LE(display_width(lines[1]), 60U);
  EXPECT_THAT(lines[1], ::testing::StartsWith("alice"));
  EXPECT_THAT(lines[1], ::testing::EndsWith("n…"));
}

TEST(Table, CutsNothingInAPipe) {
  Table table = names_and_counts();
  table.add({Cell("alice"), Cell("7"), Cell(std::string(5000, 'n'))});
  EXPECT_THAT(table.render(kPipe, ""), ::testing::HasSubstr(std::string(5000, 'n')));
}

TEST(Table, ColoursDoNotMoveColumns) {
  Table table = names_and_counts();
  table.add({Cell("a", Style::kBad), Cell("1"), Cell("x")});
  EXPECT_EQ(lines_of(table.render({true, 0}, ""))[1], "\x1b[31ma   \x1b[0m      1  x");
}

}  // namespace
}  // namespace aispm::cli
