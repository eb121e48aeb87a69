// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/policies.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "sdk/cli/describe.hpp"
#include "sdk/cli/line_diff.hpp"
#include "sdk/core/policy/bundle.hpp"
#include "sdk/core/policy/write_folder.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;

struct Stage {
  const char* name;
  v1::PolicyStage stage;
  Style style;
};
constexpr std::array kStages = {Stage{"draft", v1::POLICY_STAGE_DRAFT, Style::kDim},
                                Stage{"monitor", v1::POLICY_STAGE_MONITOR, Style::kWarn},
                                Stage{"enforced", v1::POLICY_STAGE_ENFORCED, Style::kGood},
                                Stage{"deprecated", v1::POLICY_STAGE_DEPRECATED, Style::kDim}};

Cell stage_of(const v1::Policy& policy) {
  for (const Stage& one : kStages) {
    if (one.stage != policy.stage()) continue;
    std::string text = std::string(one.name) + "@" + std::to_string(policy.version());
    if (policy.candidate_version() != 0)
      text += ", monitor@" + std::to_string(policy.candidate_version());
    return {text, one.style};
  }
  return {"?", Style::kBad};
}

std::string join(const google::protobuf::RepeatedPtrField<std::string>& list) {
  std::string text;
  for (const std::string& one : list) text += (text.empty() ? "" : ",") + one;
  return text;
}

std::string scope_text(const v1::PolicyScope& scope) {
  std::string text;
  const auto add = [&](const char* name, const auto& list) {
    if (!list.empty()) text += (text.empty() ? "" : "; ") + std::string(name) + " " + join(list);
  };
  add("agents", scope.agents());
  add("tenants", scope.tenants());
  add("hosts", scope.hosts());
  return text.empty() ? "everybody" : text;
}

Cell hosts_of(const v1::Policy& policy) {
  int in_force = 0;
  for (const v1::PolicyHostState& state : policy.states()) {
    if (!state.problem().empty())
      return {"not in " + state.component() + " of " + state.host_id() + ": " + state.problem(),
              Style::kBad};
    ++in_force;
  }
  if (in_force == 0) return {"-", Style::kDim};
  return {"in force in " + std::to_string(in_force) + (in_force == 1 ? " place" : " places"),
          Style::kGood};
}

v1::PolicyScope to_proto(const ScopeWords& words) {
  v1::PolicyScope scope;
  scope.mutable_agents()->Add(words.agents.begin(), words.agents.end());
  scope.mutable_tenants()->Add(words.tenants.begin(), words.tenants.end());
  scope.mutable_hosts()->Add(words.hosts.begin(), words.hosts.end());
  scope.set_priority(words.priority);
  return scope;
}

Result<v1::PolicyVersion> fetch_version(Client& client, const std::string& id,
                                        std::uint64_t version) {
  v1::GetPolicyVersionRequest request;
  request.set_policy_id(id);
  request.set_version(version);
  return client.call(&Stub::GetPolicyVersion, request);
}

Result<v1::Policy> fetch_policy(Client& client, const std::string& id) {
  v1::GetPolicyRequest request;
  request.set_policy_id(id);
  return client.call(&Stub::GetPolicy, request);
}

Result<> say(const v1::Policy& policy, const Output& output) {
  if (output.json) return print_json(policy, output);
  const Cell stage = stage_of(policy);
  const Cell hosts = hosts_of(policy);
  output.stream << safe(policy.id()) << "  "
                << paint(stage.text, stage.style, output.screen.colours) << "  newest version "
                << policy.newest_version() << "  "
                << paint(hosts.text, hosts.style, output.screen.colours) << "\n";
  return {};
}

// Lines of a file, each made harmless.
std::string safe_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    out += safe(text.substr(0, end)) + "\n";
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

// The collector's word on paths is not taken.
Result<> write_files(const v1::PolicyVersion& version, const std::string& out) {
  std::vector<policy::FolderFile> files;
  for (const v1::PolicyFile& file : version.files()) files.push_back({file.path(), file.content()});
  return policy::write_folder(out, files);
}

}  // namespace

Result<v1::PolicyStage> parse_stage(const std::string& name) {
  for (const Stage& one : kStages)
    if (one.name == name) return one.stage;
  return fail(Errc::kInvalid,
              "`" + name + "`: allowed are draft, monitor, enforced and deprecated");
}

Result<> list_policies(Client& client, const std::string& agent, bool with_deprecated,
                       const Output& output) {
  v1::ListPoliciesRequest request;
  request.set_agent_id(agent);
  request.set_with_deprecated(with_deprecated);
  AISPM_TRY(const v1::PolicyList list,
            client.list(&Stub::ListPolicies, request, &v1::PolicyList::policies_size, 0));
  if (output.json) return print_json(list, output);
  Table table({{"POLICY"},
               {"STAGE"},
               {"NEWEST", Table::Align::kRight},
               {"FOR"},
               {"PRIORITY", Table::Align::kRight},
               {"SIGNED BY"},
               {"HOSTS"},
               {"CHANGED"},
               {"BY"}});
  for (const v1::Policy& policy : list.policies())
    table.add({policy.id(), stage_of(policy), std::to_string(policy.newest_version()),
               scope_text(policy.scope()), std::to_string(policy.scope().priority()),
               or_dash(policy.signed_by()), hosts_of(policy),
               age_text(policy.updated(), output.now), policy.updated_by()});
  output.stream << table.render(output.screen, "No policies: `aispm policy push --help` says how.");
  return {};
}

