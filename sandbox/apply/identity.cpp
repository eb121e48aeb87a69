// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "sandbox/apply/remedy.hpp"
#include "sandbox/apply/steps.hpp"

namespace aispm::sandbox {

namespace {

constexpr std::uint64_t kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                      CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

}  // namespace

Result<pid_t> clone_namespaces(bool as_sibling, int group) {
  clone_args arguments{};
  arguments.flags = kNamespaces | (as_sibling ? CLONE_PARENT : 0);
  arguments.exit_signal = as_sibling ? 0 : SIGCHLD;
  if (group >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(group);
  }
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid < 0) {
    const int error = errno;
    return fail(
        Errc::kUnsupported,
        std::string("namespaces: ") + std::strerror(error) + ": " + remedy::namespaces(error),
        error);
  }
  return static_cast<pid_t>(pid);
}

Result<> write_text(const std::string& path, std::string_view text) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return fail_errno("open " + path);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno("write " + path);
  return {};
}

namespace {

Result<> map_to(std::uint32_t inside_id, unsigned uid, unsigned gid) {
  // Without this the kernel lets nobody map a group; with it, setgroups(2) stays shut for good.
  if (auto written = write_text("/proc/self/setgroups", "deny"); !written)
    return fail(Errc::kDenied,
                "user namespace: " + written.error().message + ". " + remedy::identity());
  const std::string inside = std::to_string(inside_id) + " ";
  if (auto written = write_text("/proc/self/uid_map", inside + std::to_string(uid) + " 1");
      !written)
    return fail(Errc::kDenied,
                "user namespace: " + written.error().message + ". " + remedy::identity());
  if (auto written = write_text("/proc/self/gid_map", inside + std::to_string(gid) + " 1");
      !written)
    return fail(Errc::kDenied,
                "user namespace: " + written.error().message + ". " + remedy::identity());
  return {};
}

}  // namespace

Result<> map_identity(unsigned uid, unsigned gid) { return map_to(kInsideUid, uid, gid); }
Result<> map_runtime_identity(unsigned uid, unsigned gid) { return map_to(kRuntimeUid, uid, gid); }

Result<> die_with(int control) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail_errno("prctl(PR_SET_PDEATHSIG)");
  // It may have died before that.
  pollfd other{control, 0, 0};
  if (::poll(&other, 1, 0) > 0 && (other.revents & (POLLHUP | POLLERR)) != 0)
    return fail(Errc::kUnavailable, "the supervisor is gone");
  return {};
}

Result<> forbid_namespaces() {
  if (auto written = write_text("/proc/sys/user/max_user_namespaces", "0"); !written)
    return fail(Errc::kUnsupported, "user.max_user_namespaces cannot be set for the sandbox (" +
                                        written.error().message + "). " + remedy::proc_sys());
  return {};
}

Result<> close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = 3;
  for (const int fd : kept) {
    if (fd < static_cast<int>(next)) continue;
    if (static_cast<unsigned>(fd) > next &&
        ::close_range(next, static_cast<unsigned>(fd) - 1, 0) != 0)
      return fail_errno("close the supervisor's descriptors");
    next = static_cast<unsigned>(fd) + 1;
  }
  if (::close_range(next, ~0U, 0) != 0) return fail_errno("close the supervisor's descriptors");
  return {};
}

}  // namespace aispm::sandbox
