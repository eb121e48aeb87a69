// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/operator_policies.hpp"

#include <algorithm>

#include "gateway/collector/ingest/policy_orders.hpp"
#include "gateway/collector/store/policy_shelf.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/detect/bundle_rules.hpp"
#include "sdk/core/policy/bundle.hpp"

namespace aispm::collector::api {

namespace pb = aispm::v1;
using store::PolicyShelf;

namespace {

// The bundle as it would be loaded: errors read `file:line: what is wrong, what is allowed`.
Result<PolicyShelf::Checked> compile(const pb::PushPolicyRequest& request,
                                     const policy::BundleOptions& options) {
  std::size_t bytes = 0;
  std::vector<policy::FolderFile> files;
  for (const pb::PolicyFile& file : request.files()) {
    bytes += file.content().size();
    files.push_back({file.path(), file.content()});
    if (file.path() == policy::kRegistryFile)
      return fail(Errc::kInvalid, file.path() + ": is made by the collector's registry alone");
  }
  if (bytes > PolicyShelf::kMaxBundleBytes || files.size() > PolicyShelf::kMaxFiles)
    return fail(Errc::kTooLarge, "a bundle may have 512 files of 1 MiB all together");
  std::sort(files.begin(), files.end(),
            [](const auto& left, const auto& right) { return left.path < right.path; });
  for (std::size_t i = 1; i < files.size(); ++i)
    if (files[i].path == files[i - 1].path)
      return fail(Errc::kInvalid, files[i].path + ": stands twice");
  AISPM_TRY(const auto bundle, policy::Bundle::compile(files, options));
  if (const auto& part = bundle->detect())
    AISPM_CHECK(detect::check_bundle_rules(part->text, part->path));
  AISPM_CHECK(check_sensor_orders(bundle->sensor_orders()));
  return PolicyShelf::Checked{bundle->version(), bundle->signed_by(), bundle->expires()};
}

// Those who are connected and follow policies, each by its instance where it names one
// (ingest/follower.hpp).
PolicyShelf::Followers followers_of(const Links& links) {
  PolicyShelf::Followers followers;
  Links::Name last;  // in order: "gateway" stands before "gateway /one" of the same host
  for (const auto& name : links.connected()) {
    const bool follows = name.second == "gateway" || name.second == "sensord" ||
                         name.second.starts_with("gateway ") || name.second.starts_with("sensord ");
    if (!follows) continue;
    if (last.first == name.first && name.second.starts_with(last.second + " "))
      followers.erase(last);  // one of those that tell themselves apart
    else
      last = name;
    followers.insert(name);
  }
  return followers;
}

// After a change: whoever follows is told, and the change becomes an event.
pb::Policy changed(Control& control, OrderChanges& order_changes, pb::Policy policy,
                   const char* event, const std::string& who) {
  log::info(event, {{"policy", policy.id()},
                    {"stage", pb::PolicyStage_Name(policy.stage())},
                    {"version", policy.version()},
                    {"by", who}});
  control.policy_changes.announce();
  order_changes.announce();
  control.audit();
  return policy;
}

}  // namespace

void add_policies(Handlers& handlers, const WallClock& clock, const Links& links,
                  OrderChanges& order_changes, Control& control) {
  add_handler<pb::PushPolicyRequest, pb::Policy>(
      handlers, "PushPolicy",
      [clock, &order_changes, &control](
          Desk& desk, const pb::PushPolicyRequest& request) -> Result<pb::Policy> {
        AISPM_TRY(const auto checked,
                  compile(request, {control.policy_keys, control.policies_must_be_signed}));
        AISPM_TRY(pb::Policy policy,
                  PolicyShelf(desk.database).push(request, checked, desk.caller.name, clock()));
        return changed(control, order_changes, std::move(policy), "policy.pushed",
                       desk.caller.name);
      });
  add_handler<pb::ListPoliciesRequest, pb::PolicyList>(
      handlers, "ListPolicies", [](Desk& desk, const pb::ListPoliciesRequest& request) {
        return PolicyShelf(desk.database).list(request);
      });
  add_handler<pb::GetPolicyRequest, pb::Policy>(
      handlers, "GetPolicy", [](Desk& desk, const pb::GetPolicyRequest& request) {
        return PolicyShelf(desk.database).get(request.policy_id());
      });
  add_handler<pb::ListPolicyVersionsRequest, pb::PolicyVersionList>(
      handlers, "ListPolicyVersions", [](Desk& desk, const pb::ListPolicyVersionsRequest& request) {
        return PolicyShelf(desk.database).versions(request.policy_id());
      });
  add_handler<pb::GetPolicyVersionRequest, pb::PolicyVersion>(
      handlers, "GetPolicyVersion", [](Desk& desk, const pb::GetPolicyVersionRequest& request) {
        return PolicyShelf(desk.database).version(request.policy_id(), request.version());
      });
  add_handler<pb::RestorePolicyRequest, pb::Policy>(
      handlers, "RestorePolicy",
      [clock, &order_changes, &control](
          Desk& desk, const pb::RestorePolicyRequest& request) -> Result<pb::Policy> {
        AISPM_CHECK(store::refuse_registry(request.policy_id()));
        AISPM_TRY(pb::Policy policy,
                  PolicyShelf(desk.database).restore(request, desk.caller.name, clock()));
        return changed(control, order_changes, std::move(policy), "policy.restored",
                       desk.caller.name);
      });
  add_handler<pb::PromotePolicyRequest, pb::Policy>(
      handlers, "PromotePolicy",
      [clock, &links, &order_changes, &control](
          Desk& desk, const pb::PromotePolicyRequest& request) -> Result<pb::Policy> {
        AISPM_CHECK(store::refuse_registry(request.policy_id()));
        AISPM_TRY(pb::Policy policy,
                  PolicyShelf(desk.database,
                              control.policies_must_be_signed ? &control.policy_key_ids : nullptr)
                      .promote(request, followers_of(links), desk.caller.name, clock()));
        return changed(control, order_changes, std::move(policy), "policy.promoted",
                       desk.caller.name);
      });
  add_handler<pb::SetPolicyScopeRequest, pb::Policy>(
      handlers, "SetPolicyScope",
      [clock, &order_changes, &control](
          Desk& desk, const pb::SetPolicyScopeRequest& request) -> Result<pb::Policy> {
        AISPM_CHECK(store::refuse_registry(request.policy_id()));
        AISPM_TRY(pb::Policy policy,
                  PolicyShelf(desk.database).set_scope(request, desk.caller.name, clock()));
        return changed(control, order_changes, std::move(policy), "policy.scope_set",
                       desk.caller.name);
      });
}

}  // namespace aispm::collector::api
