// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/policy_text.hpp"

#include <ctime>
#include <string_view>

namespace aispm::policy {
namespace {

constexpr std::int64_t kMaxSeconds = 9'223'372'036;  // 2262, where nanoseconds end

// "2027-01-21T00:00:00.000Z": UTC, from 1970 to 2262, fractions of a second are dropped.
std::optional<WallTime> parse_time(const std::string& text) {
  std::tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  if (*rest == '.') rest += 1 + std::string_view(rest + 1).find_first_not_of("0123456789");
  if (std::string_view(rest) != "Z") return std::nullopt;
  const auto seconds = static_cast<std::int64_t>(::timegm(&parts));
  if (seconds < 0 || seconds >= kMaxSeconds) return std::nullopt;
  return WallTime{seconds * 1'000'000'000};
}

}  // namespace

std::string read_text(const YamlMap& map, const std::string& key, const std::string& fallback) {
  std::string text = map.text(key, fallback);
  if (text.size() > kMaxPolicyText)
    map.reject(key, "longer than " + std::to_string(kMaxPolicyText) + " bytes");
  return text;
}

std::string read_name(const YamlMap& map, const std::string& key) {
  std::string name = map.required_text(key);
  if (name.empty() || name.size() > kMaxPolicyText)
    map.reject(key, "must be 1 to " + std::to_string(kMaxPolicyText) + " bytes");
  return name;
}

std::vector<std::string> read_text_list(const YamlMap& map, const std::string& key) {
  if (!map.has(key)) return {};
  std::vector<std::string> texts =
      map.is_list(key) ? map.texts(key) : std::vector<std::string>{map.text(key, "")};
  if (texts.size() > kMaxPolicyList)
    map.reject(key, "more than " + std::to_string(kMaxPolicyList) + " entries");
  for (const std::string& text : texts)
    if (text.empty() || text.size() > kMaxPolicyText)
      map.reject(key, "entries must be 1 to " + std::to_string(kMaxPolicyText) + " bytes");
  return texts;
}

std::vector<Glob> read_glob_list(const YamlMap& map, const std::string& key) {
  std::vector<Glob> globs;
  for (std::string& text : read_text_list(map, key)) globs.emplace_back(std::move(text));
  return globs;
}

std::optional<WallTime> read_time(const YamlMap& map, const std::string& key) {
  if (!map.has(key)) return std::nullopt;
  const std::string text = map.text(key, "");
  const auto time = parse_time(text);
  if (!time) map.reject(key, "`" + text + "`: must be a time such as 2027-01-21T00:00:00Z");
  return time;
}

}  // namespace aispm::policy
