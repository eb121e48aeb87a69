// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/yaml.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <deque>

#include "sdk/core/common/file.hpp"

namespace aispm {

struct YamlMap::View {
  YAML::Node node;  // a map, or undefined for an absent optional map
  std::set<std::string> known;
};

struct YamlMap::State {
  std::string name;
  std::optional<std::string> error;
  // Every map handed out, so that finish() can look for keys nobody asked for. A deque: views keep
  // their address.
  std::deque<View> views;
};

namespace {

std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

// How many letters must be added, removed, changed or swapped with their neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_up(b.size() + 1);
  std::vector<std::size_t> up(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    two_up.swap(up);
    up.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], two_up[j - 2] + 1);
    }
  }
  return row[b.size()];
}

// " (did you mean `x`?)" when a known word is near enough to have been meant.
std::string nearest(const std::string& word, const std::set<std::string>& known) {
  constexpr std::size_t kLongestWord = 64;
  std::size_t best = std::max<std::size_t>(1, word.size() / 3);
  std::string meant;
  if (word.size() > kLongestWord) return meant;
  for (const auto& candidate : known) {
    if (candidate.size() > kLongestWord) continue;
    const std::size_t away = distance(word, candidate);
    if (away > best || (away == best && !meant.empty())) continue;
    best = away;
    meant = candidate;
  }
  return meant.empty() ? meant : " (did you mean `" + meant + "`?)";
}

std::optional<std::uint64_t> parse_unsigned(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty())
    return std::nullopt;
  return value;
}

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

// The longest suffix is tried first by the order of `units`.
template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const Unit (&units)[N]) {
  for (const Unit& unit : units) {
    if (!text.ends_with(unit.suffix)) continue;
    const auto value = parse_unsigned(text.substr(0, text.size() - unit.suffix.size()));
    if (!value || (unit.factor != 0 && *value > UINT64_MAX / 2 / unit.factor)) return std::nullopt;
    return *value * unit.factor;
  }
  return std::nullopt;
}

constexpr Unit kDurations[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
// A century: what is longer overflows clocks that count nanoseconds.
constexpr std::uint64_t kMaxDuration = 876'000ULL * 3'600'000;
constexpr Unit kSizes[] = {
    {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {"B", 1}, {"", 1}};

}  // namespace

Result<YamlMap> YamlMap::load(const std::string& path) {
  AISPM_TRY(const std::string content, read_file(path, kMaxFileBytes));
  return parse(content, path);
}

Result<YamlMap> YamlMap::parse(const std::string& content, const std::string& name) {
  auto state = std::make_shared<State>();
  state->name = name;
  View* const view = &state->views.emplace_back();
  try {  // yaml-cpp reports syntax by exception; this is the one border where it is caught
    view->node = YAML::Load(content);
  } catch (const YAML::Exception& problem) {
    return fail(Errc::kInvalid,
                name + ":" + std::to_string(problem.mark.line + 1) + ": " + problem.msg);
  }
  if (view->node.IsNull()) view->node = YAML::Node(YAML::NodeType::Map);
  if (!view->node.IsMap())
    return fail(Errc::kInvalid, name + ":1: the file must be a map of `key: value` lines");
  return YamlMap(std::move(state), view);
}

bool YamlMap::has(const std::string& key) const {
  view_->known.insert(key);
  const YAML::Node& node = view_->node;
  return node.IsDefined() && node.IsMap() && node[key].IsDefined() && !node[key].IsNull();
}

std::string YamlMap::where(const std::string& key) const {
  const YAML::Node& node = view_->node;
  int line = node.IsDefined() ? node.Mark().line + 1 : 1;
  if (!key.empty() && node.IsDefined() && node.IsMap())
    for (const auto& entry : node)
      if (entry.first.IsScalar() && entry.first.Scalar() == key) line = entry.first.Mark().line + 1;
  return state_->name + ":" + std::to_string(line);
}

void YamlMap::reject(const std::string& key, const std::string& what) const {
  if (!state_->error) state_->error = where(key) + ": " + (key.empty() ? "" : key + ": ") + what;
}

std::string YamlMap::text(const std::string& key, const std::string& fallback) const {
  if (!has(key)) return fallback;
  const YAML::Node node = view_->node[key];
  if (node.IsScalar()) return node.Scalar();
  reject(key, "must be a single value");
  return fallback;
}

std::string YamlMap::required_text(const std::string& key) const {
  if (!has(key)) {
    reject("", "`" + key + "` is missing");
    return {};
  }
  return text(key, "");
}

std::int64_t YamlMap::integer(const std::string& key, std::int64_t fallback, Range allowed) const {
  if (!has(key)) return fallback;
  const std::string value = text(key, "");
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < allowed.low ||
      number > allowed.high) {
    reject(key, "`" + value + "`: allowed is a whole number from " + std::to_string(allowed.low) +
                    " to " + std::to_string(allowed.high));
    return fallback;
  }
  return number;
}