Result<> show_policy(Client& client, const std::string& id, std::uint64_t version,
                     const std::string& out, const Output& output) {
  AISPM_TRY(const v1::PolicyVersion found, fetch_version(client, id, version));
  if (!out.empty()) AISPM_CHECK(write_files(found, out));
  if (output.json) return print_json(found, output);
  AISPM_TRY(const v1::Policy policy, fetch_policy(client, id));
  AISPM_CHECK(say(policy, output));
  if (!policy.description().empty()) output.stream << safe(policy.description()) << "\n";
  output.stream << "For: " << safe(scope_text(policy.scope())) << "\nVersion " << found.version()
                << " by " << safe(found.created_by()) << ", digest "
                << safe(found.digest().substr(0, 16))
                << (found.signed_by().empty() ? ", not signed"
                                              : ", signed by " + safe(found.signed_by()))
                << "\n";
  for (const v1::PolicyFile& file : found.files())
    output.stream << "\n"
                  << paint("== " + safe(file.path()), Style::kBold, output.screen.colours) << "\n"
                  << safe_lines(file.content());
  return {};
}

Result<> push_policy(Client& client, const std::string& id, const std::string& folder,
                     const std::string& comment, const ScopeWords& scope, const Output& output) {
  AISPM_TRY(const auto files, policy::read_safe_folder(folder));
  AISPM_TRY(const auto bundle, policy::Bundle::load(folder));
  (void)bundle;
  v1::PushPolicyRequest request;
  request.set_policy_id(id);
  request.set_comment(comment);
  *request.mutable_scope() = to_proto(scope);
  for (const policy::FolderFile& file : files) {
    auto* const one = request.add_files();
    one->set_path(file.path);
    one->set_content(file.content);
  }
  AISPM_TRY(const v1::Policy pushed, client.call(&Stub::PushPolicy, request));
  return say(pushed, output);
}

Result<> list_versions(Client& client, const std::string& id, const Output& output) {
  v1::ListPolicyVersionsRequest request;
  request.set_policy_id(id);
  AISPM_TRY(const v1::PolicyVersionList list, client.call(&Stub::ListPolicyVersions, request));
  if (output.json) return print_json(list, output);
  Table table({{"VERSION", Table::Align::kRight},
               {"DIGEST"},
               {"SIGNED BY"},
               {"CREATED"},
               {"BY"},
               {"RESTORED FROM"},
               {"COMMENT"}});
  for (const v1::PolicyVersion& one : list.versions())
    table.add({std::to_string(one.version()), one.digest().substr(0, 16), or_dash(one.signed_by()),
               age_text(one.created(), output.now), one.created_by(),
               one.restored_from() == 0 ? "-" : std::to_string(one.restored_from()),
               or_dash(one.comment())});
  output.stream << table.render(output.screen, "No versions.");
  return {};
}

Result<> diff_versions(Client& client, const std::string& id, std::uint64_t from, std::uint64_t to,
                       const Output& output) {
  if (from == 0) {
    AISPM_TRY(const v1::Policy policy, fetch_policy(client, id));
    from = policy.version();
  }
  AISPM_TRY(const v1::PolicyVersion before, fetch_version(client, id, from));
  AISPM_TRY(const v1::PolicyVersion after, fetch_version(client, id, to));
  std::map<std::string, std::pair<std::string, std::string>> files;
  for (const v1::PolicyFile& file : before.files()) files[file.path()].first = file.content();
  for (const v1::PolicyFile& file : after.files()) files[file.path()].second = file.content();
  std::string text;
  for (const auto& [path, contents] : files)
    text += unified_diff(path, contents.first, contents.second);
  output.stream << (text.empty() ? "No difference between version " + std::to_string(from) +
                                       " and " + std::to_string(after.version()) + ".\n"
                                 : safe_lines(text));
  return {};
}

Result<> restore_version(Client& client, const std::string& id, std::uint64_t version,
                         const std::string& reason, const Output& output) {
  v1::RestorePolicyRequest request;
  request.set_policy_id(id);
  request.set_version(version);
  request.set_reason(reason);
  AISPM_TRY(const v1::Policy policy, client.call(&Stub::RestorePolicy, request));
  return say(policy, output);
}

Result<> promote_policy(Client& client, const v1::PromotePolicyRequest& request,
                        const Output& output) {
  AISPM_TRY(const v1::Policy policy, client.call(&Stub::PromotePolicy, request));
  return say(policy, output);
}

Result<> set_scope(Client& client, const std::string& id, const ScopeWords& scope,
                   const std::string& reason, const Output& output) {
  v1::SetPolicyScopeRequest request;
  request.set_policy_id(id);
  *request.mutable_scope() = to_proto(scope);
  request.set_reason(reason);
  AISPM_TRY(const v1::Policy policy, client.call(&Stub::SetPolicyScope, request));
  return say(policy, output);
}

Result<> show_hosts(Client& client, const std::string& id, const Output& output) {
  AISPM_TRY(const v1::Policy policy, fetch_policy(client, id));
  if (output.json) return print_json(policy, output);
  Table table({{"HOST"}, {"COMPONENT"}, {"VERSION", Table::Align::kRight}, {"STATE"}, {"SAID"}});
  for (const v1::PolicyHostState& state : policy.states())
    table.add({state.host_id(), state.component(), std::to_string(state.version()),
               state.problem().empty() ? Cell("in force", Style::kGood)
                                       : Cell(state.problem(), Style::kBad),
               age_text(state.time(), output.now)});
  output.stream << table.render(output.screen, "No host has said anything about it yet.");
  return {};
}

}  // namespace aispm::cli
