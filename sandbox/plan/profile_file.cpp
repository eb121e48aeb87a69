// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/profile_file.hpp"

#include <algorithm>
#include <cmath>

#include "sdk/core/common/yaml.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::uint64_t kMaxBytes = 1ULL << 40;
constexpr std::uint64_t kMinMemoryBytes = 16ULL << 20;  // below this not even an interpreter starts
constexpr std::uint64_t kMinWorkspaceBytes = 1ULL << 20;
constexpr std::chrono::hours kMaxTime{24 * 30};
constexpr std::size_t kMaxEntries = 256;  // of each list
constexpr std::size_t kMaxHomeFileBytes = 64U << 10;

std::chrono::milliseconds read_time(const YamlMap& map, const std::string& key,
                                    std::chrono::milliseconds fallback) {
  const auto value = map.duration(key, fallback);
  if (value.count() < 0 || value > kMaxTime) map.reject(key, "must be 0s (no limit) to 720h");
  return value;
}

// What the whole run may use.
void read_shares(const YamlMap& map, Limits& limits) {
  limits.disk_bytes = map.size_bytes("disk", limits.disk_bytes, kMaxBytes);
  if (limits.disk_bytes != 0 &&
      limits.disk_bytes < limits.tmp_bytes + limits.shm_bytes + limits.home_bytes)
    map.reject(map.has("disk")       ? "disk"
               : map.has("tmp_size") ? "tmp_size"
                                     : "shm_size",
               "disk must be 0 (no limit) or at least tmp_size, shm_size and home_size together");
  limits.workspace_bytes = map.size_bytes("workspace", limits.workspace_bytes, kMaxBytes);
  if (limits.workspace_bytes != 0 && limits.workspace_bytes < kMinWorkspaceBytes)
    map.reject("workspace", "must be 0 (no limit) or at least 1MiB");
  limits.output_bytes = map.size_bytes("output", limits.output_bytes, kMaxBytes);
  limits.runs = static_cast<std::uint32_t>(map.integer("runs", limits.runs, {0, 4096}));
  const double cpus = map.number("cpus", limits.cpu_milli / 1000.0, 0, 1024);
  if (cpus != 0 && cpus < 0.01) map.reject("cpus", "must be 0 (no limit) or at least 0.01");
  limits.cpu_milli = static_cast<std::uint32_t>(std::lround(cpus * 1000));
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
  limits.home_bytes = map.size_bytes("home_size", limits.home_bytes, kMaxBytes);
  if (limits.home_bytes < 4096) map.reject("home_size", "must be at least 4096 bytes");
  if (limits.tmp_bytes < 4096) map.reject("tmp_size", "must be at least 4096 bytes");
  if (limits.shm_bytes < 4096) map.reject("shm_size", "must be at least 4096 bytes");
  read_shares(map, limits);
  limits.cpu_time = read_time(map, "cpu_time", limits.cpu_time);
  limits.wall_time = read_time(map, "wall_time", limits.wall_time);
}

// The list at `key`, else `fallback`.
std::vector<std::string> read_list(const YamlMap& map, const std::string& key,
                                   const std::vector<std::string>& fallback) {
  auto items = map.has(key) ? map.texts(key) : fallback;
  if (items.size() > kMaxEntries)
    map.reject(key, "must have at most " + std::to_string(kMaxEntries) + " entries");
  return items;
}

std::vector<std::string> read_paths(const YamlMap& map, const std::string& key,
                                    const std::vector<std::string>& fallback) {
  auto paths = read_list(map, key, fallback);
  for (const auto& path : paths)
    if (path.empty() || path[0] != '/') map.reject(key, "'" + path + "' must be an absolute path");
  return paths;
}

// A path below some folder: "a/b", without empty parts, "." and "..".
bool is_path_below(const std::string& path) {
  std::size_t from = 0;
  while (from <= path.size()) {
    const std::size_t to = std::min(path.find('/', from), path.size());
    const std::string part = path.substr(from, to - from);
    if (part.empty() || part == "." || part == "..") return false;
    from = to + 1;
  }
  return path.find('\0') == std::string::npos;
}

constexpr const char* kPathBelow = "' must be a path below the folder, without . and ..";

// What is protected stays so in a profile that extends another.
void add_protected(const YamlMap& map, const std::string& key, std::vector<std::string>& paths) {
  for (const auto& path : read_list(map, key, {})) {
    if (!is_path_below(path)) map.reject(key, "'" + path + kPathBelow);
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  }
  if (paths.size() > kMaxEntries)
    map.reject(key,
               "must have at most " + std::to_string(kMaxEntries) + " entries, with the base's");
}

void read_network(const YamlMap& map, Profile& profile) {
  profile.is_offline =
      map.choice("mode", profile.is_offline ? "none" : "gateway", {"gateway", "none"}) == "none";
  if (!map.has("allow_hosts")) return;
  profile.allow_hosts.clear();
  for (const auto& text : map.texts("allow_hosts")) {
    auto rule = parse_host_rule(text);
    if (!rule) return map.reject("allow_hosts", rule.error().message);
    profile.allow_hosts.push_back(std::move(*rule));
  }
  if (profile.allow_hosts.size() > kMaxHostRules)
    map.reject("allow_hosts", "more than " + std::to_string(kMaxHostRules) + " hosts");
}

void read_workspace(const YamlMap& map, Profile& profile) {
  profile.current_folder_is_workspace =
      map.choice("folder", profile.current_folder_is_workspace ? "current" : "none",
                 {"none", "current"}) == "current";
  add_protected(map, "protect", profile.protect);
  add_protected(map, "protect_home", profile.protect_home);
}

