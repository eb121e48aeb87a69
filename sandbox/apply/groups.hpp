// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/model/plan.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// What control groups limit or count for the whole sandbox, and need not be limited for each
// process.
struct GroupLimits {
  bool memory = false;
  bool pids = false;
  bool cpu_time = false;
};

// Control groups of one run: version 2, or version 1 where a host still has it. Groups are an
// addition: where there are none, rlimits hold and SandboxStart.mechanisms names no group.
class ControlGroups {
 public:
  ControlGroups() = default;
  // As root, below our own group (version 1) or in aispm.slice (version 2).
  static ControlGroups open_as_root(const Limits& limits, const std::string& name);
  // As an ordinary user: beside our own group, where the service manager delegated that place
  // (systemd does it for what user@.service starts).
  static ControlGroups open_delegated(const Limits& limits, const std::string& name);

  // Controllers that a run of this user could have, e.g. "memory".
  static std::vector<std::string> offered();

  // What they limit for the whole sandbox.
  GroupLimits limits() const {
    return {limits_memory(), !pids_folder_.empty(), !usage_folder_.empty()};
  }
  bool limits_memory() const { return !memory_folder_.empty(); }
  bool limits_cpu() const { return !cpu_folder_.empty(); }
  bool is_empty() const { return folders_.empty(); }
  // "cgroup1:memory", "cgroup2:cpu", ...
  const std::vector<std::string>& mechanisms() const { return mechanisms_; }
  // For a delegated place: the group to clone into; -1 when there is none.
  int clone_into() const { return delegated_.get(); }
  // Moves the calling process, which has one thread, in.
  Result<> join() const;
  // Processor time of all that ran in it; nothing when it is not counted.
  std::optional<std::chrono::microseconds> cpu_used() const;
  // Limits that were reached: "memory", "pids". Valid after the last process has ended.
  std::vector<std::string> limits_hit() const;
  // For another process that watches the same run: read by shared(). "" when there are none.
  std::string share() const;
  // The groups of a run that somebody else made and removes. Wrong text gives none.
  static ControlGroups shared(const std::string& text);
  // The folders that they are in.
  std::vector<std::string> parents() const;
  // Removes what has no process any more. True when nothing is left. Does not wait.
  bool try_remove();
  // Waits a little for the kernel to unlink the last process.
  void remove();
  // Leaves the removal to somebody else.
  void forget() { folders_.clear(); }

 private:
  std::string make_v1(const std::string& controller, const std::string& name);
  void make_all_v1(const Limits& limits, const std::string& name);
  bool make_v2(const Limits& limits, const std::string& slice, const std::string& name);
  void limit_v2(const Limits& limits, const std::string& folder);

  std::vector<std::string> folders_;
  std::vector<std::string> join_files_;  // "0" written there joins the group
  std::string memory_folder_;
  std::string pids_folder_;
  std::string cpu_folder_;    // limits the share
  std::string usage_folder_;  // counts the time
  std::vector<std::string> mechanisms_;
  UniqueFd delegated_;
};

}  // namespace aispm::sandbox
