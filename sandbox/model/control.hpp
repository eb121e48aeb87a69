// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// Messages between the supervisor (outside) and the sandbox's first process, over a SOCK_SEQPACKET
// pair. Both ends are one program.
namespace aispm::sandbox {

enum class ControlKind : std::uint32_t {
  kFailed = 1,   // a step failed: `text`; `value` is the exit code to give
  kSockets = 2,  // with fds: packet monitor, DNS v4, DNS over TCP, DNS v6 (if IPv6), proxy listener
                 // (if online);
                 // `value` is the pid namespace's inode
  kListener = 3,  // with fd: seccomp listener; `value` is the Landlock ABI in force
  kGo = 4,        // to the agent's process: everything outside is in place, exec
  kSignal = 5,    // to init: send signal `value`; `extra` 1: to the process group, kToAll: to all
  kExited = 6,    // from init: `value` is the wait status of the agent
  kStopped = 7,   // from init: the agent stopped itself (job control)
  kBuilt = 8,   // from init, before or after kListener: the host's files are detached for all, init
                // has no privilege left
  kFull = 10,   // from init: scratch folders that were found full; bits of `value`
  kBegin = 11,  // to init of a sandbox that waited: its agent begins, look at these folders
  kMoreSockets = 20,   // to init: make stream sockets of family `value`
  kFreshSockets = 21,  // from init, with fds: here they are, unbound (fewer, or none, when the
                       // kernel refuses)
  // Of the warm pool (ADR 0037):
  kWarmUp = 30,  // to the agent's process of a waiting sandbox: process 1 is done, make ready
  kReady = 31,   // from it: it waits for kEnter
  kEnter = 32,   // to it, with fds: what to run (EnterHeader), Landlock rules, its streams 0, 1, 2
  kPlace = 33,   // to the porter, with fds: further mounts (encode_mounts), then `value` trees, of
                 // which the first come here
  kTrees = 34,   // to the porter, with fds: more of them
  kRules = 35,   // from the porter, with fd: Landlock rules; `value` is the ABI, `extra` the flags
  kTake = 36,    // to the pool: `text` says what is wanted (encode_want)
  kTaken = 37,  // from the pool, with fds: setup, control, porter, pidfd of process 1 and, as root,
                // the lock of the user id; `value` is that id, `text` the control groups. kSockets
                // follows
  kTerminal =
      9,  // with fd: the main side of the terminal inside; after kSockets, where one is wanted
  kEntered = 40,  // from process 1 to process 2: "/" is the sandbox's; `value` is its device number
  kStaged =
      41,  // from process 1 to process 2: the new root is there; back: its share of it is made
};

// Of kSignal: to every process of the sandbox but init.
inline constexpr std::uint32_t kToAll = 2;

struct ControlMessage {
  ControlKind kind = ControlKind::kFailed;
  std::uint32_t extra = 0;
  std::uint64_t value = 0;
  char text[1024] = {};
};

}  // namespace aispm::sandbox
