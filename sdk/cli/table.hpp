// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sdk/cli/text.hpp"

namespace aispm::cli {

// How to print: found out once from the terminal and the environment.
struct Screen {
  bool colours = false;   // a terminal, NO_COLOR not set, no --no-color
  std::size_t width = 0;  // columns; 0 = not a terminal, nothing is cut
};

// For standard output. NO_COLOR (any value) and TERM=dumb turn colours off.
Screen detect_screen(bool no_color);

struct Cell {
  Cell(std::string cell_text,
       Style cell_style = Style::kPlain)  // NOLINT(google-explicit-constructor)
      : text(safe(cell_text)), style(cell_style) {}
  std::string text;
  Style style;
};

// Rows under a header, columns aligned; numbers to the right. On a terminal the widest columns are
// cut so that a row fits.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // One cell a column. Text is made safe here.
  void add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }
  // Ends with a newline. Without rows: only `if_empty` (a sentence).
  std::string render(const Screen& screen, const std::string& if_empty) const;

 private:
  std::vector<std::size_t> widths(const Screen& screen) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace aispm::cli
