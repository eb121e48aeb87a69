// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/plan.hpp"

#include <algorithm>

#include "sandbox/plan/runtime.hpp"

namespace aispm::sandbox {
namespace {

bool is_name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("._-/@").find(c) != std::string_view::npos;
}

std::string default_agent_name(const Request& request) {
  std::string name = request.command[0].substr(request.command[0].rfind('/') + 1);
  for (char& c : name)
    if (!is_name_character(c)) c = '_';
  name.resize(std::min<std::size_t>(name.size(), 128));
  return name;
}

// Where the program starts: the workspace (where the caller is in it), else the script's folder,
// else the caller's when it is shared, else scratch space.
std::string start_folder(const Host& host, const Workspace& workspace, const Program& program,
                         const std::vector<Mount>& mounts) {
  if (!workspace.folder.empty())
    return lies_in(host.current_folder(), workspace.folder) ? host.current_folder()
                                                            : workspace.folder;
  const std::string wanted =
      program.script_folder.empty() ? host.current_folder() : program.script_folder;
  for (const auto& mount : mounts)
    if (mount.kind <= Mount::Kind::kBindReadWrite && lies_in(wanted, mount.target)) return wanted;
  return "/tmp";
}

// "" where there is no home: none is made for it.
std::string digest_folder(const Host& host) {
  constexpr const char* kBelow = "/aispm/digests";
  if (const auto cache = host.environment("XDG_CACHE_HOME"))
    return cache->starts_with("/") ? *cache + kBelow : "";
  const std::string home = host.home();
  const bool is_home = home.size() > 1 && host.type(home) == Host::Type::kFolder;
  return is_home ? home + "/.cache" + kBelow : "";
}

}  // namespace

bool is_agent_name(const std::string& name) {
  return !name.empty() && name.size() <= 128 &&
         std::all_of(name.begin(), name.end(), is_name_character);
}

std::string agent_name(const Request& request) {
  return request.agent.empty() ? default_agent_name(request) : request.agent;
}

Result<Plan> make_plan(const Host& host, const Request& request) {
  Plan plan;
  plan.agent = agent_name(request);
  if (!is_agent_name(plan.agent))
    return fail(Errc::kInvalid, "--agent '" + plan.agent +
                                    "': must be 1 to 128 characters of A-Z a-z 0-9 . _ - / @");
  AISPM_TRY(Program program, find_program(host, request));
  if (request.profile.isolation == Isolation::kGvisor) {
    AISPM_TRY(plan.runtime.executable, share_runtime(host, request.profile.name, program));
  }
  AISPM_TRY(Workspace workspace, plan_workspace(host, request));
  AISPM_TRY(plan.mounts, plan_mounts(host, request, program, workspace));
  AISPM_TRY(plan.environment, plan_environment(host, request, program, plan.agent));
  plan.gateway_environment = plan_gateway_environment(request, plan.environment);
  plan.folder = start_folder(host, workspace, program, plan.mounts);
  plan.workspace = workspace.folder;
  if (plan.workspace.empty() && request.profile.limits.workspace_bytes != 0)
    return fail(Errc::kInvalid,
                "limits.workspace: this run has no workspace. Name one with --workspace, or leave "
                "the limit out");
  plan.placeholders = std::move(workspace.placeholders);
  plan.packages = request.packages;
  if (request.profile.home == Home::kKept) plan.kept_home = request.kept_home;
  plan.profile = request.profile.name;
  plan.session_id = request.session_id;
  plan.gateway_socket = request.gateway_socket;
  plan.landlock_min_abi = request.profile.landlock_min_abi;
  if (plan.gateway_socket.empty() && !request.profile.allow_hosts.empty())
    return fail(Errc::kInvalid, "profile " + plan.profile +
                                    ": network.allow_hosts needs the gateway, which alone reaches "
                                    "them: leave out --offline or the hosts");
  plan.allow_hosts = request.profile.allow_hosts;
  plan.limits = request.profile.limits;
  plan.admit = request.profile.admit;
  plan.executable = program.executable;
  plan.argv = program.argv;
  plan.script = program.script;
  plan.digest_cache = digest_folder(host);
  if (!plan.runtime.executable.empty()) add_runtime_mounts(plan);
  plan.notes = program.notes;
  plan.notes.insert(plan.notes.end(), workspace.notes.begin(), workspace.notes.end());
  return plan;
}

}  // namespace aispm::sandbox
