// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/doctor.hpp"

#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "sandbox/apply/steps.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

using State = HostFact::State;

std::string sysctl(const std::string& name) {
  std::string path = "/proc/sys/" + name;
  auto text = read_file(path, 4096);
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
  return {is_enough ? State::kGood : State::kMissing, std::string("kernel: ") + name.release,
          is_enough ? "" : "Linux 5.19 or later is needed (Debian 12 and Ubuntu 24.04 have it)"};
}

HostFact namespaces() {
  if (sysctl("user/max_user_namespaces") == "0")
    return {State::kMissing, "user namespaces: user.max_user_namespaces is 0",
            "sysctl -w user.max_user_namespaces=15000"};
  if (sysctl("kernel/unprivileged_userns_clone") == "0" && ::geteuid() != 0)
    return {State::kMissing, "user namespaces: kernel.unprivileged_userns_clone is 0",
            "sysctl -w kernel.unprivileged_userns_clone=1"};
  clone_args arguments{};
  arguments.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                    CLONE_NEWUTS | CLONE_NEWCGROUP;
  arguments.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid == 0) ::_exit(0);
  if (pid < 0)
    return {State::kMissing, std::string("namespaces: ") + std::strerror(errno),
            "in Docker use a seccomp profile that allows clone and unshare; otherwise a kernel "
            "with CONFIG_USER_NS, CONFIG_NET_NS, CONFIG_PID_NS"};
  while (::waitpid(static_cast<pid_t>(pid), nullptr, 0) < 0 && errno == EINTR) {
  }
  return {State::kGood, "namespaces: user mount pid network ipc uts cgroup", ""};
}

HostFact apparmor() {
  if (sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1" && ::geteuid() != 0)
    return {State::kMissing,
            "AppArmor: restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns=1)",
            "install packaging/apparmor/aispm-run to /etc/apparmor.d and run apparmor_parser -r on "
            "it, or sysctl -w "
            "kernel.apparmor_restrict_unprivileged_userns=0"};
  return {State::kGood, "AppArmor: no restriction on user namespaces", ""};
}

HostFact landlock() {
  const int abi = landlock_abi();
  if (abi == 0)
    return {State::kMissing, "landlock: none",
            "boot with lsm=landlock,lockdown,yama,integrity,apparmor,bpf or use a kernel with "
            "CONFIG_SECURITY_LANDLOCK"};
  const std::string what = "landlock: ABI " + std::to_string(abi);
  if (abi < 2)
    return {State::kMissing, what,
            "Linux 5.19 or later (ABI 2), or landlock_min_abi: 1 in a profile"};
  if (abi < 6)
    return {
        State::kWeaker, what,
        "Linux 6.12 or later adds scopes for signals and abstract sockets (namespaces cover both)"};
  return {State::kGood, what, ""};
}

HostFact seccomp() {
  const unsigned action = SECCOMP_RET_USER_NOTIF;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0)
    return {State::kMissing, "seccomp: no user notification",
            "a kernel with CONFIG_SECCOMP_FILTER (Linux 5.19 or later)"};
  return {State::kGood, "seccomp: filters with user notification", ""};
}

HostFact cgroups() {
  if (::geteuid() != 0)
    return {State::kWeaker,
            "memory limit: RLIMIT_DATA of each process (no cgroup as an ordinary user)",
            "run as root for a limit of the whole sandbox"};
  const auto v2 = read_file("/sys/fs/cgroup/cgroup.controllers", 4096);
  if (v2 && v2->find("memory") != std::string::npos)
    return {State::kGood, "cgroups: version 2", ""};
  if (::access("/sys/fs/cgroup/memory/cgroup.procs", F_OK) == 0)
    return {State::kGood, "cgroups: version 1", ""};
  return {State::kWeaker, "cgroups: none with a memory controller",
          "mount cgroup2 at /sys/fs/cgroup; until then RLIMIT_DATA holds for each process"};
}

}  // namespace

std::vector<HostFact> examine_host() {
  return {kernel(), namespaces(), apparmor(), landlock(), seccomp(), cgroups()};
}

}  // namespace aispm::sandbox
