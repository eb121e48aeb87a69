// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "sandbox/apply/start.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

constexpr unsigned kFirstUid =
    0x61000000;  // above what distributions, systemd-nspawn and subuid ranges use
constexpr unsigned kUids = 65536;
constexpr const char* kSlotFolder = "/run/aispm/uids";
constexpr const char* kCgroupRoot = "/sys/fs/cgroup";
constexpr std::size_t kMaxCgroupFile = 64 * 1024;
constexpr int kRemoveTries = 400;
constexpr std::chrono::milliseconds kRemovePause{5};

// A run that was killed leaves an empty group behind; our lock on its user id says that nobody uses
// it.
bool make_fresh_group(const std::string& folder) {
  (void)::rmdir(folder.c_str());
  return ::mkdir(folder.c_str(), 0755) == 0;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Our own group in the hierarchy of a v1 controller: limits above it stay in force.
std::string own_v1_group(const std::string& controller) {
  const auto text = read_file("/proc/self/cgroup", kMaxCgroupFile);
  if (!text) return "/";
  const auto at = text->find(":" + controller + ":");
  if (at == std::string::npos) return "/";
  const auto from = at + controller.size() + 2;
  return text->substr(from, text->find('\n', from) - from);
}

// The value behind "key " in a flat keyed file, 0 when absent.
std::uint64_t keyed_value(const std::string& path, const std::string& key) {
  const auto text = read_file(path, kMaxCgroupFile);
  if (!text) return 0;
  const auto at = ("\n" + *text).find("\n" + key + " ");
  return at == std::string::npos ? 0
                                 : std::strtoull(text->c_str() + at + key.size() + 1, nullptr, 10);
}

}  // namespace

Result<RootPrefix> RootPrefix::open(const Limits& limits) {
  RootPrefix prefix;
  if (::getuid() != ::geteuid() || ::getgid() != ::getegid())
    return fail(Errc::kDenied,
                "aispm-run must not be installed setuid or setgid: it needs no privilege");
  if (::geteuid() != 0) return prefix;
  AISPM_CHECK(prefix.reserve_uid());
  prefix.make_groups(limits);
  return prefix;
}

RootPrefix::~RootPrefix() { remove_groups(); }

