// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/bundle_judge.hpp"

#include <boost/json.hpp>
#include <optional>

#include "sdk/core/policy/strictness.hpp"

namespace aispm::policy {
namespace {

namespace json = boost::json;
constexpr const char* kModule = "data.aispm.tools";

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

bool has_module(const Rego& rego) {
  const auto packages = rego.packages();
  return packages && packages->find(std::string("\"") + kModule + "\"") != std::string::npos;
}

BundleDecision ask_rego(const Rego& rego, const ActionJson& asked) {
  const auto said = rego.evaluate(std::string(kModule) + ".decision", asked.rego_input());
  if (!said) return {model::Outcome::kDeny, "tools.error", "Rego: " + said.error().message, ""};
  boost::system::error_code error;
  const json::value value = json::parse(*said, error);
  const json::object* object = error ? nullptr : value.if_object();
  const auto outcome =
      object == nullptr ? std::nullopt : model::parse_outcome(text_at(*object, "outcome"));
  if (!outcome)
    return {model::Outcome::kDeny, "tools.undecided", "The Rego module tools gave no decision", ""};
  return {*outcome, text_at(*object, "rule"), text_at(*object, "reason"),
          text_at(*object, "approver_role")};
}

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
  if (bundle.rego() != nullptr && has_module(*bundle.rego())) take(ask_rego(*bundle.rego(), asked));
  if (strictest) return *strictest;
  if (bundle.tools() != nullptr) return {model::Outcome::kAllow, "tools.allow", "", ""};
  return {model::Outcome::kDeny, "bundle.silent", "The bundle says nothing about actions", ""};
}

}  // namespace aispm::policy
