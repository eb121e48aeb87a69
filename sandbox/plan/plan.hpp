// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sandbox/model/host.hpp"
#include "sandbox/model/plan.hpp"
#include "sandbox/plan/program.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::sandbox {

// Turns a request into a plan. Pure but for reading `host`: it never changes anything.
Result<Plan> make_plan(const Host& host, const Request& request);

// The folder the agent may change, and what in it stays read-only.
struct Workspace {
  std::string folder;  // resolved; empty: none
  std::string link;    // the path it was named by, when that goes through a symlink
  std::vector<Mount> mounts;
  std::vector<Placeholder> placeholders;
  std::vector<std::string> notes;
};
// Fails for sensitive folders that the profile does not allow, and where a protected path is a
// symlink (it could be replaced, so it cannot be protected).
Result<Workspace> plan_workspace(const Host& host, const Request& request);

// The file system as the agent will see it: system folders, a synthetic /etc, /dev, /proc, scratch
// space and what was asked for. Fails for sensitive paths that the profile does not allow, and for
// paths that do not exist.
Result<std::vector<Mount>> plan_mounts(const Host& host, const Request& request,
                                       const Program& program, const Workspace& workspace);

// The resolved path of what the caller wants to share. `option` is for messages ("--ro ").
Result<std::string> shareable(const Host& host, const Request& request, const std::string& option,
                              const std::string& given, Mount::Kind kind);

// $HOME inside.
std::string home_inside(const Profile& profile);
// Text of a profile with "${gateway}" replaced by the gateway's address inside.
std::string fill_in_gateway(std::string text);

// The allow-listed environment, and what points SDKs at the gateway. Nothing else is inherited.
// The variables by which models' clients find the gateway, less those that `environment` has.
std::vector<GatewayVariable> plan_gateway_environment(const Request& request,
                                                      const std::vector<std::string>& environment);
Result<std::vector<std::string>> plan_environment(const Host& host, const Request& request,
                                                  const Program& program, const std::string& agent);

// The plan as numbered steps, for --dry-run.
std::string describe(const Plan& plan);

// What holds the run in, as sorted lines that are equal for equal runs: mounts, ways out,
// mechanisms in force, the seccomp filter's digest, limits and `digests`. The collector compares
// them.
std::vector<std::string> describe_boundary(const Plan& plan,
                                           const std::vector<std::string>& mechanisms,
                                           const std::vector<std::string>& digests);

// --agent, else the program's base name.
std::string agent_name(const Request& request);

// 1 to 128 of [A-Za-z0-9._-/@].
bool is_agent_name(const std::string& name);

}  // namespace aispm::sandbox