Result<> RootPrefix::reserve_uid() {
  AISPM_CHECK(make_directories(kSlotFolder, 0700));
  const unsigned first = static_cast<unsigned>(::getpid()) % kUids;
  for (unsigned i = 0; i < kUids; ++i) {
    const unsigned slot = (first + i) % kUids;
    UniqueFd file(::open((std::string(kSlotFolder) + "/" + std::to_string(slot)).c_str(),
                         O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return fail_errno("reserve a user id in " + std::string(kSlotFolder));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    slot_ = std::move(file);
    uid_ = kFirstUid + slot;
    mechanisms_.push_back("hostuid:" + std::to_string(uid_));
    return {};
  }
  return fail(Errc::kExhausted, "all user ids for sandboxes are in use");
}

bool RootPrefix::make_v1(const std::string& controller, const std::string& name) {
  const std::string root = std::string(kCgroupRoot) + "/" + controller;
  if (!exists(root + "/cgroup.procs")) return false;
  std::string parent = root + own_v1_group(controller);
  if (!exists(parent + "/cgroup.procs")) parent = root;
  const std::string folder = parent + (parent.ends_with('/') ? "" : "/") + name;
  if (!make_fresh_group(folder)) return false;
  folders_.push_back(folder);
  // A write of "0" to `tasks` moves the writing thread alone, which needs no host-wide lock;
  // `cgroup.procs` waits for an RCU grace period (10 ms). The writer has one thread, so both mean
  // the same. Source: cgroup_procs_write_start() in Linux 5.5 and later.
  join_files_.push_back(folder + "/tasks");
  return true;
}

bool RootPrefix::make_v2(const std::string& name, const Limits& limits) {
  const std::string root = kCgroupRoot;
  const auto controllers = read_file(root + "/cgroup.controllers", kMaxCgroupFile);
  if (!controllers || controllers->find("memory") == std::string::npos ||
      controllers->find("pids") == std::string::npos)
    return false;
  const std::string slice = root + "/aispm.slice";
  if (auto given = write_text(root + "/cgroup.subtree_control", "+memory +pids"); !given)
    return false;
  if (::mkdir(slice.c_str(), 0755) != 0 && errno != EEXIST) return false;
  if (auto given = write_text(slice + "/cgroup.subtree_control", "+memory +pids"); !given)
    return false;
  const std::string folder = slice + "/" + name;
  if (!make_fresh_group(folder)) return false;
  folders_.push_back(folder);
  join_files_.push_back(folder + "/cgroup.procs");
  if (limits.memory_bytes != 0 &&
      write_text(folder + "/memory.max", std::to_string(limits.memory_bytes))) {
    memory_folder_ = folder;
    (void)write_text(folder + "/memory.swap.max", "0");  // absent without swap accounting
    mechanisms_.push_back("cgroup2:memory");
  }
  if (write_text(folder + "/pids.max", std::to_string(limits.pids + 1))) {
    pids_folder_ = folder;
    mechanisms_.push_back("cgroup2:pids");
  }
  return true;
}

// Groups are an addition: where a host has none, rlimits hold and SandboxStart.mechanisms shows no
// group.
void RootPrefix::make_groups(const Limits& limits) {
  const std::string name = "aispm-run-" + std::to_string(uid_ - kFirstUid);
  if (make_v2(name, limits)) return;
  if (limits.memory_bytes != 0 && make_v1("memory", name)) {
    const std::string folder = folders_.back();
    if (write_text(folder + "/memory.limit_in_bytes", std::to_string(limits.memory_bytes))) {
      memory_folder_ = folder;
      mechanisms_.push_back("cgroup1:memory");
      (void)write_text(folder + "/memory.memsw.limit_in_bytes",
                       std::to_string(limits.memory_bytes));  // absent without swap accounting
    }
  }
  if (make_v1("pids", name)) {
    const std::string folder = folders_.back();
    if (write_text(folder + "/pids.max", std::to_string(limits.pids + 1))) {
      pids_folder_ = folder;
      mechanisms_.push_back("cgroup1:pids");
    }
  }
}

Result<> RootPrefix::become() const {
  for (const auto& file : join_files_) AISPM_CHECK(write_text(file, "0"));
  if (::setgroups(0, nullptr) != 0) return fail_errno("setgroups");
  if (::setresgid(uid_, uid_, uid_) != 0 || ::setresuid(uid_, uid_, uid_) != 0)
    return fail(
        Errc::kDenied,
        "cannot become host user " + std::to_string(uid_) +
            ": in a user namespace (rootless container) run aispm-run as an ordinary user instead");
  // Without this /proc/self/uid_map belongs to root.
  if (::prctl(PR_SET_DUMPABLE, 1) != 0) return fail_errno("prctl(PR_SET_DUMPABLE)");
  return {};
}

std::vector<std::string> RootPrefix::limits_hit() const {
  std::vector<std::string> hit;
  if (!memory_folder_.empty() &&
      (keyed_value(memory_folder_ + "/memory.events", "oom_kill") != 0 ||
       keyed_value(memory_folder_ + "/memory.oom_control", "oom_kill") != 0))
    hit.emplace_back("memory");
  if (!pids_folder_.empty() && keyed_value(pids_folder_ + "/pids.events", "max") != 0)
    hit.emplace_back("pids");
  return hit;
}

void RootPrefix::remove_groups() {
  for (const auto& folder : folders_)
    for (int i = 0; i < kRemoveTries && ::rmdir(folder.c_str()) != 0 && errno == EBUSY; ++i)
      std::this_thread::sleep_for(kRemovePause);  // the last process is still being unlinked
  folders_.clear();
}

void RootPrefix::remove_groups_in_background() {
  if (folders_.empty()) return;
  const pid_t remover = ::fork();
  if (remover == 0) {
    const int last = slot_.get();
    if (last > 0) (void)::close_range(0, static_cast<unsigned>(last) - 1, 0);
    (void)::close_range(static_cast<unsigned>(last) + 1, ~0U, 0);
    remove_groups();
    ::_exit(0);
  }
  // Without a child the empty groups stay until a run gets the same user id and replaces them.
  folders_.clear();
}

}  // namespace aispm::sandbox
