// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sandbox/plan/plan.hpp"

namespace aispm::sandbox {
namespace {

std::string quote(const std::string& word) {
  if (!word.empty() && word.find_first_of(" \t\n'\"\\$*?;&|<>()`") == std::string::npos)
    return word;
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string limit(std::uint64_t value, const std::string& unit) {
  return value == 0 ? "none" : std::to_string(value) + unit;
}

std::string line_of(const Mount& mount) {
  switch (mount.kind) {
    case Mount::Kind::kBindReadOnly:
      return (mount.is_in_workspace ? "protected   " : "read-only   ") + mount.target;
    case Mount::Kind::kBindReadWrite:
      return "read-write  " + mount.target +
             (mount.source == mount.target ? "" : " (" + mount.source + ")");
    case Mount::Kind::kDevice:
      return "device      " + mount.target;
    case Mount::Kind::kTmpfs:
      return "scratch     " + mount.target + " (" + std::to_string(mount.bytes) + " bytes)";
    case Mount::Kind::kProc:
      return "proc        " + mount.target + " " +
             (mount.is_whole ? "(for the runtime)" : "(own processes only)");
    case Mount::Kind::kTerminals:
      return "terminals   " + mount.target + " (the sandbox's own)";
    case Mount::Kind::kFile:
      return "made        " + mount.target;
    case Mount::Kind::kCopy:
      return "copy        " + mount.target;
    case Mount::Kind::kSymlink:
      return "link        " + mount.target + " -> " + mount.source;
    case Mount::Kind::kFolder:
      return "folder      " + mount.target;
    case Mount::Kind::kHomeFile:
      return "home file   " + mount.target;
  }
  return mount.target;
}

}  // namespace

std::string describe(const Plan& plan) {
  std::string text =
      "agent " + plan.agent + ", profile " + plan.profile + ", session " + plan.session_id + "\n";
  int step = 0;
  const auto add = [&](const std::string& what) {
    text += std::to_string(++step) + ". " + what + "\n";
  };
  add("as root only: a host user id of its own (0x61000000..), cgroups, no supplementary groups");
  add("new namespaces: user mount pid network ipc uts cgroup; user id " +
      std::to_string(plan.runtime.executable.empty() ? kInsideUid : kRuntimeUid) +
      " inside; user.max_user_namespaces=0");
  add("network: loopback only, all addresses routed to it and watched; " +
      (plan.gateway_socket.empty()
           ? "offline: no listener"
           : "127.0.0.1:" + std::to_string(kProxyPort) + " is relayed to " + plan.gateway_socket));
  for (const auto& rule : plan.allow_hosts)
    text += "     through the gateway: " + to_text(rule) + "\n";
  add("files (everything else does not exist):");
  for (const auto& mount : plan.mounts) {
    const bool is_missing =
        mount.is_in_workspace &&
        std::any_of(plan.placeholders.begin(), plan.placeholders.end(),
                    [&](const Placeholder& one) { return one.path == mount.target; });
    text += "     " + line_of(mount) +
            (is_missing ? " (not there: an empty one stands in while the run lasts)" : "") + "\n";
  }
  add("init as process 1, the program as process 2 in a session of its own");
  add("limits: memory " + limit(plan.limits.memory_bytes, " bytes") + ", processes " +
      std::to_string(plan.limits.pids) + ", open files " + std::to_string(plan.limits.open_files) +
      ", file size " + limit(plan.limits.file_size_bytes, " bytes") + ", scratch " +
      limit(plan.limits.disk_bytes, " bytes") + ", workspace " +
      limit(plan.limits.workspace_bytes, " bytes") + ", output " +
      limit(plan.limits.output_bytes, " bytes") + ", processors " +
      (plan.limits.cpu_milli == 0 ? std::string("all")
                                  : std::to_string(plan.limits.cpu_milli) + "/1000") +
      ", cpu " + limit(static_cast<std::uint64_t>(plan.limits.cpu_time.count()), " ms") +
      ", wall " + limit(static_cast<std::uint64_t>(plan.limits.wall_time.count()), " ms"));
  if (!plan.runtime.executable.empty()) {
    add("gVisor: " + plan.runtime.executable +
        " between the program and this kernel; the program is user " + std::to_string(kRuntimeUid) +
        " of its sandbox, without capabilities");
    add("no_new_privs, inherited descriptors closed; seccomp: what the runtime needs");
  } else {
    add("no capabilities, securebits locked, no_new_privs, inherited descriptors closed");
    add("Landlock: all file rights and scopes of this kernel (at least ABI " +
        std::to_string(plan.landlock_min_abi) + ")");
    add("seccomp: allow-list, everything else refused and reported");
  }
  if (!plan.admit.empty())
    add("admission: the program and its script must have one of " +
        std::to_string(plan.admit.size()) + " SHA-256 digests");
  add("environment:");
  for (const auto& pair : plan.environment) text += "     " + pair + "\n";
  for (const auto& variable : plan.gateway_environment)
    text += "     " + variable.pair + " (if the gateway speaks " + variable.dialect + ")\n";
  std::string command;
  for (const auto& word : plan.argv) command += " " + quote(word);
  add("in " + plan.folder + " run " + plan.executable + ":" + command);
  for (const auto& note : plan.notes) text += "note: " + note + "\n";
  return text;
}

}  // namespace aispm::sandbox
