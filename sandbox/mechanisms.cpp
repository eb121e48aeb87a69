// SPDX-License-Identifier: Apache-2.0
#include "sandbox/mechanisms.hpp"

#include "sdk/core/model/run_facts.hpp"

namespace aispm::sandbox {

std::vector<std::string> mechanisms_of(const Plan& plan, const RootPrefix& prefix,
                                       int landlock_abi) {
  std::vector<std::string> names = {"userns",       "mountns", "pidns",    "netns",
                                    "ipcns",        "utsns",   "cgroupns", "max_user_namespaces:0",
                                    "no_new_privs", "rlimits"};
  if (plan.runtime.executable.empty())
    names.insert(names.end(), {"isolation:kernel", "seccomp", "capabilities:none",
                               "landlock:" + std::to_string(landlock_abi)});
  else
    names.insert(names.end(), {"isolation:gvisor", "seccomp:runtime", "capabilities:runtime",
                               "landlock:scopes", "call_denials:unseen (gVisor answers them)"});
  if (plan.limits.memory_bytes != 0 && !prefix.groups().limits_memory())
    names.emplace_back(plan.runtime.executable.empty() ? "memory:rlimit_data" : "memory:none");
  if (plan.limits.cpu_milli != 0 && !prefix.groups().limits_cpu()) names.emplace_back("cpus:none");
  if (plan.limits.cpu_time.count() != 0 && !prefix.groups().cpu_used())
    names.emplace_back("cpu_time:rlimit_cpu");
  for (const auto& name : prefix.mechanisms()) names.push_back(name);
  if (!plan.packages.id.empty()) names.push_back("packages:" + plan.packages.id);
  names.emplace_back(plan.gateway_socket.empty() ? "network:none" : "network:gateway");
  return names;
}

std::vector<std::string> with_run_facts(const RunIdentity& run,
                                        std::vector<std::string> mechanisms) {
  const std::string user = run.agent_id.substr(0, run.agent_id.find('/') + 1);
  if (run.init.pid != 0) mechanisms.push_back(model::describe_run_init(run.init));
  for (const ParentRun& parent : run.parents)
    mechanisms.push_back(std::string(model::kRunsFor) + parent.session_id + " " + user +
                         parent.agent);
  return mechanisms;
}

}  // namespace aispm::sandbox
