// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/wait.h>

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/apply/start.hpp"
#include "sandbox/launch.hpp"
#include "sandbox/supervise/supervisor.hpp"

namespace aispm::sandbox {

// A sandbox whose agent has not begun must not outlive a failure.
class InitGuard {
 public:
  InitGuard() = default;
  explicit InitGuard(pid_t init) : init_(init) {}
  InitGuard(InitGuard&& other) noexcept : init_(std::exchange(other.init_, -1)) {}
  InitGuard& operator=(InitGuard&& other) noexcept {
    std::swap(init_, other.init_);
    return *this;
  }
  ~InitGuard() {
    if (init_ <= 0) return;
    ::kill(init_, SIGKILL);
    while (::waitpid(init_, nullptr, __WALL) < 0 && errno == EINTR) {
    }
  }
  void release() { init_ = -1; }

 private:
  pid_t init_ = -1;
};

// A sandbox whose program stands before exec, with all that restrains it, and waits for let_go().
struct Beginning {
  RootPrefix prefix;
  Result<std::unique_ptr<Audit>> audit;
  Started started;
  Watched watched;  // without outputs that are no terminal, and signals
  InitGuard guard;
  UniqueFd lease;         // of the pool, which ends the sandbox when it is closed
  bool is_built = false;  // process 1 has told that it is done too; else let_go() waits for it
  int landlock_abi = 0;
  std::vector<std::string> digests;  // of the programs; when the run is reported
  StartKind kind;
  std::chrono::steady_clock::time_point asked;  // when begin_run() was called
};

// Takes a sandbox of the pool where `options` names one and it has what `plan` needs, else builds
// one. Fills in `run.pid_namespace`. `signal_mask` is what the program gets. Closes the write ends
// in `streams`.
Result<Beginning> begin_run(const Plan& plan, const LaunchOptions& options, RunIdentity& run,
                            bool is_reported, const sigset_t& signal_mask, AgentStreams& streams);

// Lets the program begin when process 1 has detached the host's files and dropped its privileges.
// Gives why it could not, after which nothing runs.
Result<std::optional<ControlMessage>> let_go(Beginning& built);

// --- warm.cpp
// A waiting sandbox that the pool gave us.
struct Warm {
  RootPrefix prefix;
  UniqueFd setup;
  UniqueFd control;
  UniqueFd port;
  UniqueFd init;  // pidfd
  UniqueFd lease;
  Received sockets;
  std::vector<Mount> late;
};
// An error says why this run starts cold.
Result<Warm> take_warm(const Plan& plan, const LaunchOptions& options, const AgentStreams& streams);
// Gives it all that it lacks; afterwards only kGo is missing. Gives the message with the seccomp
// listener, whose value is the Landlock ABI.
Result<Received> prepare_warm(Warm& warm, const Plan& plan, const sigset_t& signal_mask,
                              const AgentStreams& streams, std::vector<std::string>& notes);

}  // namespace aispm::sandbox
