// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/apply/channel.hpp"
#include "sandbox/apply/groups.hpp"
#include "sandbox/model/control.hpp"
#include "sandbox/model/late.hpp"
#include "sandbox/model/plan.hpp"
#include "sandbox/model/streams.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

// One mechanism per file, each a hard error with a remedy when the host refuses it. All run in the
// new process, single-threaded. The order is that of start.cpp.
namespace aispm::sandbox {

// --- identity.cpp
// `as_sibling`: the new process becomes a child of our parent. `group`: the control group it starts
// in, -1 for ours.
Result<pid_t> clone_namespaces(bool as_sibling, int group);
// The kernel kills this process when the supervisor, at the other end of `control`, dies.
Result<> die_with(int control);
// Maps the one host user and group (never 0: they are the caller's, or the prefix's) to kInsideUid.
Result<> map_identity(unsigned uid, unsigned gid);
// The same, to kRuntimeUid.
Result<> map_runtime_identity(unsigned uid, unsigned gid);
// user.max_user_namespaces=0: no way to more namespaces, even if seccomp were wrong.
Result<> forbid_namespaces();

// --- network.cpp
struct NetworkSockets {
  UniqueFd monitor;  // packet socket: sees every attempt to leave
  UniqueFd dns4;     // UDP port 53 of every address
  UniqueFd dns6;     // none without IPv6
  UniqueFd dns_tcp;  // TCP port 53 of every address
  UniqueFd proxy;    // 127.0.0.1:kProxyPort; none offline
};
// Loopback up, every address routed to it, and the sockets that the supervisor will hold.
Result<NetworkSockets> make_network(bool with_proxy);

// --- mounts.cpp
// Detached copies of what will be mounted, in the order of `plan.mounts` (empty for those without a
// source). As root this runs outside, before privileges are dropped, because the agent's user may
// not even look into the caller's folders.
// `agent_uid`: as root the host's user of the run, which then counts as the owner of what
// Mount::owner_of names; 0 as an ordinary user. `notes` gets what could not be done so.
Result<std::vector<UniqueFd>> open_sources(const Plan& plan, unsigned agent_uid,
                                           std::vector<std::string>& notes);
// Mounts the empty new root and goes there. What lies below it in the host's root is out of reach
// by name then.
Result<> make_stage();
// In another process of the same mount namespace, after that.
Result<> go_to_stage();
// Two processes of one mount namespace may fill it at the same time, also when it is "/" already.
enum class Share {
  kAll,
  kMounts,  // all but the next
  kTexts,   // files, copies and links, without a capability
};
// The host's files that kTexts copies, in the order of `plan.mounts`.
Result<std::vector<UniqueFd>> open_texts(const Plan& plan);
// Makes in the new root, which is the current folder, what `plan` names. `sources` as from
// open_sources() or open_texts().
Result<> fill_stage(const Plan& plan, const std::vector<UniqueFd>& sources, Share share);
// Makes the new root, which is the current folder, "/". The old one is hidden, but still attached.
Result<> enter_root();
// Detaches the old root from the whole mount namespace and makes "/" read-only. The kernel waits
// for an RCU grace period in it, so the agent's process is prepared meanwhile.
Result<> leave_old_root();
// The second step alone.
Result<> make_root_read_only();
// The first step alone: the porter (pool) still adds mounts.
Result<> detach_old_root();
// In the mount namespace of a built sandbox whose "/" is still writable: adds `mounts`. `sources`
// as from open_sources().
Result<> place_late(const std::vector<Mount>& mounts, std::vector<UniqueFd> sources);

// --- owner.cpp
// As root: a user namespace in which files of that owner are the agent's, for an id-mapped mount
// (Linux 5.12).
Result<UniqueFd> owner_namespace(unsigned owner_uid, unsigned owner_gid, unsigned agent_uid);

// --- terminal.cpp
struct InnerTerminal {
  UniqueFd main_side;  // for the supervisor
  UniqueFd agent_side;
};
// In process 1, in the new root: a terminal of the sandbox's own devpts, which becomes that of its
// session.
Result<InnerTerminal> make_terminal(const AgentStreams& streams);
// In process 1: makes the agent's process a group of its own, in front of the terminal if there is
// one. So stop signals work as under a shell: the group is not an orphan.
Result<> bring_to_front(int agent_pid, int terminal);
// In the agent's process: puts its streams on 0, 1 and 2.
Result<> take_streams(const AgentStreams& streams, int terminal);

// --- limits.cpp
// What a control group does for the whole sandbox is not done for each process again.
Result<> set_limits(const Limits& limits, const GroupLimits& group);
// The same limits, and the caller's own, for a process that waits (it is no child of the caller).
Result<std::vector<EnterHeader::Limit>> limits_to_hand_over(const Limits& limits,
                                                            const GroupLimits& group);

// --- slots.cpp
// A place among the `most` runs of this user at a time, held while the descriptor is open; 0: no
// limit. kExhausted when all are taken.
Result<UniqueFd> take_run_slot(std::uint32_t most);

// --- privileges.cpp
// No capability in any set, securebits locked, no_new_privs.
Result<> drop_privileges();
// Its first step: all that leaves the capabilities in force themselves as they are.
Result<> lock_privileges();
// Its last.
Result<> drop_capabilities();

// --- landlock.cpp
// ABI of the running kernel, 0 when there is none.
int landlock_abi();
struct FileRules {
  UniqueFd ruleset;
  int abi = 0;
  unsigned flags = 0;  // of landlock_restrict_self
};
// In the sandbox's mount namespace: the rules that the next function puts in force.
Result<FileRules> make_file_rules(const Plan& plan);
// All file rights and scopes of the running ABI. Gives that ABI. Network rights are left to the
// network namespace (ADR 0031).
Result<int> restrict_files(const Plan& plan);
// The scopes alone, which leave mount(2) to gVisor's runtime.
Result<int> restrict_scopes(const Plan& plan);

// --- runtime.cpp
// What stands in for set_limits(), drop_privileges() and restrict_files() before gVisor's runtime:
// the limits leave room for the runtime itself (those of the agent are in its own configuration),
// only the capabilities of our own user namespace that it needs to build its own boundary are left,
// and Landlock keeps its scopes. Gives the Landlock ABI.
Result<int> prepare_for_runtime(const Plan& plan, GroupLimits group);
// runsc's own processes end by a terminal's keys and do not hand other signals on, so a process of
// ours stands before them: this gives the agent each signal it gets (all are blocked), until
// `child`, the runtime, has ended. Gives the exit code.
int relay_signals(const Runtime& runtime, pid_t child);
// The runtime's process is not in front of the terminal. Ends it when that fails.
void leave_front();
// Whether this version of the runtime knows the flag: asks it.
bool accepts_flag(const Runtime& runtime, const char* flag);
// That process holds nothing of the agent's streams.
Result<> stand_aside();
// Limits of the whole run as the host counts them.
Limits host_limits(const Plan& plan);

// --- seccomp.cpp
// Installs the allow-list; gives the descriptor on which refused calls are announced.
Result<UniqueFd> install_filter();
// The same for gVisor's runtime.
Result<UniqueFd> install_runtime_filter();
// What process 1 needs and nothing else.
Result<> install_init_filter();

// --- init.cpp
// Process 1: reaps, forwards signals from `control`, ends all others when the agent has ended, then
// reports that end, and exits when the supervisor has closed `control`. Holds the network's
// `sockets` and `terminal` (may be none) until then, and nothing else. On kMoreSockets it gives the
// supervisor fresh sockets of the agent's network. Tells which scratch folders of `plan` are full,
// if `is_waiting` from kBegin on. Says on `setup`, which it closes, when it cannot.
[[noreturn]] void run_init(const Plan& plan, UniqueFd setup, UniqueFd control,
                           std::vector<UniqueFd> sockets, UniqueFd terminal, int agent_pid,
                           bool is_waiting);

// --- small helpers shared by the steps (identity.cpp)
Result<> write_text(const std::string& path, std::string_view text);
// What the supervisor holds (its gateway, its locks, its files) is not for the new processes. 0, 1
// and 2 stay.
Result<> close_all_but(std::vector<int> kept);

}  // namespace aispm::sandbox
