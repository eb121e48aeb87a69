// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "sandbox/apply/steps.hpp"

namespace aispm::sandbox {

// What only root has: a host user of the run's own and control groups. Empty for ordinary users.
// Lives as long as the run: the user id is reserved by a lock, the groups are removed at the end.
class RootPrefix {
 public:
  // As an ordinary user: an empty prefix. As root: reserves a user id and makes groups where the
  // host has them.
  static Result<RootPrefix> open(const Limits& limits);
  RootPrefix(RootPrefix&&) noexcept = default;
  RootPrefix& operator=(RootPrefix&&) noexcept = default;
  ~RootPrefix();

  bool is_root() const { return uid_ != 0; }
  unsigned uid() const { return uid_; }
  bool limits_memory() const { return !memory_folder_.empty(); }
  // Names for SandboxStart.mechanisms, e.g. "cgroup1:memory".
  const std::vector<std::string>& mechanisms() const { return mechanisms_; }
  // In the forked process: joins the groups, becomes the unprivileged user.
  Result<> become() const;
  // Limits that were hit: "memory", "pids". Valid after the agent's last process has ended.
  std::vector<std::string> limits_hit() const;
  // A child of ours removes the groups when process 1 has gone too, which nobody waits for; it
  // keeps the user id reserved until then.
  void remove_groups_in_background();

 private:
  RootPrefix() = default;
  void remove_groups();
  Result<> reserve_uid();
  void make_groups(const Limits& limits);
  bool make_v1(const std::string& controller, const std::string& name);
  bool make_v2(const std::string& name, const Limits& limits);

  unsigned uid_ = 0;
  UniqueFd slot_;
  std::vector<std::string> folders_;
  std::vector<std::string> join_files_;  // "0" written there joins the group
  std::string memory_folder_;
  std::string pids_folder_;
  std::vector<std::string> mechanisms_;
};

// A new process in namespaces of its own that builds the sandbox and stops before exec.
struct Started {
  pid_t init = -1;                 // process 1, as seen from here; a child of the caller
  UniqueFd setup;                  // kSockets, kListener, kFailed; closed by exec
  UniqueFd control;                // to and from init
  std::vector<std::string> notes;  // what the caller should know
};

// `signal_mask` is what the program gets: the caller blocks signals before. Closes the write ends
// in `streams`: they are the sandbox's alone.
Result<Started> start_sandbox(const Plan& plan, const RootPrefix& prefix,
                              const sigset_t& signal_mask, AgentStreams& streams);

}  // namespace aispm::sandbox
