// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/model/package.hpp"
#include "sdk/core/common/host_rule.hpp"

// What a launch will do, as data: made by sandbox/plan, printed by --dry-run, performed by
// sandbox/apply.
namespace aispm::sandbox {

// Limits of one run. 0 means none, where that is allowed.
struct Limits {
  std::uint64_t memory_bytes = 512ULL << 20;
  std::uint32_t pids = 256;
  std::uint32_t open_files = 1024;
  std::uint64_t file_size_bytes = 1ULL << 30;
  std::uint64_t tmp_bytes = 64ULL << 20;
  std::uint64_t shm_bytes = 64ULL << 20;
  std::uint64_t home_bytes = 64ULL << 20;   // of a private home
  std::uint64_t disk_bytes = 256ULL << 20;  // all scratch folders of the run together
  std::uint64_t workspace_bytes = 0;        // what the workspace may hold in all (a quota)
  std::uint64_t output_bytes = 0;           // standard output, standard error and terminal together
  std::uint32_t runs = 50;                  // sandboxes of one user on this host at a time
  std::uint32_t cpu_milli = 0;              // thousandths of a processor: 500 is half of one
  std::chrono::milliseconds cpu_time{0};
  std::chrono::milliseconds wall_time{0};
  bool operator==(const Limits&) const = default;
};

// Permissions that weaken the sandbox. Each must be written out in the profile under `dangerous:`.
struct Dangerous {
  // --ro/--rw may name a home folder, /etc and other folders that usually hold secrets, --rw also
  // /usr and what belongs to it.
  bool sensitive_paths = false;
  // Environment variables whose names look like secrets may be passed with `environment.pass` or
  // --env NAME.
  bool secret_environment = false;
  // Entries of `workspace.protect` that the agent may change nevertheless.
  std::vector<std::string> unprotected_paths;
  bool operator==(const Dangerous&) const = default;
};

// What executes the agent's system calls.
enum class Isolation : std::uint8_t {
  kKernel,  // the host's kernel, behind a seccomp allow-list and Landlock
  kGvisor,  // gVisor's runsc within the same namespaces, mounts, network and limits (ADR 0039)
};

// What $HOME is inside.
enum class Home : std::uint8_t {
  kScratch,  // /tmp
  kPrivate,  // an empty folder of its own that ends with the run
  kKept,  // a folder of the caller's state, one an agent: what is written there is there next time
};

// A file of a private or kept home, written before the program starts. "${gateway}" in it is the
// gateway's address inside.
struct HomeFile {
  std::string path;  // below the home
  std::string content;
  bool operator==(const HomeFile&) const = default;
};

// A profile file (policies/sandbox/*.yaml). What a file leaves out is as in default.yaml.
struct Profile {
  std::string name;
  std::vector<std::string> files;     // it was read from, bases first; empty: it is built in
  std::vector<std::string> programs;  // chosen for these when the caller names no profile
  // Hosts whose kernel has an older Landlock are refused. 2 is Linux 5.19 (Debian 12 has 6.1: ABI
  // 2).
  std::uint32_t landlock_min_abi = 2;
  Isolation isolation = Isolation::kKernel;
  // SHA-256 (64 hex digits) of the programs and scripts that may be started; empty: any.
  std::vector<std::string> admit;
  bool is_offline = false;
  bool current_folder_is_workspace = false;
  // Read-only inside the workspace, and not to be made where they do not exist. Relative paths.
  std::vector<std::string> protect;
  std::vector<std::string> protect_home;  // further ones when the workspace is a home folder
  Home home = Home::kScratch;
  std::vector<HomeFile> home_files;
  std::vector<std::string> read_only;
  std::vector<std::string> read_write;
  std::vector<std::string> pass_environment;
  std::vector<std::string> set_environment;  // "NAME=VALUE"
  // Hosts that may be reached besides the gateway, through it, as far as its operator permits them.
  std::vector<HostRule> allow_hosts;
  Limits limits;
  Dangerous dangerous;
  bool operator==(const Profile&) const = default;
};

// What the command line asks for.
struct Request {
  std::vector<std::string> command;        // agent.py ARGS... or CMD ARGS...
  bool is_script = false;                  // command[0] is agent.py, agent.js or an executable file
  std::string python;                      // --python
  std::vector<std::string> before_script;  // words between its interpreter and agent.py
  std::string agent;                       // --agent, else the base name
  std::string workspace;                   // --workspace: writable, and where the program starts
  std::string kept_home;                   // the folder of a home that is kept
  std::vector<std::string> read_only;
  std::vector<std::string> read_write;
  std::vector<std::string> environment;  // NAME or NAME=VALUE
  std::string gateway_socket;            // empty: offline
  std::string session_id;
  PackageSet packages;  // of --requirements
  Profile profile;
};

struct Mount {
  enum class Kind : std::uint8_t {
    kBindReadOnly,
    kBindReadWrite,
    kDevice,  // one device node, writable
    kTmpfs,   // writable; `bytes` is its size
    kProc,
    kTerminals,  // devpts of the sandbox's own
    kFile,       // synthesised, `content`
    kCopy,       // of the small host file `source`, made at the start: cheaper than a mount
    kSymlink,    // `source` is the link's text
    kFolder,     // empty, read-only
    kHomeFile,   // `content`, the agent's; one that is there stays
  };
  Kind kind;
  std::string target;  // absolute path inside
  std::string source;
  std::string content;
  std::uint64_t bytes = 0;
  // Binds, as root: the agent counts as the owner of this folder of the host, and what it makes
  // belongs to that owner (an id-mapped mount). Empty: as the host says.
  std::string owner_of = {};
  // A bind within the workspace, over what is there: neither made nor reached through a symlink.
  bool is_in_workspace = false;
  // kProc: all of it, which only gVisor's runtime sees; else the sandbox's own processes.
  bool is_whole = false;
  bool operator==(const Mount&) const = default;
};

// An empty folder (or a file with `content`) that stands on the host while the run lasts, for a
// protected path that does not exist: only what exists can be mounted over.
struct Placeholder {
  std::string path;
  std::string content;  // empty: a folder
};

// A variable by which clients of one dialect find the gateway; set only if it speaks that dialect.
struct GatewayVariable {
  std::string dialect;  // "openai", "anthropic", "gemini", "ollama", ...
  std::string pair;     // NAME=VALUE
};

// gVisor's runsc, which then runs the program.
struct Runtime {
  std::string executable;  // the same path on the host and inside; empty: no runtime
  // Filled by wrap_in_runtime(), when all else of the plan is known.
  std::vector<std::string> argv;
  std::vector<std::string> environment;
};

struct Plan {
  std::string agent;
  std::string profile;
  std::string session_id;
  std::string gateway_socket;  // empty: offline
  std::uint32_t landlock_min_abi = 0;
  std::vector<HostRule> allow_hosts;
  bool needs_all_hosts = false;  // refused where the gateway does not permit one of them
  Limits limits;
  std::vector<Mount> mounts;  // parents before children
  std::string workspace;      // resolved; empty: none
  std::vector<Placeholder> placeholders;
  PackageSet packages;
  std::string kept_home;          // made before the start; empty: none
  std::vector<std::string> argv;  // as the program sees it
  std::string executable;         // absolute path inside
  std::string script;             // that an interpreter runs; empty: none
  std::string digest_cache;       // folder for digests of programs; empty: none
  std::vector<std::string> environment;
  std::vector<GatewayVariable> gateway_environment;
  std::string folder;  // where the program starts
  Runtime runtime;
  std::vector<std::string> admit;  // as the profile's
  std::vector<std::string> notes;  // what the caller should know, e.g. a folder that was not shared
};

inline constexpr std::uint16_t kProxyPort =
    61088;  // outside of the ephemeral range, so that it never meets an agent's own socket
inline constexpr std::uint32_t kInsideUid = 10001;  // SBX-015
// gVisor's runtime works as the one user of the sandbox's user namespace, which must then be 0 in
// it, and so does the agent, without any capability (ADR 0039). It is never the host's 0.
inline constexpr std::uint32_t kRuntimeUid = 0;
inline constexpr const char* kRuntimeFolder =
    "/run/aispm";  // the runtime's own, unseen by the agent
inline constexpr const char* kRuntimeContainer = "agent";
inline constexpr const char* kPrivateHome = "/home/agent";

// Exit codes of aispm-run itself; any other is the program's own (128+n: it died of signal n).
inline constexpr int kExitUsage = 2;
inline constexpr int kExitLimit = 123;     // another limit, or its output could not be delivered
inline constexpr int kExitWallTime = 124;  // as timeout(1)
inline constexpr int kExitSandbox = 125;   // the sandbox could not be built; nothing ran
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;

}  // namespace aispm::sandbox