void read_home(const YamlMap& map, Profile& profile) {
  const std::vector<std::string> kinds = {"scratch", "private", "kept"};  // in the order of Home
  const auto kind = map.choice("kind", kinds[static_cast<std::size_t>(profile.home)], kinds);
  profile.home = static_cast<Home>(std::find(kinds.begin(), kinds.end(), kind) - kinds.begin());
  if (!map.has("files")) return;
  profile.home_files.clear();
  const YamlMap files = map.map("files");
  for (const auto& path : files.keys()) {
    const std::string content = files.text(path, "");
    if (!is_path_below(path)) files.reject(path, "'" + path + kPathBelow);
    if (content.size() > kMaxHomeFileBytes) files.reject(path, "must have at most 64 KiB");
    profile.home_files.push_back({path, content});
  }
  if (profile.home_files.size() > kMaxEntries) map.reject("files", "must be at most 256");
  if (!profile.home_files.empty() && profile.home == Home::kScratch)
    map.reject("files", "need a home of their own, `kind: private` or `kind: kept`");
}

bool is_variable_name(const std::string& name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name)
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
      return false;
  return true;
}

// Values of the base stay unless they are set again here.
void set_variable(std::vector<std::string>& pairs, const std::string& name,
                  const std::string& value) {
  std::erase_if(pairs, [&](const std::string& pair) { return pair.starts_with(name + "="); });
  pairs.push_back(name + "=" + value);
}

void read_environment(const YamlMap& map, Profile& profile) {
  profile.pass_environment = read_list(map, "pass", profile.pass_environment);
  for (const auto& name : profile.pass_environment)
    if (!is_variable_name(name))
      map.reject("pass", "'" + name + "' is not a variable name ([A-Za-z_][A-Za-z0-9_]*)");
  const YamlMap values = map.map("set");
  for (const auto& name : values.keys()) {
    if (!is_variable_name(name))
      values.reject(name, "not a variable name ([A-Za-z_][A-Za-z0-9_]*)");
    set_variable(profile.set_environment, name, values.text(name, ""));
  }
  if (profile.set_environment.size() > kMaxEntries) map.reject("set", "must be at most 256");
}

void read_dangerous(const YamlMap& map, Profile& profile) {
  Dangerous& dangerous = profile.dangerous;
  dangerous.sensitive_paths = map.flag("sensitive_paths", dangerous.sensitive_paths);
  dangerous.secret_environment = map.flag("secret_environment", dangerous.secret_environment);
  dangerous.unprotected_paths = read_list(map, "unprotected_paths", dangerous.unprotected_paths);
  for (const auto& path : dangerous.unprotected_paths)
    if (std::find(profile.protect.begin(), profile.protect.end(), path) == profile.protect.end() &&
        std::find(profile.protect_home.begin(), profile.protect_home.end(), path) ==
            profile.protect_home.end())
      map.reject("unprotected_paths", "'" + path + "' is no entry of workspace.protect");
}

// "sha256:" and 64 digits, kept as the digits in small letters.
void read_admit(const YamlMap& map, Profile& profile) {
  constexpr std::string_view kPrefix = "sha256:";
  if (!map.has("admit")) return;
  profile.admit.clear();
  for (std::string text : read_list(map, "admit", {})) {
    for (char& c : text)
      if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    const std::string digits = text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : "";
    if (digits.size() != 64 || digits.find_first_not_of("0123456789abcdef") != std::string::npos)
      return map.reject("admit", "'" + text + "' must be sha256: and 64 hex digits");
    profile.admit.push_back(digits);
  }
}

Result<Profile> base_of(const YamlMap& root, const FindProfile& find) {
  const bool is_named = root.has("extends");
  const std::string name = root.text("extends", "default");
  auto base = find(name);
  if (!base && is_named)
    return fail(Errc::kInvalid, root.where("extends") + ": extends: " + base.error().message);
  return base;
}

Result<Profile> read_profile(const YamlMap& root, const FindProfile& find) {
  AISPM_TRY(Profile profile, base_of(root, find));
  (void)root.integer("version", 1, {1, 1});
  // Neither the name nor the choice by program is inherited.
  profile.name = root.text("name", "unnamed");
  if (profile.name.empty() || profile.name.size() > 64)
    root.reject("name", "must have 1 to 64 characters");
  profile.programs = read_list(root, "programs", {});
  profile.landlock_min_abi = static_cast<std::uint32_t>(
      root.integer("landlock_min_abi", profile.landlock_min_abi, {1, 64}));
  profile.isolation =
      root.choice("isolation", profile.isolation == Isolation::kGvisor ? "gvisor" : "kernel",
                  {"kernel", "gvisor"}) == "gvisor"
          ? Isolation::kGvisor
          : Isolation::kKernel;
  read_admit(root, profile);
  read_network(root.map("network"), profile);
  read_workspace(root.map("workspace"), profile);
  read_home(root.map("home"), profile);
  const YamlMap files = root.map("filesystem");
  profile.read_only = read_paths(files, "read_only", profile.read_only);
  profile.read_write = read_paths(files, "read_write", profile.read_write);
  read_environment(root.map("environment"), profile);
  read_limits(root.map("limits"), profile.limits);
  read_dangerous(root.map("dangerous"), profile);
  AISPM_CHECK(root.finish());
  return profile;
}

}  // namespace

Result<Profile> parse_profile(const std::string& content, const std::string& name,
                              const FindProfile& find) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  return read_profile(root, find);
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
  if (key == "workspace") option = "workspace-limit";  // --workspace names the folder
  if (key == "wall_time") option = "timeout";
  AISPM_TRY(const YamlMap root, YamlMap::parse(key + ": \"" + quoted + "\"\n", "--" + option));
  read_limits(root, limits);
  return root.finish();
}

}  // namespace aispm::sandbox
