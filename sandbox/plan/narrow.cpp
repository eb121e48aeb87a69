// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/narrow.hpp"

#include <algorithm>

#include "sandbox/plan/profiles.hpp"

namespace aispm::sandbox {
namespace {

using policy::SandboxRule;
using Folders = std::vector<std::string>;

std::string join(const Folders& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ", ") + word;
  return all.empty() ? "nothing" : all;
}

tl::unexpected<Error> forbidden(const SandboxRule& rule, const std::string& what) {
  return fail(Errc::kDenied, what + " (rule " + rule.id + " of sandbox.yaml" +
                                 (rule.reason.empty() ? "" : ": " + rule.reason) + ")");
}

// A file that calls itself by a built-in profile's name is none.
bool is_built_in(const Profile& profile) {
  const auto built_in = built_in_profiles();
  return std::any_of(built_in.begin(), built_in.end(), [&](const BuiltInProfile& one) {
    if (one.name != profile.name) return false;
    Profile made = one.make();
    made.files = profile.files;
    made.limits = profile.limits;  // options of the command line change these
    made.isolation = profile.isolation;
    return made == profile;
  });
}

Result<> check_profile(const SandboxRule& rule, const Profile& profile) {
  if (rule.profiles && (std::find(rule.profiles->begin(), rule.profiles->end(), profile.name) ==
                            rule.profiles->end() ||
                        !is_built_in(profile)))
    return forbidden(rule, "profile " + profile.name + " is not permitted. Use --profile with " +
                               join(*rule.profiles) + ", as they are built in");
  if (!rule.allows_dangerous && profile.dangerous != Dangerous{})
    return forbidden(rule, "profile " + profile.name +
                               " has permissions under `dangerous:`, which are not permitted. "
                               "Leave them out");
  return {};
}

bool lies_in_some(const Host& host, const std::string& path, const Folders& folders) {
  return std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
    return lies_in(path, host.resolve(folder).value_or(folder));
  });
}

Result<> check_shares(const Host& host, const SandboxRule& rule, const Request& request,
                      const Folders& given, Mount::Kind kind, const Folders& permitted) {
  const std::string option = kind == Mount::Kind::kBindReadOnly ? "--ro " : "--rw ";
  for (const std::string& path : given) {
    AISPM_TRY(const std::string real, shareable(host, request, option, path, kind));
    if (!lies_in_some(host, real, permitted))
      return forbidden(rule, option + path + " is not permitted. What may be shared so lies in " +
                                 join(permitted));
  }
  return {};
}

Result<> check_paths(const Host& host, const SandboxRule& rule, const Plan& plan,
                     const Request& request) {
  if (rule.workspaces && !plan.workspace.empty() &&
      !lies_in_some(host, plan.workspace, *rule.workspaces))
    return forbidden(rule, "workspace " + plan.workspace + " is not permitted. One may lie in " +
                               join(*rule.workspaces));
  if (rule.read_write)
    for (const auto* list : {&request.profile.read_write, &request.read_write})
      AISPM_CHECK(
          check_shares(host, rule, request, *list, Mount::Kind::kBindReadWrite, *rule.read_write));
  if (!rule.read_only) return {};
  Folders readable = *rule.read_only;
  if (rule.read_write)
    readable.insert(readable.end(), rule.read_write->begin(), rule.read_write->end());
  for (const auto* list : {&request.profile.read_only, &request.read_only})
    AISPM_CHECK(check_shares(host, rule, request, *list, Mount::Kind::kBindReadOnly, readable));
  return {};
}

std::string said_by(const SandboxRule& rule) { return ", by rule " + rule.id + " of sandbox.yaml"; }

void narrow_hosts(const SandboxRule& rule, Profile& profile, std::vector<std::string>& notes) {
  if (!rule.allow_hosts) return;
  std::erase_if(profile.allow_hosts, [&](const HostRule& host) {
    if (is_covered(*rule.allow_hosts, host)) return false;
    notes.push_back(to_text(host) + " will be refused" + said_by(rule));
    return true;
  });
}

// Lowers `value` to the rule's; 0 is no limit.
template <typename Value>
void lower(const SandboxRule& rule, const char* name, Value& value,
           std::vector<std::string>& notes) {
  const auto found = rule.limits.find(name);
  if (found == rule.limits.end()) return;
  const auto most = static_cast<Value>(found->second);
  if (value != Value{} && value <= most) return;
  value = most;
  notes.push_back(std::string("limits.") + name + " is lowered" + said_by(rule));
}

void narrow_limits(const SandboxRule& rule, Limits& limits, std::vector<std::string>& notes) {
  lower(rule, "memory", limits.memory_bytes, notes);
  lower(rule, "pids", limits.pids, notes);
  lower(rule, "open_files", limits.open_files, notes);
  lower(rule, "file_size", limits.file_size_bytes, notes);
  lower(rule, "tmp_size", limits.tmp_bytes, notes);
  lower(rule, "shm_size", limits.shm_bytes, notes);
  lower(rule, "home_size", limits.home_bytes, notes);
  lower(rule, "disk", limits.disk_bytes, notes);
  lower(rule, "output", limits.output_bytes, notes);
  lower(rule, "runs", limits.runs, notes);
  lower(rule, "cpus", limits.cpu_milli, notes);
  lower(rule, "cpu_time", limits.cpu_time, notes);
  lower(rule, "wall_time", limits.wall_time, notes);
  // What all scratch folders may hold together is at least what each of them may.
  if (limits.disk_bytes == 0 ||
      limits.disk_bytes >= limits.tmp_bytes + limits.shm_bytes + limits.home_bytes)
    return;
  for (std::uint64_t* const one : {&limits.tmp_bytes, &limits.shm_bytes, &limits.home_bytes})
    *one = std::min(*one, limits.disk_bytes / 3);
}

}  // namespace

Result<std::vector<std::string>> narrow(const Host& host,
                                        const std::vector<const policy::SandboxRule*>& rules,
                                        const Plan& plan, Request& request) {
  std::vector<std::string> notes;
  Profile narrowed = request.profile;
  for (const SandboxRule* const rule : rules) {
    AISPM_CHECK(check_profile(*rule, request.profile));
    AISPM_CHECK(check_paths(host, *rule, plan, request));
    if (rule->needs_gvisor && narrowed.isolation != Isolation::kGvisor) {
      narrowed.isolation = Isolation::kGvisor;
      notes.push_back("isolation is gvisor" + said_by(*rule));
    }
    narrow_hosts(*rule, narrowed, notes);
    narrow_limits(*rule, narrowed.limits, notes);
  }
  request.profile = std::move(narrowed);
  return notes;
}

}  // namespace aispm::sandbox
