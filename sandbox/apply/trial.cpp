// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/trial.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace aispm::sandbox {
namespace {

constexpr unsigned kNobody = 65534;

void tell(int pipe, TrialStep step, int error) {
  const Trial trial{step, error};
  (void)!::write(pipe, &trial, sizeof(trial));
}

// In the new namespaces. Gives the step that failed, with errno.
TrialStep build(unsigned uid, unsigned gid) {
  if (!map_identity(uid, gid)) return TrialStep::kIdentity;
  if (!forbid_namespaces()) return TrialStep::kForbid;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") != 0 ||
      ::mkdir("/tmp/pts", 0755) != 0 || ::mkdir("/tmp/proc", 0755) != 0 ||
      ::mount("devpts", "/tmp/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666") !=
          0)
    return TrialStep::kMounts;
  if (::mount("proc", "/tmp/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "hidepid=invisible,subset=pid") != 0)
    return TrialStep::kProc;
  return TrialStep::kNone;
}

[[noreturn]] void run_trial(int pipe) {
  if (::geteuid() == 0 &&
      (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
       ::setresuid(kNobody, kNobody, kNobody) != 0 || ::prctl(PR_SET_DUMPABLE, 1) != 0)) {
    tell(pipe, TrialStep::kIdentity, errno);
    ::_exit(0);
  }
  const unsigned uid = ::geteuid();
  const unsigned gid = ::getegid();
  clone_args arguments{};
  arguments.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                    CLONE_NEWUTS | CLONE_NEWCGROUP;
  arguments.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid < 0) {
    tell(pipe, TrialStep::kClone, errno);
    ::_exit(0);
  }
  if (pid == 0) {
    errno = 0;
    const TrialStep failed = build(uid, gid);
    tell(pipe, failed, errno);
    ::_exit(0);
  }
  while (::waitpid(static_cast<pid_t>(pid), nullptr, 0) < 0 && errno == EINTR) {
  }
  ::_exit(0);
}

}  // namespace

Trial try_namespaces() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {TrialStep::kClone, errno};
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return {TrialStep::kClone, errno};
  if (child == 0) run_trial(to.get());
  to.reset();
  Trial trial;
  const bool is_told = ::read(from.get(), &trial, sizeof(trial)) == sizeof(trial);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return is_told ? trial : Trial{TrialStep::kClone, ECHILD};
}

}  // namespace aispm::sandbox
