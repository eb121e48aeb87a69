// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/action_policy.hpp"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/policy/policy_text.hpp"

namespace aispm::policy {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

}  // namespace

Result<std::shared_ptr<const ActionPolicy>> ActionPolicy::parse(const std::string& content,
                                                                const std::string& name) {
  if (content.size() > kMaxBytes)
    return fail(Errc::kTooLarge, name + ": longer than " + std::to_string(kMaxBytes) + " bytes");
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  std::shared_ptr<ActionPolicy> policy(new ActionPolicy);
  policy->version_ = sha256_hex(content);
  root.text("version", "");
  read_time(root, "generated_at");
  policy->expires_ = read_time(root, "expires_at");
  const YamlMap defaults = root.map("defaults");
  if (defaults.has("outcome"))
    policy->fallback_ = read_action_outcome(defaults, "outcome").value_or(model::Outcome::kDeny);
  std::unordered_set<std::string> ids;
  for (const YamlMap& map : root.maps("rules")) {
    if (policy->rules_.size() >= kMaxRules) {
      map.reject("", "more than " + std::to_string(kMaxRules) + " rules");
      break;
    }
    policy->rules_.push_back(read_action_rule(map));
    if (!ids.insert(policy->rules_.back().id).second)
      map.reject("id", "`" + policy->rules_.back().id + "` stands twice");
  }
  AISPM_CHECK(root.finish());
  policy->index();
  return std::shared_ptr<const ActionPolicy>(std::move(policy));
}

void ActionPolicy::index() {
  for (std::uint32_t number = 0; number < rules_.size(); ++number) {
    const std::vector<Glob>& tools = rules_[number].tools;
    const bool named =
        !tools.empty() &&
        std::all_of(tools.begin(), tools.end(), [](const Glob& glob) { return glob.is_name(); });
    if (!named) always_.push_back(number);
    for (const Glob& tool : tools)
      if (named) by_tool_[tool.text()].push_back(number);
  }
}

const ActionRule* ActionPolicy::find(const Action& action) const {
  static const List kEmpty;
  const auto named = by_tool_.find(action.tool);
  const List& own = named == by_tool_.end() ? kEmpty : named->second;
  // Both lists ascend: the file's order decides.
  for (auto left = own.begin(), right = always_.begin();
       left != own.end() || right != always_.end();) {
    const std::uint32_t first = left == own.end() ? kNone : *left;
    const std::uint32_t second = right == always_.end() ? kNone : *right;
    const ActionRule& rule = rules_[std::min(first, second)];
    if (rule.matches(action)) return &rule;
    if (first <= second) ++left;
    if (second <= first) ++right;
  }
  return nullptr;
}

ActionDecision ActionPolicy::decide(const Action& action, WallTime now) const {
  if (is_expired(now))
    return {model::Outcome::kDeny,
            "bundle.expired",
            "The policy has expired; load a newer one",
            "",
            version_,
            nullptr};
  const ActionRule* rule = find(action);
  if (rule == nullptr) return {fallback_, "defaults", "No rule matches", "", version_, nullptr};
  return {rule->outcome, rule->id, rule->reason, rule->approver_role, version_, rule};
}

}  // namespace aispm::policy
