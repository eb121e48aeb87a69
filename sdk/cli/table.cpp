// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/table.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace aispm::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;  // a column is not cut below this

std::string pad(const std::string& text, std::size_t width, Table::Align align) {
  const std::size_t used = display_width(text);
  const std::string spaces(width > used ? width - used : 0, ' ');
  return align == Table::Align::kRight ? spaces + text : text + spaces;
}

}  // namespace

Screen detect_screen(bool no_color) {
  Screen screen;
  if (::isatty(STDOUT_FILENO) == 0) return screen;
  winsize size{};
  screen.width =
      ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 80;
  const char* const plain = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  screen.colours = !no_color && (plain == nullptr || plain[0] == '\0') && terminal != nullptr &&
                   std::string_view(terminal) != "dumb";
  return screen;
}

void Table::add(std::vector<Cell> row) {
  row.resize(columns_.size(), Cell(""));
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::widths(const Screen& screen) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
  }
  if (screen.width == 0) return widths;
  const std::size_t gaps = kGap * (widths.size() - 1);
  for (;;) {
    const std::size_t total = std::accumulate(widths.begin(), widths.end(), gaps);
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (total <= screen.width || *widest <= kNarrowest) return widths;
    *widest -=
        std::min(total - screen.width, *widest - kNarrowest > 4 ? std::size_t{4} : std::size_t{1});
  }
}

std::string Table::render(const Screen& screen, const std::string& if_empty) const {
  if (rows_.empty()) return if_empty + "\n";
  const std::vector<std::size_t> width = widths(screen);
  std::string out;
  const auto line = [&](auto cell_of) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto [content, style] = cell_of(i);
      const bool last = i + 1 == columns_.size() && columns_[i].align == Align::kLeft;
      const std::string cut = shorten(content, width[i]);
      // Colour codes must not count as width.
      text += paint(last ? cut : pad(cut, width[i], columns_[i].align), style, screen.colours);
      if (i + 1 < columns_.size()) text += std::string(kGap, ' ');
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out += text + "\n";
  };
  line([&](std::size_t i) { return std::pair(columns_[i].title, Style::kBold); });
  for (const auto& row : rows_)
    line([&](std::size_t i) { return std::pair(row[i].text, row[i].style); });
  return out;
}

}  // namespace aispm::cli
