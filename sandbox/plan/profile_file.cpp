// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/profile_file.hpp"

#include "sdk/core/common/yaml.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::uint64_t kMaxBytes = 1ULL << 40;
constexpr std::uint64_t kMinMemoryBytes = 16ULL << 20;  // below this not even an interpreter starts
constexpr std::chrono::hours kMaxTime{24 * 30};

std::chrono::milliseconds read_time(const YamlMap& map, const std::string& key,
                                    std::chrono::milliseconds fallback) {
  const auto value = map.duration(key, fallback);
  if (value.count() < 0 || value > kMaxTime) map.reject(key, "must be 0s (no limit) to 720h");
  return value;
}

void read_limits(const YamlMap& map, Limits& limits) {
  limits.memory_bytes = map.size_bytes("memory", limits.memory_bytes, kMaxBytes);
  if (limits.memory_bytes != 0 && limits.memory_bytes < kMinMemoryBytes)
    map.reject("memory", "must be 0 (no limit) or at least 16MiB");
  limits.pids = static_cast<std::uint32_t>(map.integer("pids", limits.pids, {2, 65536}));
  limits.open_files =
      static_cast<std::uint32_t>(map.integer("open_files", limits.open_files, {16, 1048576}));
  limits.file_size_bytes = map.size_bytes("file_size", limits.file_size_bytes, kMaxBytes);
  limits.tmp_bytes = map.size_bytes("tmp_size", limits.tmp_bytes, kMaxBytes);
  limits.shm_bytes = map.size_bytes("shm_size", limits.shm_bytes, kMaxBytes);
  if (limits.tmp_bytes < 4096) map.reject("tmp_size", "must be at least 4096 bytes");
  if (limits.shm_bytes < 4096) map.reject("shm_size", "must be at least 4096 bytes");
  limits.cpu_time = read_time(map, "cpu_time", limits.cpu_time);
  limits.wall_time = read_time(map, "wall_time", limits.wall_time);
}

std::vector<std::string> read_paths(const YamlMap& map, const std::string& key) {
  auto paths = map.texts(key);
  for (const auto& path : paths)
    if (path.empty() || path[0] != '/') map.reject(key, "'" + path + "' must be an absolute path");
  return paths;
}

bool is_variable_name(const std::string& name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name)
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
      return false;
  return true;
}

void read_environment(const YamlMap& map, Profile& profile) {
  if (map.has("pass")) profile.pass_environment = map.texts("pass");
  for (const auto& name : profile.pass_environment)
    if (!is_variable_name(name))
      map.reject("pass", "'" + name + "' is not a variable name ([A-Za-z_][A-Za-z0-9_]*)");
  const YamlMap values = map.map("set");
  for (const auto& name : values.keys()) {
    if (!is_variable_name(name))
      values.reject(name, "not a variable name ([A-Za-z_][A-Za-z0-9_]*)");
    profile.set_environment.push_back(name + "=" + values.text(name, ""));
  }
}

void read_network(const YamlMap& map, Profile& profile) {
  for (const auto& text : map.texts("allow_hosts")) {
    auto rule = parse_host_rule(text);
    if (!rule) return map.reject("allow_hosts", rule.error().message);
    profile.allow_hosts.push_back(std::move(*rule));
  }
  if (profile.allow_hosts.size() > kMaxHostRules)
    map.reject("allow_hosts", "more than " + std::to_string(kMaxHostRules) + " hosts");
}

Result<Profile> read_profile(const YamlMap& root) {
  Profile profile;
  (void)root.integer("version", 1, {1, 1});
  profile.name = root.text("name", profile.name);
  if (profile.name.empty() || profile.name.size() > 64)
    root.reject("name", "must have 1 to 64 characters");
  profile.landlock_min_abi = static_cast<std::uint32_t>(
      root.integer("landlock_min_abi", profile.landlock_min_abi, {1, 64}));
  const YamlMap files = root.map("filesystem");
  profile.read_only = read_paths(files, "read_only");
  profile.read_write = read_paths(files, "read_write");
  read_network(root.map("network"), profile);
  read_environment(root.map("environment"), profile);
  read_limits(root.map("limits"), profile.limits);
  const YamlMap dangerous = root.map("dangerous");
  profile.dangerous.sensitive_paths = dangerous.flag("sensitive_paths", false);
  profile.dangerous.secret_environment = dangerous.flag("secret_environment", false);
  AISPM_CHECK(root.finish());
  return profile;
}

}  // namespace

Result<Profile> parse_profile(const std::string& content, const std::string& name) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  return read_profile(root);
}

Result<Profile> load_profile(const std::string& path) {
  AISPM_TRY(const YamlMap root, YamlMap::load(path));
  return read_profile(root);
}

Result<> set_limit(Limits& limits, const std::string& key, const std::string& value) {
  // JSON-quoting keeps a value from being anything but one scalar.
  std::string quoted;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\')
      return fail(Errc::kInvalid, "--" + key + ": bad character in '" + value + "'");
    quoted += c;
  }
  std::string option = key;
  for (char& c : option)
    if (c == '_') c = '-';
  AISPM_TRY(const YamlMap root, YamlMap::parse(key + ": \"" + quoted + "\"\n", "--" + option));
  read_limits(root, limits);
  return root.finish();
}

}  // namespace aispm::sandbox
