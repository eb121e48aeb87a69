// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <sstream>

#include "sandbox/apply/steps.hpp"
#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/file.hpp"

// What differs from the ordinary sandbox when gVisor's runtime is what is started in it (ADR 0039).
namespace aispm::sandbox {
namespace {

// The runtime builds an empty root for its kernel and one with our files for its file server, gives
// them to processes with fewer capabilities still, and traces the agent's. All of them count only
// in our user namespace, whose one user is an unprivileged one of the host.
constexpr std::array<unsigned, 11> kRuntimeCapabilities = {
    CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,     CAP_FSETID,    CAP_SETGID,
    CAP_SETUID, CAP_SETPCAP,      CAP_SYS_ADMIN,       CAP_SYS_CHROOT, CAP_SYS_PTRACE};
constexpr std::uint32_t kRuntimeTasks = 512;
constexpr std::uint32_t kRuntimeFiles = 1U << 20;

Result<> keep_capabilities() {
  std::uint64_t kept = 0;
  for (const unsigned capability : kRuntimeCapabilities) kept |= 1ULL << capability;
  for (unsigned long capability = 0; capability < 64; ++capability) {
    if ((kept >> capability & 1) != 0 || ::prctl(PR_CAPBSET_DROP, capability) == 0) continue;
    if (errno == EINVAL && capability > CAP_AUDIT_READ) break;
    return fail_errno("drop a capability from the bounding set");
  }
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    return fail_errno("clear the ambient capabilities");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const auto low = static_cast<__u32>(kept);
  const auto high = static_cast<__u32>(kept >> 32);
  const __user_cap_data_struct data[2] = {{low, low, 0}, {high, high, 0}};
  if (::syscall(SYS_capset, &header, data) != 0)
    return fail_errno("drop the capabilities that gVisor does not need");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("set no_new_privs");
  return {};
}

// For the runtime's threads and the host's view of the agent's: it has few, whatever the agent has.
Limits runtime_limits(const Limits& asked) {
  Limits limits = asked;
  limits.pids = asked.pids * 2 + kRuntimeTasks;
  limits.open_files = kRuntimeFiles;
  limits.file_size_bytes = 0;  // the agent's memory is a file of the runtime
  return limits;
}

}  // namespace

Limits host_limits(const Plan& plan) {
  return plan.runtime.executable.empty() ? plan.limits : runtime_limits(plan.limits);
}

Result<int> prepare_for_runtime(const Plan& plan, GroupLimits group) {
  // Memory by process is gVisor's to limit: to the host all of the agent's is shared memory.
  group.memory = true;
  AISPM_CHECK(set_limits(runtime_limits(plan.limits), group));
  AISPM_TRY(const int abi, restrict_scopes(plan));
  AISPM_CHECK(keep_capabilities());
  return abi;
}

namespace {

constexpr int kFailed = 125;
constexpr std::size_t kMaxProcBytes = 64U << 10;

// `runsc kill` finds the container by the notes in kRuntimeFolder. Before it runs, and when that
// fails, the runtime itself gets the signal, which ends it.
void signal_agent(const Runtime& runtime, pid_t child, int number) {
  const std::string root = "--root=" + std::string(kRuntimeFolder);
  const std::string signal = std::to_string(number);
  const pid_t sender = ::fork();
  if (sender == 0) {
    const char* const words[] = {runtime.executable.c_str(), root.c_str(),   "kill",
                                 kRuntimeContainer,          signal.c_str(), nullptr};
    ::execve(words[0], const_cast<char* const*>(words), nullptr);
    ::_exit(kFailed);
  }
  int status = -1;
  if (sender > 0)
    while (::waitpid(sender, &status, 0) < 0 && errno == EINTR) {
    }
  if (status != 0) (void)::kill(child, number);
}

// gVisor's kernel among the children of `runtime`: it hands a signal on to whoever is in front at
// the agent's terminal. -1: not there (yet).
pid_t find_kernel(pid_t runtime) {
  const std::string tasks = "/proc/" + std::to_string(runtime) + "/task";
  const CPtr<DIR, closedir> folder(::opendir(tasks.c_str()));
  if (!folder) return -1;
  while (const dirent* task = ::readdir(folder.get())) {
    const auto text = read_file(tasks + "/" + task->d_name + "/children", kMaxProcBytes);
    if (!text) continue;
    std::istringstream children(*text);
    for (pid_t pid = 0; children >> pid;) {
      const auto words = read_file("/proc/" + std::to_string(pid) + "/cmdline", kMaxProcBytes);
      if (words && words->starts_with("runsc-sandbox")) return pid;
    }
  }
  return -1;
}

// Of the terminal. The job as a whole stops; who is in front inside gets all else.
void signal_front(const Runtime& runtime, pid_t child, int number) {
  if (number == SIGTSTP) {
    (void)::kill(::getpid(), SIGSTOP);
    return;
  }
  const pid_t kernel = find_kernel(child);
  if (kernel <= 0 || ::kill(kernel, number) != 0) signal_agent(runtime, child, number);
}

}  // namespace

bool accepts_flag(const Runtime& runtime, const char* flag) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!stand_aside()) ::_exit(kFailed);
    const char* const words[] = {runtime.executable.c_str(), flag, "--version", nullptr};
    ::execve(words[0], const_cast<char* const*>(words), nullptr);
    ::_exit(kFailed);
  }
  int status = -1;
  if (child > 0)
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  return status == 0;
}

int relay_signals(const Runtime& runtime, pid_t child) {
  sigset_t all;
  ::sigfillset(&all);
  UniqueFd signals(::signalfd(-1, &all, SFD_CLOEXEC));
  if (!signals) return kFailed;
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) {
      if (errno == EINTR) continue;
      return kFailed;
    }
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGCHLD) continue;
    info.ssi_code == SI_KERNEL ? signal_front(runtime, child, number)
                               : signal_agent(runtime, child, number);
  }
}

void leave_front() {
  if (::setpgid(0, 0) != 0) ::_exit(kFailed);
  std::signal(SIGTTIN, SIG_IGN);  // which it does not need to read or to change the terminal
  std::signal(SIGTTOU, SIG_IGN);
}

Result<> stand_aside() {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return fail_errno("open /dev/null");
  for (int fd = 0; fd <= 2; ++fd)
    if (::dup2(null.get(), fd) < 0) return fail_errno("dup2");
  return {};
}

}  // namespace aispm::sandbox
