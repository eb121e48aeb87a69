// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/runtime.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace aispm::sandbox {
namespace {

namespace json = boost::json;
using Kind = Mount::Kind;

constexpr std::uint64_t kStateBytes = 8ULL << 20;  // the runtime's notes of its one container
constexpr const char* kConfigFile = "/run/aispm/bundle/config.json";

void insert_sorted(std::vector<Mount>& mounts, Mount mount) {
  const auto place = std::upper_bound(
      mounts.begin(), mounts.end(), mount.target,
      [](const std::string& target, const Mount& other) { return target < other.target; });
  mounts.insert(place, std::move(mount));
}

bool is_utf8(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t size = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
    if (size == 0 || at + size > text.size()) return false;
    for (std::size_t i = 1; i < size; ++i)
      if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return false;
    const auto second = size > 1 ? static_cast<unsigned char>(text[at + 1]) : 0U;
    // Overlong forms, surrogates and what lies beyond U+10FFFF.
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
        (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
      return false;
    at += size;
  }
  return true;
}

Result<json::array> texts(const std::vector<std::string>& words, const char* what) {
  json::array result;
  for (const auto& word : words) {
    if (!is_utf8(word))
      return fail(Errc::kInvalid,
                  std::string("isolation: gvisor: ") + what + " is not UTF-8, which runsc needs");
    result.emplace_back(word);
  }
  return result;
}

void add_limit(json::array& limits, const char* name, std::uint64_t value) {
  limits.push_back({{"type", name}, {"soft", value}, {"hard", value}});
}

// The agent's own limits are gVisor's to keep: the host sees only the runtime.
json::array limits_of(const Limits& limits, bool memory_is_in_group) {
  json::array list;
  add_limit(list, "RLIMIT_NPROC", limits.pids);
  add_limit(list, "RLIMIT_NOFILE", limits.open_files);
  add_limit(list, "RLIMIT_CORE", 0);
  if (limits.file_size_bytes != 0) add_limit(list, "RLIMIT_FSIZE", limits.file_size_bytes);
  if (limits.memory_bytes != 0 && !memory_is_in_group)
    add_limit(list, "RLIMIT_DATA", limits.memory_bytes);
  if (limits.cpu_time.count() != 0)
    add_limit(list, "RLIMIT_CPU",
              static_cast<std::uint64_t>((limits.cpu_time.count() + 999) / 1000));
  return list;
}

// Is `target` seen through a mount of its own above it, which brings it along?
bool is_below_own_mount(const std::vector<Mount>& mounts, const Mount& mount) {
  return std::any_of(mounts.begin(), mounts.end(), [&](const Mount& other) {
    return (other.kind == Kind::kBindReadWrite || other.kind == Kind::kTmpfs) &&
           other.target != mount.target && lies_in(mount.target, other.target) &&
           other.target != "/dev/shm";
  });
}

// The root is the one that stands already, read-only and with its files cached. What can change is
// mounted again from itself, so that it is neither.
json::array mounts_of(const std::vector<Mount>& mounts) {
  json::array list;
  list.push_back({{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}});
  // Unseen: the runtime's own notes.
  list.push_back({{"destination", kRuntimeFolder},
                  {"type", "tmpfs"},
                  {"source", "tmpfs"},
                  {"options", json::array{"ro", "nosuid", "nodev", "noexec"}}});
  for (const auto& mount : mounts) {
    const bool is_writable = mount.kind == Kind::kBindReadWrite || mount.kind == Kind::kTmpfs;
    const bool may_change =
        is_writable || (mount.kind == Kind::kBindReadOnly && !is_system_path(mount.target) &&
                        !lies_in(mount.target, "/etc") && !mount.is_in_workspace);
    if (!may_change || mount.target == kRuntimeFolder || is_below_own_mount(mounts, mount))
      continue;
    list.push_back(
        {{"destination", mount.target},
         {"type", "bind"},
         {"source", mount.target},
         {"options", json::array{"rbind", is_writable ? "rw" : "ro", "nosuid", "nodev"}}});
  }
  return list;
}

}  // namespace

