// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "sandbox/apply/steps.hpp"

namespace aispm::sandbox {
namespace {

// A process that exists for its user namespace's sake, until the namespace is held by a descriptor.
class Holder {
 public:
  Holder() {
    clone_args arguments{};
    arguments.flags = CLONE_NEWUSER;
    arguments.exit_signal = SIGCHLD;
    pid_ = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
    if (pid_ == 0) {
      for (;;) ::pause();
    }
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

}  // namespace

Result<UniqueFd> owner_namespace(unsigned owner_uid, unsigned owner_gid, unsigned agent_uid) {
  const Holder holder;
  if (holder.pid() < 0) return fail_errno("make a user namespace for the owner of shared folders");
  const std::string folder = "/proc/" + std::to_string(holder.pid());
  const std::string agent = " " + std::to_string(agent_uid) + " 1";
  AISPM_CHECK(write_text(folder + "/uid_map", std::to_string(owner_uid) + agent));
  AISPM_CHECK(write_text(folder + "/gid_map", std::to_string(owner_gid) + agent));
  UniqueFd space(::open((folder + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) return fail_errno("open " + folder + "/ns/user");
  return space;
}

}  // namespace aispm::sandbox
