// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/policy/action_rule.hpp"

// Rules over actions (tool calls and what else an agent wants to do): first match wins.
//
//   version: "1"
//   expires_at: 2027-01-21T00:00:00Z     # optional; afterwards everything is denied
//   defaults: {outcome: deny}
//   rules:
//     - id: large-refunds
//       match: {tool: 'refund.*', environment: prod, roles: [support]}
//       when: {tool_args_match: {amount: {gt: 1000}}}
//       outcome: require_approval
//       approver_role: finance_manager
//       reason: Refunds above 1000 are looked at
//
// The JSON policies of Agent-SPM are read as they are.
namespace aispm::policy {

// Valid as long as its policy.
struct ActionDecision {
  model::Outcome outcome = model::Outcome::kDeny;
  std::string_view rule_id;  // "defaults", "bundle.expired" where no rule decided
  std::string_view reason;
  std::string_view approver_role;
  std::string_view policy_version;
  const ActionRule* rule = nullptr;  // that decided; null: none did
};

// Immutable; any thread.
class ActionPolicy {
 public:
  static constexpr std::size_t kMaxRules = 1000;
  static constexpr std::size_t kMaxBytes = 1U << 20;

  // Errors read `file:line: what is wrong, what is allowed`.
  static Result<std::shared_ptr<const ActionPolicy>> parse(const std::string& content,
                                                           const std::string& name);

  // Does not allocate.
  ActionDecision decide(const Action& action, WallTime now) const;

  bool is_expired(WallTime now) const { return expires_ && now >= *expires_; }
  const std::string& version() const { return version_; }
  std::size_t rule_count() const { return rules_.size(); }
  std::optional<WallTime> expires() const { return expires_; }
  // In the file's order, for those who look at decisions afterwards.
  const std::vector<ActionRule>& rules() const { return rules_; }
  model::Outcome fallback() const { return fallback_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using List = std::vector<std::uint32_t>;  // rule numbers, ascending

  ActionPolicy() = default;
  void index();
  const ActionRule* find(const Action& action) const;

  std::vector<ActionRule> rules_;
  std::unordered_map<std::string, List, Hash, std::equal_to<>>
      by_tool_;  // rules that name tools without `*`
  List always_;
  model::Outcome fallback_ = model::Outcome::kDeny;
  std::optional<WallTime> expires_;
  std::string version_;  // sha256 (hex) of the content
};

}  // namespace aispm::policy
