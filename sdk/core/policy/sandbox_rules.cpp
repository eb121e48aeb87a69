// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/sandbox_rules.hpp"

#include <algorithm>
#include <cmath>

#include "sdk/core/common/yaml.hpp"

namespace aispm::policy {
namespace {

using Limits = std::map<std::string, std::uint64_t>;
constexpr std::uint64_t kMaxBytes = 1ULL << 40;
constexpr std::chrono::hours kMaxTime{24 * 30};

// The smallest with which a run can still start.
struct Size {
  const char* name;
  std::uint64_t least;
};
constexpr Size kSizes[] = {{"memory", 16U << 20}, {"file_size", 1},    {"tmp_size", 4096},
                           {"shm_size", 4096},    {"home_size", 4096}, {"disk", 3 * 4096},
                           {"output", 1}};
struct Count {
  const char* name;
  YamlMap::Range range;
};
constexpr Count kCounts[] = {
    {"pids", {2, 65536}}, {"open_files", {16, 1048576}}, {"runs", {1, 4096}}};

Limits read_limits(const YamlMap& map) {
  Limits limits;
  for (const Size& size : kSizes) {
    if (!map.has(size.name)) continue;
    const std::uint64_t bytes = map.size_bytes(size.name, size.least, kMaxBytes);
    if (bytes < size.least)
      map.reject(size.name, "must be at least " + std::to_string(size.least) + " bytes");
    limits[size.name] = bytes;
  }
  for (const Count& count : kCounts)
    if (map.has(count.name))
      limits[count.name] =
          static_cast<std::uint64_t>(map.integer(count.name, count.range.low, count.range));
  if (map.has("cpus"))
    limits["cpus"] =
        static_cast<std::uint64_t>(std::lround(map.number("cpus", 1, 0.01, 1024) * 1000));
  for (const char* const name : {"cpu_time", "wall_time"}) {
    if (!map.has(name)) continue;
    const auto time = map.duration(name, std::chrono::milliseconds(1));
    if (time.count() < 1 || time > kMaxTime) map.reject(name, "must be 1ms to 720h");
    limits[name] = static_cast<std::uint64_t>(time.count());
  }
  return limits;
}

std::optional<std::vector<std::string>> read_list(const YamlMap& map, const std::string& key) {
  if (!map.has(key)) return {};
  auto items = map.texts(key);
  if (items.size() > SandboxRules::kMaxEntries)
    map.reject(key, "must have at most " + std::to_string(SandboxRules::kMaxEntries) + " entries");
  return items;
}

std::optional<std::vector<std::string>> read_folders(const YamlMap& map, const std::string& key) {
  auto folders = read_list(map, key);
  if (!folders) return {};
  for (std::string& folder : *folders) {
    if (folder.empty() || folder.front() != '/')
      map.reject(key, "'" + folder + "' must be an absolute path");
    while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  }
  return folders;
}

std::optional<std::vector<HostRule>> read_hosts(const YamlMap& map, const std::string& key) {
  const auto texts = read_list(map, key);
  if (!texts) return {};
  std::vector<HostRule> hosts;
  for (const std::string& text : *texts) {
    auto rule = parse_host_rule(text);
    if (!rule) {
      map.reject(key, rule.error().message);
      break;
    }
    hosts.push_back(std::move(*rule));
  }
  return hosts;
}

SandboxRule read_rule(const YamlMap& map) {
  SandboxRule rule;
  rule.id = map.required_text("id");
  rule.reason = map.text("reason", "");
  if (rule.id.size() > 64 || rule.reason.size() > 256)
    map.reject("", "`id` has at most 64 characters and `reason` 256");
  rule.agent = Glob(map.text("agent", "*"));
  rule.profiles = read_list(map, "profiles");
  rule.needs_gvisor = map.choice("isolation", "kernel", {"kernel", "gvisor"}) == "gvisor";
  rule.allow_hosts = read_hosts(map, "allow_hosts");
  rule.workspaces = read_folders(map, "workspaces");
  rule.read_write = read_folders(map, "read_write");
  rule.read_only = read_folders(map, "read_only");
  rule.allows_dangerous = map.flag("dangerous", true);
  rule.limits = read_limits(map.map("limits"));
  return rule;
}

}  // namespace

Result<SandboxRules> SandboxRules::parse(const std::string& content, const std::string& name) {
  if (content.size() > kMaxFileBytes) return fail(Errc::kTooLarge, name + ": larger than 12 KiB");
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  SandboxRules rules;
  rules.text_ = content;
  const auto maps = root.maps("rules");
  if (maps.size() > kMaxRules) root.reject("rules", "at most 64");
  for (const YamlMap& map : maps) {
    SandboxRule rule = read_rule(map);
    if (std::any_of(rules.rules_.begin(), rules.rules_.end(),
                    [&](const SandboxRule& other) { return other.id == rule.id; }))
      map.reject("id", "`" + rule.id + "` stands twice");
    rules.rules_.push_back(std::move(rule));
  }
  AISPM_CHECK(root.finish());
  return rules;
}

std::vector<const SandboxRule*> SandboxRules::of(std::string_view agent) const {
  std::vector<const SandboxRule*> fitting;
  for (const SandboxRule& rule : rules_)
    if (rule.agent.matches(agent)) fitting.push_back(&rule);
  return fitting;
}

const SandboxRule* SandboxRules::refusing(std::string_view agent, const HostPort& host) const {
  for (const SandboxRule& rule : rules_)
    if (rule.allow_hosts && rule.agent.matches(agent) && !is_allowed(*rule.allow_hosts, host))
      return &rule;
  return nullptr;
}

std::string as_hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  digits.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    digits += kDigits[static_cast<unsigned char>(c) >> 4U];
    digits += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return digits;
}

std::optional<std::string> from_hex(std::string_view digits) {
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (digits.size() % 2 != 0) return {};
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = value(digits[i]);
    const int low = value(digits[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace aispm::policy
