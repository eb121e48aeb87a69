// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/web/page_style.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "gateway/mcp/web/page_text.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxRules = 4096;
constexpr double kFarAway = 500;      // pixels beyond the edge
constexpr double kUnreadable = 2;     // of a letter's size in pixels
constexpr double kSeeThrough = 0.05;  // of opacity

// Without comments and escapes, in small letters.
std::string plain_css(std::string_view css) {
  std::string plain;
  plain.reserve(css.size());
  while (!css.empty()) {
    if (css.starts_with("/*")) {
      const std::size_t end = css.find("*/", 2);
      css.remove_prefix(end == std::string_view::npos ? css.size() : end + 2);
      continue;
    }
    const char c = css.front();
    css.remove_prefix(1);
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return plain;
}

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// In pixels, roughly; nothing: no length.
std::optional<double> length_of(std::string_view value) {
  const std::string text(value);
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end == text.c_str()) return std::nullopt;
  const std::string_view unit = trim(std::string_view(end));
  if (unit.starts_with("em") || unit.starts_with("rem") || unit.starts_with("ch"))
    return number * 16;
  if (unit.starts_with("vw") || unit.starts_with("vh") || unit.starts_with("%")) return number * 10;
  if (unit.starts_with("cm")) return number * 38;
  if (unit.starts_with("in")) return number * 96;
  return number;
}

bool is_below(std::string_view value, double limit) {
  const auto length = length_of(value);
  return length && *length < limit;
}

// Of one element.
struct Declared {
  bool is_hidden = false;
  bool is_clipped = false;  // what does not fit is cut off
  bool has_no_size = false;
  bool is_placed = false;  // out of the flow
  bool is_far_away = false;
  std::string color;
  std::string background;

  void take(std::string_view name, std::string_view value);
  bool hides() const {
    return is_hidden || (is_clipped && has_no_size) || (is_placed && is_far_away) ||
           (!color.empty() && color == background);
  }
};

void Declared::take(std::string_view name, std::string_view value) {
  if (name == "display") is_hidden |= value.starts_with("none");
  if (name == "visibility")
    is_hidden |= value.starts_with("hidden") || value.starts_with("collapse");
  if (name == "content-visibility") is_hidden |= value.starts_with("hidden");
  if (name == "opacity") is_hidden |= is_below(value, kSeeThrough);
  if (name == "font-size") is_hidden |= is_below(value, kUnreadable);
  if (name == "font") is_hidden |= value.starts_with("0");
  if (name == "text-indent" || name == "margin-left" || name == "margin-top")
    is_hidden |= is_below(value, -kFarAway);
  if (name == "overflow" || name == "overflow-x" || name == "overflow-y")
    is_clipped |= value.starts_with("hidden") || value.starts_with("clip");
  if (name == "width" || name == "height" || name == "max-width" || name == "max-height")
    has_no_size |= is_below(value, kUnreadable);
  if (name == "position") is_placed |= value.starts_with("absolute") || value.starts_with("fixed");
  if (name == "left" || name == "top" || name == "right" || name == "bottom")
    is_far_away |= is_below(value, -kFarAway);
  if (name == "clip") is_hidden |= value.starts_with("rect(0") || value.starts_with("rect(1px");
  if (name == "clip-path")
    is_hidden |= value.starts_with("inset(50%") || value.starts_with("inset(100%") ||
                 value.starts_with("circle(0") || value.starts_with("polygon(0 0, 0 0");
  if (name == "transform")
    is_hidden |= value.find("scale(0)") != std::string_view::npos ||
                 value.find("-9999") != std::string_view::npos;
  if (name == "color") {
    color = value;
    is_hidden |= value.starts_with("transparent");
  }
  if (name == "background" || name == "background-color") background = value;
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

}  // namespace

bool hides(std::string_view declarations) {
  const std::string plain = plain_css(declarations);
  Declared declared;
  std::string_view rest = plain;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    const std::string_view one = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t colon = one.find(':');
    if (colon == std::string_view::npos) continue;
    declared.take(trim(one.substr(0, colon)), trim(one.substr(colon + 1)));
  }
  return declared.hides();
}

void PageStyle::add(std::string_view sheet) {
  const std::string plain = plain_css(sheet);
  std::string_view rest = plain;
  while (!rest.empty() && rules_ < kMaxRules) {
    const std::size_t open = rest.find('{');
    if (open == std::string_view::npos) return;
    const std::string_view selectors = trim(rest.substr(0, open));
    rest.remove_prefix(open + 1);
    if (selectors.starts_with("@media") && selectors.find("print") == std::string_view::npos)
      continue;  // what is in it is read as if it stood outside
    const std::size_t close = std::min(rest.find('}'), rest.size());
    ++rules_;
    if (!selectors.starts_with('@') && hides(rest.substr(0, close))) note(selectors);
    rest.remove_prefix(std::min(close + 1, rest.size()));
    while (!trim(rest).empty() && trim(rest).front() == '}') {
      rest = trim(rest);
      rest.remove_prefix(1);
    }
  }
}

// `.class`, `#id` and `tag.class`; what stands in others cannot be told from here.
void PageStyle::note(std::string_view selectors) {
  while (!selectors.empty()) {
    const std::size_t comma = std::min(selectors.find(','), selectors.size());
    std::string_view one = trim(selectors.substr(0, comma));
    selectors.remove_prefix(std::min(comma + 1, selectors.size()));
    const std::size_t mark = one.find_first_of(".#");
    if (mark == std::string_view::npos || (mark > 0 && !is_name(one.substr(0, mark)))) continue;
    const std::string_view name = one.substr(mark + 1);
    if (!is_name(name)) continue;
    (one[mark] == '.' ? classes_ : ids_).emplace(name);
  }
}

bool PageStyle::hides_class(std::string_view classes) const {
  if (classes_.empty()) return false;
  const std::string low = plain_css(classes);
  std::string_view rest = low;
  while (!(rest = trim(rest)).empty()) {
    const std::size_t end = std::min(rest.find_first_of(" \t\r\n\f"), rest.size());
    if (classes_.contains(std::string(rest.substr(0, end)))) return true;
    rest.remove_prefix(end);
  }
  return false;
}

bool PageStyle::hides_id(std::string_view id) const { return ids_.contains(plain_css(id)); }

}  // namespace aispm::gateway
