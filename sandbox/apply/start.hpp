// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "sandbox/apply/groups.hpp"
#include "sandbox/apply/steps.hpp"

namespace aispm::sandbox {

// What the host adds to a run: as root a host user of its own and control groups, otherwise groups
// where they are delegated. Lives as long as the run: the user id is reserved by a lock, the groups
// are removed at the end.
class RootPrefix {
 public:
  // Makes groups where the host has them; as root reserves a user id.
  static Result<RootPrefix> open(const Limits& limits);
  RootPrefix(RootPrefix&&) noexcept = default;
  RootPrefix& operator=(RootPrefix&&) noexcept = default;
  ~RootPrefix();

  bool is_root() const { return uid_ != 0; }
  unsigned uid() const { return uid_; }
  ControlGroups& groups() { return groups_; }
  const ControlGroups& groups() const { return groups_; }
  // Names for SandboxStart.mechanisms, e.g. "hostuid:1627389952".
  std::vector<std::string> mechanisms() const;
  // As root, in the forked process: joins the groups, becomes the unprivileged user.
  Result<> become() const;
  // A child of ours removes the groups when process 1 has gone too, which nobody waits for; it
  // keeps the user id reserved until then.
  void remove_groups_in_background();

 private:
  RootPrefix() = default;
  Result<> reserve_uid();

  unsigned uid_ = 0;
  UniqueFd slot_;
  ControlGroups groups_;
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
Result<Started> start_sandbox(const Plan& plan, RootPrefix& prefix, const sigset_t& signal_mask,
                              AgentStreams& streams);

}  // namespace aispm::sandbox
