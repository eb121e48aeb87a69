// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/line_diff.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace aispm::cli {
namespace {

constexpr std::size_t kContext = 3;
constexpr int kMaxChanges = 2000;

using Lines = std::vector<std::string_view>;

// One line of the result: ' ' in both, '-' only before, '+' only after.
struct Step {
  char mark = ' ';
  std::string_view line;
};
using Steps = std::vector<Step>;

Lines split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// Furthest points by diagonal for each number of changes (Myers, 1986: An O(ND) Difference
// Algorithm). Nothing when kMaxChanges are not enough.
std::optional<std::vector<std::vector<int>>> search(const Lines& before, const Lines& after) {
  const int n = static_cast<int>(before.size());
  const int m = static_cast<int>(after.size());
  const int most = std::min(n + m, kMaxChanges);
  const int middle = most + 1;  // diagonals run from -most - 1 to most + 1
  std::vector<int> reach(static_cast<std::size_t>(2 * middle + 1), 0);
  std::vector<std::vector<int>> trace;
  const auto at = [&](int k) -> int& { return reach[static_cast<std::size_t>(middle + k)]; };
  for (int d = 0; d <= most; ++d) {
    trace.emplace_back(reach.begin(), reach.end());
    for (int k = -d; k <= d; k += 2) {
      int x = k == -d || (k != d && at(k - 1) < at(k + 1)) ? at(k + 1) : at(k - 1) + 1;
      while (x < n && x - k < m &&
             before[static_cast<std::size_t>(x)] == after[static_cast<std::size_t>(x - k)])
        ++x;
      at(k) = x;
      if (x >= n && x - k >= m) return trace;
    }
  }
  return std::nullopt;
}

Steps replace_all(const Lines& before, const Lines& after) {
  Steps steps;
  for (const auto line : before) steps.push_back({'-', line});
  for (const auto line : after) steps.push_back({'+', line});
  return steps;
}

Steps compare(const Lines& before, const Lines& after) {
  const auto trace = search(before, after);
  if (!trace) return replace_all(before, after);
  Steps steps;
  int x = static_cast<int>(before.size());
  int y = static_cast<int>(after.size());
  for (int d = static_cast<int>(trace->size()) - 1; d >= 0; --d) {
    const auto& reach = (*trace)[static_cast<std::size_t>(d)];
    const int middle = static_cast<int>(reach.size()) / 2;
    const auto at = [&](int k) { return reach[static_cast<std::size_t>(middle + k)]; };
    const int k = x - y;
    const bool is_down = k == -d || (k != d && at(k - 1) < at(k + 1));
    const int from_k = is_down ? k + 1 : k - 1;
    const int from_x = d == 0 ? 0 : at(from_k);
    const int from_y = d == 0 ? 0 : from_x - from_k;
    while (x > from_x && y > from_y) {
      --x;
      --y;
      steps.push_back({' ', before[static_cast<std::size_t>(x)]});
    }
    if (d == 0) break;
    if (is_down)
      steps.push_back({'+', after[static_cast<std::size_t>(--y)]});
    else
      steps.push_back({'-', before[static_cast<std::size_t>(--x)]});
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

std::string range_of(std::size_t start, std::size_t count) {
  return std::to_string(count == 0 ? start : start + 1) +
         (count == 1 ? "" : "," + std::to_string(count));
}

// The hunk of steps [first, last).
void add_hunk(const Steps& steps, std::size_t first, std::size_t last, std::string& out) {
  std::size_t old_start = 0;
  std::size_t new_start = 0;
  for (std::size_t i = 0; i < first; ++i) {
    old_start += steps[i].mark != '+' ? 1 : 0;
    new_start += steps[i].mark != '-' ? 1 : 0;
  }
  std::size_t old_count = 0;
  std::size_t new_count = 0;
  std::string body;
  for (std::size_t i = first; i < last; ++i) {
    old_count += steps[i].mark != '+' ? 1 : 0;
    new_count += steps[i].mark != '-' ? 1 : 0;
    body += steps[i].mark;
    body += steps[i].line;
    body += '\n';
  }
  out += "@@ -" + range_of(old_start, old_count) + " +" + range_of(new_start, new_count) + " @@\n" +
         body;
}

}  // namespace

std::string unified_diff(std::string_view name, std::string_view before, std::string_view after) {
  if (before == after) return {};
  const Steps steps = compare(split(before), split(after));
  std::string out = "--- " + std::string(name) + "\n+++ " + std::string(name) + "\n";
  std::size_t next = 0;
  while (next < steps.size()) {
    const auto changed = std::find_if(steps.begin() + static_cast<std::ptrdiff_t>(next),
                                      steps.end(), [](const Step& s) { return s.mark != ' '; });
    if (changed == steps.end()) break;
    std::size_t last = static_cast<std::size_t>(changed - steps.begin());
    const std::size_t first = last >= next + kContext ? last - kContext : next;
    // On until there is more between two changes than the context of both.
    std::size_t same = 0;
    std::size_t i = last;
    for (; i < steps.size() && same <= 2 * kContext; ++i) {
      same = steps[i].mark == ' ' ? same + 1 : 0;
      if (same == 0) last = i;
    }
    const std::size_t end = std::min(last + 1 + kContext, steps.size());
    add_hunk(steps, first, end, out);
    next = end;
  }
  return out;
}

}  // namespace aispm::cli
