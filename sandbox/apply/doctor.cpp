// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/doctor.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "sandbox/apply/groups.hpp"
#include "sandbox/apply/remedy.hpp"
#include "sandbox/apply/trial.hpp"
#include "sandbox/apply/workspace_quota.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

using State = HostFact::State;

std::string setting(const std::string& name) {
  auto text = read_file("/proc/sys/" + name, 4096);
  if (!text) return "";
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

HostFact kernel() {
  utsname name{};
  ::uname(&name);
  int major = 0;
  int minor = 0;
  (void)std::sscanf(name.release, "%d.%d", &major, &minor);
  const bool is_enough = major > 5 || (major == 5 && minor >= 19);
  return {is_enough ? State::kGood : State::kMissing, "kernel", name.release,
          "Linux 5.19 has all that is needed",
          is_enough ? "" : "Linux 5.19 or later is needed (Debian 12 and Ubuntu 24.04 have it)"};
}

HostFact user_namespaces() {
  const std::string meaning = "the right to build a sandbox, for any user";
  if (setting("user/max_user_namespaces") == "0")
    return {State::kMissing, "user namespaces", "user.max_user_namespaces is 0", meaning,
            remedy::namespaces(ENOSPC)};
  if (setting("kernel/unprivileged_userns_clone") == "0")
    return {State::kMissing, "user namespaces", "kernel.unprivileged_userns_clone is 0", meaning,
            remedy::namespaces(EPERM)};
  return {State::kGood, "user namespaces", "allowed", meaning, ""};
}

// A profile with the flag "unconfined" that grants `userns` is what lifts the restriction.
HostFact app_armor() {
  const std::string meaning = "may take the power over a new user namespace";
  if (setting("kernel/apparmor_restrict_unprivileged_userns") != "1")
    return {State::kGood, "AppArmor", "no restriction of user namespaces", meaning, ""};
  const auto own = read_file("/proc/self/attr/current", 4096);
  if (own && own->starts_with("aispm-run"))
    return {State::kGood, "AppArmor", "restricts user namespaces, not those of aispm-run", meaning,
            ""};
  return {State::kMissing, "AppArmor", "restricts user namespaces", meaning, remedy::app_armor()};
}

// Each step of a trial by its own name; those after the first that failed were not tried.
void add_trial(std::vector<HostFact>& facts) {
  const Trial trial = try_namespaces();
  struct Row {
    TrialStep step;
    const char* mechanism;
    const char* meaning;
    std::string remedy;
  };
  const Row rows[] = {
      {TrialStep::kClone, "namespaces", "own users, files, processes, network, ipc, names, groups",
       remedy::namespaces(trial.error)},
      {TrialStep::kIdentity, "user mapping", "one unprivileged user inside", remedy::identity()},
      {TrialStep::kForbid, "/proc/sys", "no further namespaces inside", remedy::proc_sys()},
      {TrialStep::kMounts, "mounts", "a root of its own with scratch folders and terminals",
       remedy::identity()},
      {TrialStep::kProc, "/proc", "only the sandbox's own processes", remedy::proc()},
  };
  for (const auto& row : rows) {
    if (trial.failed == TrialStep::kNone || row.step < trial.failed) {
      facts.push_back({State::kGood, row.mechanism, "works", row.meaning, ""});
    } else if (row.step == trial.failed) {
      facts.push_back(
          {State::kMissing, row.mechanism, std::strerror(trial.error), row.meaning, row.remedy});
    } else {
      facts.push_back({State::kMissing, row.mechanism, "not tried", row.meaning,
                       "first mend what is missing above"});
    }
  }
}

HostFact landlock() {
  constexpr int kNeeded = 2;
  constexpr int kScopes = 6;
  const int abi = landlock_abi();
  const std::string meaning = "files outside of the plan stay shut, even through a mount";
  const std::string found = abi == 0 ? "none" : "ABI " + std::to_string(abi);
  if (abi < kNeeded)
    return {State::kMissing, "landlock", found, meaning, remedy::landlock(abi, kNeeded)};
  if (abi < kScopes)
    return {State::kWeaker, "landlock", found, "no scopes: namespaces alone keep signals inside",
            "Linux 6.12 or later"};
  return {State::kGood, "landlock", found, meaning, ""};
}

HostFact seccomp() {
  const unsigned action = SECCOMP_RET_USER_NOTIF;
  const std::string meaning = "system calls outside of the list are refused and told";
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0)
    return {State::kMissing, "seccomp", "no user notification", meaning, remedy::seccomp(errno)};
  return {State::kGood, "seccomp", "filters with user notification", meaning, ""};
}

