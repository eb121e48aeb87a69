// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "sandbox/apply/groups.hpp"
#include "sandbox/apply/steps.hpp"

namespace aispm::sandbox {

// Somebody for whom root prepares a sandbox.
struct Caller {
  unsigned uid = 0;
  unsigned gid = 0;
  std::vector<unsigned> groups;
  auto operator<=>(const Caller&) const = default;
};

// What the host adds to a run: as root a host user of its own and control groups, otherwise groups
// where they are delegated. Lives as long as the run: the user id is reserved by a lock, the groups
// are removed at the end.
class RootPrefix {
 public:
  // Makes groups where the host has them; as root reserves a user id.
  static Result<RootPrefix> open(const Limits& limits);
  // As root, for another user: the sandbox's processes become that user. Control groups get `name`.
  static RootPrefix open_for(const Limits& limits, const Caller& caller, const std::string& name);
  // Of a sandbox that was prepared by somebody else, who removes the groups. `uid` 0: of no user id
  // of its own.
  static RootPrefix adopt(unsigned uid, UniqueFd slot, ControlGroups groups);
  RootPrefix(RootPrefix&&) noexcept = default;
  RootPrefix& operator=(RootPrefix&&) noexcept = default;
  ~RootPrefix();

  bool is_root() const { return uid_ != 0; }
  // Somebody else than the caller runs in the sandbox.
  bool changes_user() const { return is_root() || caller_.uid != 0; }
  unsigned inner_uid() const { return is_root() ? uid_ : caller_.uid; }
  unsigned inner_gid() const { return is_root() ? uid_ : caller_.gid; }
  int slot() const { return slot_.get(); }
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
  Caller caller_;
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

// What a sandbox of the warm pool has besides.
struct WarmParts {
  UniqueFd port;        // to the porter, which adds mounts
  UniqueFd library;     // sandbox/enter as a shared object, for an interpreter
  std::string runner;   // Python that the interpreter runs; empty: it executes what it is told
  UniqueFd host_space;  // mount namespaces, from split_spaces()
  UniqueFd inner_space;
};

// `signal_mask` is what the program gets: the caller blocks signals before. Closes the write ends
// in `streams`: they are the sandbox's alone.
// With `warm`: the agent's process waits to be told what to run, process 1 lives on without us.
Result<Started> start_sandbox(const Plan& plan, RootPrefix& prefix, const sigset_t& signal_mask,
                              AgentStreams& streams, WarmParts* warm = nullptr);

// --- warm.cpp, in the new processes
// In process 1: a mount namespace of its own for the sandbox; the host's stays for the porter.
Result<> split_spaces(WarmParts& warm);
// Adds the mounts that the taker asks for, makes "/" read-only, gives the Landlock rules, and ends.
[[noreturn]] void run_porter(const Plan& base, WarmParts warm);
// The agent's process, without privileges: gets ready, waits to be taken.
[[noreturn]] void run_waiting(const Plan& base, WarmParts warm, UniqueFd setup,
                              const sigset_t& signal_mask);

}  // namespace aispm::sandbox
