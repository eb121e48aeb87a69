// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/groups.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "sandbox/apply/steps.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

constexpr const char* kRoot = "/sys/fs/cgroup";
constexpr std::size_t kMaxFileBytes = 64 * 1024;
constexpr int kRemoveTries = 400;
constexpr std::chrono::milliseconds kRemovePause{5};
constexpr std::uint64_t kPeriodUs = 100'000;

// A run that was killed leaves an empty group behind; our lock on its user id says that nobody uses
// it.
bool make_fresh_group(const std::string& folder) {
  (void)::rmdir(folder.c_str());
  return ::mkdir(folder.c_str(), 0755) == 0;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Our own group by /proc/self/cgroup ("4:cpu,cpuacct:/a", "0::/b" for version 2, whose controller
// is ""); "" when there is none.
std::string own_group(const std::string& controller) {
  const auto text = read_file("/proc/self/cgroup", kMaxFileBytes);
  if (!text) return "";
  for (std::size_t line = 0; line < text->size();) {
    const std::size_t end = std::min(text->find('\n', line), text->size());
    const std::size_t first = text->find(':', line);
    const std::size_t second = first < end ? text->find(':', first + 1) : std::string::npos;
    if (second < end) {
      const std::string names = "," + text->substr(first + 1, second - first - 1) + ",";
      if (names.find("," + controller + ",") != std::string::npos)
        return text->substr(second + 1, end - second - 1);
    }
    line = end + 1;
  }
  return "";
}

// The value behind "key " in a flat keyed file, 0 when absent.
std::uint64_t keyed_value(const std::string& path, const std::string& key) {
  const auto text = read_file(path, kMaxFileBytes);
  if (!text) return 0;
  const auto at = ("\n" + *text).find("\n" + key + " ");
  return at == std::string::npos ? 0
                                 : std::strtoull(text->c_str() + at + key.size() + 1, nullptr, 10);
}

bool has_word(const std::string& path, const std::string& word) {
  auto text = read_file(path, kMaxFileBytes);
  if (!text) return false;
  for (char& c : *text)
    if (c == '\n') c = ' ';
  return (" " + *text + " ").find(" " + word + " ") != std::string::npos;
}

// Makes the controllers usable in the groups below `parent`. False: it lacks memory or pids.
bool enable_v2(const std::string& parent) {
  for (const std::string name : {"memory", "pids", "cpu"}) {
    if (has_word(parent + "/cgroup.subtree_control", name)) continue;
    const bool is_enabled = has_word(parent + "/cgroup.controllers", name) &&
                            write_text(parent + "/cgroup.subtree_control", "+" + name).has_value();
    if (!is_enabled && name != "cpu") return false;
  }
  return true;
}

// The group above our own, where we may make others and move processes between them; "" when we
// may not.
std::string delegated_parent() {
  const std::string own = own_group("");
  const auto slash = own.rfind('/');
  if (slash == std::string::npos || slash == 0) return "";
  std::string parent = kRoot + own.substr(0, slash);
  const bool is_ours = ::access(parent.c_str(), W_OK) == 0 &&
                       ::access((parent + "/cgroup.procs").c_str(), W_OK) == 0;
  return is_ours ? parent : "";
}

std::string quota_us(const Limits& limits) {
  return std::to_string(limits.cpu_milli * kPeriodUs / 1000);
}

}  // namespace

std::vector<std::string> ControlGroups::offered() {
  const std::string root = kRoot;
  const std::string v2 = ::geteuid() == 0 ? root : delegated_parent();
  std::vector<std::string> names;
  for (const std::string name : {"memory", "pids", "cpu"})
    if ((!v2.empty() && has_word(v2 + "/cgroup.controllers", name)) ||
        (::geteuid() == 0 && exists(root + "/" + name + "/cgroup.procs")))
      names.push_back(name);
  return names;
}

ControlGroups ControlGroups::open_as_root(const Limits& limits, const std::string& name) {
  ControlGroups groups;
  const std::string root = kRoot;
  const std::string slice = root + "/aispm.slice";
  const bool has_v2 = has_word(root + "/cgroup.controllers", "memory") && enable_v2(root) &&
                      (::mkdir(slice.c_str(), 0755) == 0 || errno == EEXIST);
  if (!has_v2 || !groups.make_v2(limits, slice, name)) groups.make_all_v1(limits, name);
  return groups;
}

ControlGroups ControlGroups::open_delegated(const Limits& limits, const std::string& name) {
  ControlGroups groups;
  const std::string parent = delegated_parent();
  if (parent.empty()) return groups;
  if (!groups.make_v2(limits, parent, name)) return groups;
  groups.delegated_.reset(::open(groups.folders_.back().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return groups;
}

std::string ControlGroups::make_v1(const std::string& controller, const std::string& name) {
  const std::string root = std::string(kRoot) + "/" + controller;
  if (!exists(root + "/cgroup.procs")) return "";
  std::string parent = root + own_group(controller);  // limits above it stay in force
  if (!exists(parent + "/cgroup.procs")) parent = root;
  const std::string folder = parent + (parent.ends_with('/') ? "" : "/") + name;
  if (!make_fresh_group(folder)) return "";
  folders_.push_back(folder);
  // A write of "0" to `tasks` moves the writing thread alone, which needs no host-wide lock;
  // `cgroup.procs` waits for an RCU grace period (10 ms). The writer has one thread, so both mean
  // the same. Source: cgroup_procs_write_start() in Linux 5.5 and later.
  join_files_.push_back(folder + "/tasks");
  return folder;
}

void ControlGroups::make_all_v1(const Limits& limits, const std::string& name) {
  if (limits.memory_bytes != 0) {
    const std::string folder = make_v1("memory", name);
    const std::string bytes = std::to_string(limits.memory_bytes);
    if (!folder.empty() && write_text(folder + "/memory.limit_in_bytes", bytes)) {
      memory_folder_ = folder;
      mechanisms_.emplace_back("cgroup1:memory");
      (void)write_text(folder + "/memory.memsw.limit_in_bytes", bytes);  // absent without swap
    }
  }
  const std::string pids = make_v1("pids", name);
  if (!pids.empty() && write_text(pids + "/pids.max", std::to_string(limits.pids + 1))) {
    pids_folder_ = pids;
    mechanisms_.emplace_back("cgroup1:pids");
  }
  if (limits.cpu_milli != 0) {
    const std::string folder = make_v1("cpu", name);
    if (!folder.empty() && write_text(folder + "/cpu.cfs_period_us", std::to_string(kPeriodUs)) &&
        write_text(folder + "/cpu.cfs_quota_us", quota_us(limits))) {
      cpu_folder_ = folder;
      mechanisms_.emplace_back("cgroup1:cpu");
    }
  }
  if (limits.cpu_time.count() != 0) {
    // Often one hierarchy with "cpu".
    const bool is_counted = !cpu_folder_.empty() && exists(cpu_folder_ + "/cpuacct.usage");
    usage_folder_ = is_counted ? cpu_folder_ : make_v1("cpuacct", name);
    if (!usage_folder_.empty()) mechanisms_.emplace_back("cgroup1:cpuacct");
  }
}

bool ControlGroups::make_v2(const Limits& limits, const std::string& slice,
                            const std::string& name) {
  if (!enable_v2(slice)) return false;
  const std::string folder = slice + "/" + name;
  if (!make_fresh_group(folder)) return false;
  folders_.push_back(folder);
  join_files_.push_back(folder + "/cgroup.procs");
  limit_v2(limits, folder);
  return true;
}

void ControlGroups::limit_v2(const Limits& limits, const std::string& folder) {
  if (limits.memory_bytes != 0 &&
      write_text(folder + "/memory.max", std::to_string(limits.memory_bytes))) {
    memory_folder_ = folder;
    (void)write_text(folder + "/memory.swap.max", "0");  // absent without swap accounting
    mechanisms_.emplace_back("cgroup2:memory");
  }
  if (write_text(folder + "/pids.max", std::to_string(limits.pids + 1))) {
    pids_folder_ = folder;
    mechanisms_.emplace_back("cgroup2:pids");
  }
  if (limits.cpu_milli != 0 &&
      write_text(folder + "/cpu.max", quota_us(limits) + " " + std::to_string(kPeriodUs))) {
    cpu_folder_ = folder;
    mechanisms_.emplace_back("cgroup2:cpu");
  }
  if (limits.cpu_time.count() != 0 && exists(folder + "/cpu.stat")) {
    usage_folder_ = folder;
    mechanisms_.emplace_back("cgroup2:cpu.stat");
  }
}

Result<> ControlGroups::join() const {
  for (const auto& file : join_files_) AISPM_CHECK(write_text(file, "0"));
  return {};
}

std::optional<std::chrono::microseconds> ControlGroups::cpu_used() const {
  if (usage_folder_.empty()) return std::nullopt;
  if (auto text = read_file(usage_folder_ + "/cpuacct.usage", kMaxFileBytes))
    return std::chrono::microseconds(std::strtoull(text->c_str(), nullptr, 10) / 1000);
  return std::chrono::microseconds(keyed_value(usage_folder_ + "/cpu.stat", "usage_usec"));
}

std::vector<std::string> ControlGroups::limits_hit() const {
  std::vector<std::string> hit;
  if (!memory_folder_.empty() &&
      (keyed_value(memory_folder_ + "/memory.events", "oom_kill") != 0 ||
       keyed_value(memory_folder_ + "/memory.oom_control", "oom_kill") != 0))
    hit.emplace_back("memory");
  if (!pids_folder_.empty() && keyed_value(pids_folder_ + "/pids.events", "max") != 0)
    hit.emplace_back("pids");
  return hit;
}

std::string ControlGroups::share() const {
  std::string text;
  const std::pair<const char*, const std::string*> folders[] = {{"memory", &memory_folder_},
                                                                {"pids", &pids_folder_},
                                                                {"cpu", &cpu_folder_},
                                                                {"usage", &usage_folder_}};
  for (const auto& [name, folder] : folders)
    if (!folder->empty()) text += std::string(name) + "=" + *folder + "\n";
  for (const auto& name : mechanisms_) text += "name=" + name + "\n";
  return text;
}

ControlGroups ControlGroups::shared(const std::string& text) {
  ControlGroups groups;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t to = std::min(text.find('\n', from), text.size());
    const std::string line = text.substr(from, to - from);
    from = to + 1;
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = line.substr(0, equals);
    const std::string value = line.substr(equals + 1);
    if (name == "memory") groups.memory_folder_ = value;
    if (name == "pids") groups.pids_folder_ = value;
    if (name == "cpu") groups.cpu_folder_ = value;
    if (name == "usage") groups.usage_folder_ = value;
    if (name == "name") groups.mechanisms_.push_back(value);
  }
  return groups;
}

std::vector<std::string> ControlGroups::parents() const {
  std::vector<std::string> parents;
  for (const auto& folder : folders_) {
    const std::string parent = folder.substr(0, folder.rfind('/'));
    if (std::find(parents.begin(), parents.end(), parent) == parents.end())
      parents.push_back(parent);
  }
  return parents;
}

bool ControlGroups::try_remove() {
  std::erase_if(folders_, [](const std::string& folder) {
    return ::rmdir(folder.c_str()) == 0 || errno == ENOENT;
  });
  return folders_.empty();
}

void ControlGroups::remove() {
  for (const auto& folder : folders_)
    for (int i = 0; i < kRemoveTries && ::rmdir(folder.c_str()) != 0 && errno == EBUSY; ++i)
      std::this_thread::sleep_for(kRemovePause);  // the last process is still being unlinked
  folders_.clear();
}

}  // namespace aispm::sandbox
