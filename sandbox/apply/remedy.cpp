// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/remedy.hpp"

#include <cerrno>

#include "apparmor_profile.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox::remedy {
namespace {

constexpr const char* kRestriction = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

bool is_restricted_by_app_armor() {
  const auto text = read_file(kRestriction, 64);
  return text && text->starts_with("1");
}

// A container's filter, or that of a sandbox as this one makes.
bool is_behind_filter() {
  const auto text = read_file("/proc/self/status", 16U << 10);
  return text && text->find("\nSeccomp:\t2\n") != std::string::npos;
}

}  // namespace

std::string app_armor() {
  return "AppArmor restricts user namespaces on this host (Ubuntu 23.10 and later). Write this to "
         "/etc/apparmor.d/aispm-run, with the path where aispm-run lies, and run `apparmor_parser "
         "-r /etc/apparmor.d/aispm-run`:\n" +
         std::string(kAppArmorProfile) +
         "or, for all programs: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
}

std::string namespaces(int error) {
  switch (error) {
    case EPERM:
      if (is_restricted_by_app_armor()) return app_armor();
      return "user namespaces are forbidden for this user. Debian: sysctl -w "
             "kernel.unprivileged_userns_clone=1. Docker: docker run --security-opt "
             "seccomp=unconfined, or a seccomp profile that allows clone3, clone and unshare. In a "
             "chroot: leave it";
    case ENOSPC:
      return "the limit of namespaces is reached: sysctl -w user.max_user_namespaces=15000 (and "
             "user.max_{net,pid,mnt,ipc,uts,cgroup}_namespaces, if one of them is low)";
    case EINVAL:
    case ENOSYS:
      // Docker's own filter answers clone3 so, and ours does.
      if (error == ENOSYS && is_behind_filter())
        return "a seccomp filter around this program refuses clone3. Docker: docker run "
               "--security-opt seccomp=unconfined, or a seccomp profile that allows clone3, clone "
               "and unshare. In a sandbox of aispm-run none can be made: start both outside";
      return "this kernel lacks a namespace type (CONFIG_USER_NS, NET_NS, PID_NS, IPC_NS, UTS_NS, "
             "CGROUPS) or clone3 (Linux 5.3)";
    case EAGAIN:
      return "too many processes for this user (ulimit -u)";
    default:
      return "see aispm-run doctor";
  }
}

std::string identity() {
  if (is_restricted_by_app_armor()) return app_armor();
  return "a security module (AppArmor, SELinux) or a container takes the power over a new user "
         "namespace: allow aispm-run to make user namespaces there";
}

std::string proc() {
  return "In a container its /proc is masked: run it with an unmasked one (docker: --security-opt "
         "systempaths=unconfined; Kubernetes: procMount: Unmasked); otherwise Linux 5.8 is needed";
}

std::string proc_sys() {
  return "In a container: run it with a writable /proc/sys (docker: --security-opt "
         "systempaths=unconfined; Kubernetes: procMount: Unmasked)";
}

std::string landlock(int abi, int wanted) {
  if (abi == 0)
    return "boot with landlock in the kernel's lsm= list (lsm=landlock,lockdown,yama,integrity,"
           "apparmor,bpf), use a kernel with CONFIG_SECURITY_LANDLOCK, or, in a container, a "
           "seccomp profile that allows landlock_create_ruleset";
  return "use a newer kernel (ABI " + std::to_string(wanted) +
         "), or lower landlock_min_abi in the profile";
}

std::string seccomp(int error) {
  if (error == EBUSY)
    return "another program supervises the system calls of this one already (a nested sandbox or "
           "container): start aispm-run outside of it";
  return "Linux 5.19 with CONFIG_SECCOMP_FILTER is needed; in a container, a seccomp profile that "
         "allows seccomp";
}

}  // namespace aispm::sandbox::remedy