std::string find_runtime(const Host& host) {
  std::string folders = host.environment("PATH").value_or("");
  folders += ":/usr/bin:/usr/local/bin:/usr/sbin";
  for (std::size_t from = 0; from <= folders.size();) {
    const std::size_t to = std::min(folders.find(':', from), folders.size());
    const std::string path = folders.substr(from, to - from) + "/runsc";
    const auto real = path.starts_with("/") ? host.resolve(path) : std::nullopt;
    if (real && host.type(*real) == Host::Type::kFile && host.is_executable(*real)) return *real;
    from = to + 1;
  }
  return "";
}

Result<std::string> share_runtime(const Host& host, const std::string& profile, Program& program) {
  const std::string runtime = find_runtime(host);
  if (runtime.empty())
    return fail(Errc::kUnsupported, "profile " + profile +
                                        ": isolation: gvisor needs gVisor's runsc, which is not "
                                        "on PATH nor in /usr/bin. Remedy: " +
                                        kRuntimeRemedy);
  if (!is_system_path(runtime)) program.read_only.push_back(runtime);
  return runtime;
}

void add_runtime_mounts(Plan& plan) {
  for (auto& mount : plan.mounts)
    if (mount.kind == Kind::kProc) mount.is_whole = true;
  insert_sorted(plan.mounts, {.kind = Kind::kTmpfs,
                              .target = kRuntimeFolder,
                              .source = "",
                              .content = "",
                              .bytes = kStateBytes});
  insert_sorted(plan.mounts,
                {.kind = Kind::kFile, .target = kConfigFile, .source = "", .content = ""});
}

Result<> wrap_in_runtime(Plan& plan, const std::array<bool, 3>& is_terminal,
                         bool memory_is_in_group) {
  std::vector<std::string> words = plan.argv;
  words[0] = plan.executable;  // it is searched for; a program's other name for itself is lost
  AISPM_TRY(auto arguments, texts(words, "an argument"));
  AISPM_TRY(auto environment, texts(plan.environment, "an environment variable"));
  AISPM_TRY(auto folder, texts({plan.folder}, "the folder"));
  for (const auto& mount : plan.mounts)
    if (!is_utf8(mount.target))
      return fail(Errc::kInvalid, "isolation: gvisor: the path of a shared folder is not UTF-8");
  // The runtime takes one terminal for all three descriptors, or none.
  const bool is_interactive = is_terminal[0] && is_terminal[1] && is_terminal[2];
  const json::object config = {
      {"ociVersion", "1.0.2"},
      {"process",
       {{"terminal", is_interactive},
        {"user", {{"uid", kRuntimeUid}, {"gid", kRuntimeUid}, {"umask", 0077}}},
        {"args", std::move(arguments)},
        {"env", std::move(environment)},
        {"cwd", folder[0]},
        {"rlimits", limits_of(plan.limits, memory_is_in_group)},
        {"noNewPrivileges", true}}},
      {"root", {{"path", "/"}, {"readonly", true}}},
      {"hostname", "sandbox"},
      {"mounts", mounts_of(plan.mounts)}};
  for (auto& mount : plan.mounts)
    if (mount.target == kConfigFile) mount.content = json::serialize(config);
  // Sockets of gVisor's agent are sockets of the sandbox's network, where only the gateway answers.
  plan.runtime.argv = {plan.runtime.executable,
                       "--root=" + std::string(kRuntimeFolder),
                       "--network=host",
                       "--ignore-cgroups",
                       "run",
                       "--bundle=/run/aispm/bundle",
                       kRuntimeContainer};
  plan.runtime.environment = {"PATH=/usr/bin:/bin", "HOME=/",
                              "TMPDIR=" + std::string(kRuntimeFolder)};
  return {};
}

}  // namespace aispm::sandbox