HostFact groups() {
  const std::string meaning = "memory, processes and processors of the whole sandbox";
  const std::vector<std::string> names = ControlGroups::offered();
  std::string found;
  for (const auto& name : names) found += (found.empty() ? "" : " ") + name;
  if (names.size() >= 3) return {State::kGood, "control groups", found, meaning, ""};
  return {State::kWeaker, "control groups", found.empty() ? "none for this user" : found,
          "memory by process (RLIMIT_DATA), no share of processors",
          ::geteuid() == 0
              ? "mount cgroup2 at /sys/fs/cgroup with memory, pids and cpu in "
                "cgroup.subtree_control"
              : "start it where systemd delegates to users: systemd-run --user --scope aispm-run "
                "..., or as root"};
}

// Audit tells root which files Landlock refused.
HostFact audit() {
  const std::string meaning = "refused files become events";
  const std::string weaker = "refused files are not told, all else is";
  if (::geteuid() != 0)
    return {State::kWeaker, "audit", "for root only", weaker, "run aispm-run as root"};
  if (landlock_abi() < 7)
    return {State::kWeaker, "audit", "Landlock does not report yet", weaker, "Linux 6.15 or later"};
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1U << (AUDIT_NLGRP_READLOG - 1);
  if (!socket || ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return {State::kWeaker, "audit", std::strerror(errno), weaker,
            "CAP_AUDIT_READ in the first user namespace, and CONFIG_AUDIT"};
  return {State::kGood, "audit", "readable", meaning, ""};
}

HostFact workspace_quota() {
  const std::string meaning = "limits.workspace";
  const std::string weaker = "limits.workspace is refused, all else works";
  if (::geteuid() != 0)
    return {State::kWeaker, "workspace quota", "for root only", weaker, "run aispm-run as root"};
  char folder[PATH_MAX];
  const auto found = describe_workspace_quota(
      ::getcwd(folder, sizeof(folder)) == nullptr ? "/" : std::string(folder));
  if (!found) return {State::kWeaker, "workspace quota", "not here", weaker, found.error().message};
  return {State::kGood, "workspace quota", *found, meaning, ""};
}

HostFact run_places() {
  constexpr std::uint32_t kDefaultRuns = 50;
  const std::string meaning = "how many sandboxes one user runs at a time";
  if (const auto slot = take_run_slot(kDefaultRuns); !slot)
    return {State::kMissing, "places", slot.error().message, meaning,
            "end one of them, or limits.runs in a profile"};
  return {State::kGood, "places", "free", meaning, ""};
}

}  // namespace

std::vector<HostFact> examine_host() {
  std::vector<HostFact> facts = {kernel(), user_namespaces(), app_armor()};
  add_trial(facts);
  for (HostFact (*const examine)() :
       {landlock, seccomp, groups, audit, workspace_quota, run_places})
    facts.push_back(examine());
  return facts;
}

std::string table_of(const std::vector<HostFact>& facts) {
  std::size_t mechanism = 9;
  std::size_t found = 5;
  for (const auto& fact : facts) {
    mechanism = std::max(mechanism, fact.mechanism.size());
    found = std::max(found, std::min<std::size_t>(fact.found.size(), 40));
  }
  const auto pad = [](std::string text, std::size_t width) {
    if (text.size() < width) text.resize(width, ' ');
    return text + "  ";
  };
  std::string text =
      pad("state", 7) + pad("mechanism", mechanism) + pad("found", found) + "gives\n";
  for (const auto& fact : facts) {
    const char* state = fact.state == State::kGood     ? "ok"
                        : fact.state == State::kWeaker ? "weaker"
                                                       : "MISSING";
    text += pad(state, 7) + pad(fact.mechanism, mechanism) + pad(fact.found, found) + fact.meaning +
            "\n";
    if (!fact.remedy.empty()) text += "         remedy: " + fact.remedy + "\n";
  }
  return text;
}

}  // namespace aispm::sandbox
