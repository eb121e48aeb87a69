// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/bundle_judge.hpp"

#include <optional>

#include "sdk/core/policy/rego_decision.hpp"
#include "sdk/core/policy/strictness.hpp"

namespace aispm::policy {
namespace {

constexpr const char* kModule = "tools";
constexpr const char* kPackage = "data.aispm.tools";

}  // namespace

BundleDecision judge_by_bundle(const Bundle& bundle, const ActionJson& asked, WallTime now) {
  std::optional<BundleDecision> strictest;
  const auto take = [&](BundleDecision decision) {
    if (!strictest || strictness(decision.outcome) > strictness(strictest->outcome))
      strictest = std::move(decision);
  };
  if (bundle.tools() != nullptr) {
    const ToolVerdict said = bundle.tools()->judge(asked.action(), asked.state());
    if (!said.rule_id.empty())
      take({said.outcome, std::string(said.rule_id), std::string(said.reason), ""});
  }
  if (bundle.actions() != nullptr) {
    const ActionDecision said = bundle.actions()->decide(asked.action(), now);
    take({said.outcome, std::string(said.rule_id), std::string(said.reason),
          std::string(said.approver_role)});
  }
  if (bundle.rego() != nullptr && bundle.rego()->has_package(kPackage)) {
    RegoDecision said = ask_module(*bundle.rego(), kModule, asked.rego_input());
    take({said.outcome, std::move(said.rule), std::move(said.reason),
          std::move(said.approver_role)});
  }
  if (strictest) return *strictest;
  if (bundle.tools() != nullptr) return {model::Outcome::kAllow, "tools.allow", "", ""};
  return {model::Outcome::kDeny, "bundle.silent", "The bundle says nothing about actions", ""};
}

}  // namespace aispm::policy
