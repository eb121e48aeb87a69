// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/proc_reader.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <deque>
#include <map>
#include <utility>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "sensor/capture/proc_text.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxProcFileBytes = 256U << 10;
constexpr std::uint64_t kNanosecondsPerTick =
    10'000'000;  // USER_HZ is 100 on every architecture we support

// Where the unified hierarchy is mounted: hybrid hosts keep it apart.
const std::string& unified_cgroup() {
  static const std::string folder = ::access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0
                                        ? "/sys/fs/cgroup/unified"
                                        : "/sys/fs/cgroup";
  return folder;
}

std::uint64_t inode_of(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? facts.st_ino : 0;
}

std::optional<ProcStat> read_stat(const std::string& folder) {
  const auto text = read_file(folder + "/stat", kMaxProcFileBytes);
  return text ? parse_stat(*text) : std::nullopt;
}

BootTime start_of(const ProcStat& stat) { return {stat.start_ticks * kNanosecondsPerTick}; }

}  // namespace

std::optional<ProcessId> read_identity(std::uint32_t pid) {
  const auto stat = read_stat("/proc/" + std::to_string(pid));
  if (!stat) return std::nullopt;
  return ProcessId{pid, start_of(*stat)};
}

std::string read_executable(std::uint32_t pid) {
  std::array<char, PATH_MAX> target{};
  const std::string link = "/proc/" + std::to_string(pid) + "/exe";
  const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  if (size <= 0) return "";
  std::string path(target.data(), static_cast<std::size_t>(size));
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

std::optional<Exec> read_process(std::uint32_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  const auto stat = read_stat(folder);
  const auto status = read_file(folder + "/status", kMaxProcFileBytes);
  const auto cmdline = read_file(folder + "/cmdline", kMaxProcFileBytes);
  if (!stat || !status) return std::nullopt;
  Exec process;
  process.exe = read_executable(pid);
  if (process.exe.empty() && (!cmdline || cmdline->empty())) return std::nullopt;
  process.time = start_of(*stat);
  process.actor.id = {pid, start_of(*stat)};
  process.actor.tid = pid;
  process.actor.comm = stat->comm;
  process.actor.parent.pid = stat->parent_pid;
  if (const auto parent = read_stat("/proc/" + std::to_string(stat->parent_pid)))
    process.actor.parent.start = start_of(*parent);
  process.actor.uid = parse_uid(*status).value_or(0);
  process.actor.pid_namespace = inode_of(folder + "/ns/pid");
  if (const auto cgroup = read_file(folder + "/cgroup", kMaxProcFileBytes))
    if (const auto path = parse_cgroup(*cgroup))
      process.actor.cgroup_id = inode_of(unified_cgroup() + *path);
  if (cmdline) {
    process.argv = parse_cmdline(std::string_view(*cmdline).substr(0, kMaxArgumentBytes));
    process.argv_truncated = cut_arguments(process.argv) || cmdline->size() > kMaxArgumentBytes;
  } else {
    process.argv_unreadable = cmdline.error().code != Errc::kTooLarge;
    process.argv_truncated = cmdline.error().code == Errc::kTooLarge;
  }
  return process;
}

std::vector<std::uint32_t> list_processes() {
  std::vector<std::uint32_t> pids;
  const CPtr<DIR, ::closedir> processes(::opendir("/proc"));
  while (const dirent* entry = processes ? ::readdir(processes.get()) : nullptr) {
    std::uint32_t pid = 0;
    const std::string_view name = entry->d_name;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

std::vector<model::ProcessId> list_descendants(std::uint32_t pid) {
  std::multimap<std::uint32_t, model::ProcessId> children;
  for (const std::uint32_t one : list_processes())
    if (const auto stat = read_stat("/proc/" + std::to_string(one)))
      children.emplace(stat->parent_pid, model::ProcessId{one, start_of(*stat)});
  std::vector<model::ProcessId> found;
  std::deque<std::uint32_t> parents{pid};
  // A pid is taken as a parent once: /proc is read over time and could show a circle.
  for (; !parents.empty() && found.size() < kMaxDescendants; parents.pop_front()) {
    const auto [first, last] = children.equal_range(parents.front());
    for (auto child = first; child != last; ++child) {
      found.push_back(child->second);
      parents.push_back(child->second.pid);
    }
    children.erase(first, last);
  }
  return found;
}

Secret read_environment(std::uint32_t pid, std::size_t limit_bytes) {
  const UniqueFd file(
      ::open(("/proc/" + std::to_string(pid) + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
  std::string block(limit_bytes, '\0');
  std::size_t used = 0;
  while (file && used < limit_bytes) {
    const ssize_t size = ::read(file.get(), block.data() + used, limit_bytes - used);
    if (size <= 0) break;
    used += static_cast<std::size_t>(size);
  }
  block.resize(used);
  return Secret(std::move(block));
}

}  // namespace aispm::sensor