double YamlMap::number(const std::string& key, double fallback, double low, double high) const {
  if (!has(key)) return fallback;
  const std::string value = text(key, "");
  char* end = nullptr;
  const double parsed = std::strtod(value.c_str(), &end);
  if (value.empty() || *end != '\0' || !(parsed >= low && parsed <= high)) {
    reject(key, "`" + value + "`: allowed is a number from " + std::to_string(low) + " to " +
                    std::to_string(high));
    return fallback;
  }
  return parsed;
}

bool YamlMap::flag(const std::string& key, bool fallback) const {
  if (!has(key)) return fallback;
  const std::string value = text(key, "");
  if (value == "true") return true;
  if (value == "false") return false;
  reject(key, "`" + value + "`: allowed is true or false");
  return fallback;
}

std::chrono::milliseconds YamlMap::duration(const std::string& key,
                                            std::chrono::milliseconds fallback) const {
  if (!has(key)) return fallback;
  const std::string value = text(key, "");
  if (const auto parsed = parse_with_unit(value, kDurations); parsed && *parsed <= kMaxDuration)
    return std::chrono::milliseconds(*parsed);
  reject(key, "`" + value + "`: allowed is a duration such as 250ms, 30s, 5m, 1h, at most 876000h");
  return fallback;
}

std::uint64_t YamlMap::size_bytes(const std::string& key, std::uint64_t fallback,
                                  std::uint64_t high) const {
  if (!has(key)) return fallback;
  const std::string value = text(key, "");
  const auto parsed = parse_with_unit(value, kSizes);
  if (parsed && *parsed <= high) return *parsed;
  reject(key, "`" + value + "`: allowed is a size such as 512, 64KiB, 16MiB, at most " +
                  std::to_string(high) + " bytes");
  return fallback;
}

std::string YamlMap::choice(const std::string& key, const std::string& fallback,
                            const std::vector<std::string>& allowed) const {
  const std::string value = text(key, fallback);
  for (const auto& item : allowed)
    if (item == value) return value;
  reject(key, "`" + value + "`: allowed is one of " + join(allowed));
  return fallback;
}

bool YamlMap::is_list(const std::string& key) const {
  return has(key) && view_->node[key].IsSequence();
}

std::vector<std::string> YamlMap::texts(const std::string& key) const {
  std::vector<std::string> items;
  if (!has(key)) return items;
  const YAML::Node node = view_->node[key];
  if (!node.IsSequence()) {
    reject(key, "must be a list");
    return items;
  }
  for (const auto& item : node) {
    if (item.IsScalar())
      items.push_back(item.Scalar());
    else
      reject(key, "must be a list of single values");
  }
  return items;
}

YamlMap YamlMap::map(const std::string& key) const {
  View* const child = &state_->views.emplace_back();
  if (has(key)) {
    child->node.reset(view_->node[key]);
    if (!child->node.IsMap()) {
      reject(key, "must be a map of `key: value` lines");
      child->node.reset(YAML::Node(YAML::NodeType::Map));
    }
  }
  return YamlMap(state_, child);
}

std::vector<YamlMap> YamlMap::maps(const std::string& key) const {
  std::vector<YamlMap> items;
  if (!has(key)) return items;
  const YAML::Node node = view_->node[key];
  if (!node.IsSequence()) {
    reject(key, "must be a list of maps");
    return items;
  }
  for (const auto& item : node) {
    if (!item.IsMap()) {
      reject(key, "must be a list of maps");
      continue;
    }
    View* const child = &state_->views.emplace_back();
    child->node.reset(item);
    items.push_back(YamlMap(state_, child));
  }
  return items;
}

std::vector<std::string> YamlMap::keys() const {
  std::vector<std::string> names;
  if (!view_->node.IsDefined() || !view_->node.IsMap()) return names;
  for (const auto& entry : view_->node) {
    if (!entry.first.IsScalar()) continue;
    names.push_back(entry.first.Scalar());
    view_->known.insert(entry.first.Scalar());
  }
  return names;
}

Result<> YamlMap::finish() const {
  const State& state = *state_;
  if (state.error) return fail(Errc::kInvalid, *state.error);
  for (const View& view : state.views) {
    if (!view.node.IsDefined() || !view.node.IsMap()) continue;
    std::set<std::string> seen;
    for (const auto& entry : view.node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
      const std::string at = state.name + ":" + std::to_string(entry.first.Mark().line + 1);
      if (!seen.insert(key).second)
        return fail(Errc::kInvalid, at + ": `" + key + "` stands twice");
      if (view.known.contains(key)) continue;
      return fail(Errc::kInvalid, at + ": unknown key `" + key + "`, allowed: " +
                                      join({view.known.begin(), view.known.end()}) +
                                      nearest(key, view.known));
    }
  }
  return {};
}

}  // namespace aispm
