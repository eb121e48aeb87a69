// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/tool_gate.hpp"

#include <algorithm>

#include "sdk/core/policy/mail_recipients.hpp"
#include "sdk/core/policy/strictness.hpp"

namespace aispm::policy {
namespace {

constexpr std::string_view kReview = "security.review";

ToolVerdict deny(std::string_view rule, std::string_view reason) {
  return {model::Outcome::kDeny, rule, reason};
}

bool matches_any(const std::vector<Glob>& globs, std::string_view text) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const Glob& glob) { return glob.matches(text); });
}

bool differs(std::string_view wanted, std::string_view seen) {
  return !wanted.empty() && !seen.empty() && wanted != seen;
}

bool fits(const ToolPin& pin, const ToolSight& sight) {
  return !differs(pin.description, sight.description) && !differs(pin.schema, sight.schema) &&
         !differs(pin.endpoint, sight.endpoint);
}

bool shows_definition(const ToolSight& sight) {
  return !sight.description.empty() || !sight.schema.empty() || !sight.endpoint.empty();
}

// Each value that says where the call goes; empty ones are no text.
std::vector<std::string_view> destinations_of(const Tool& tool, const Action& action) {
  std::vector<std::string_view> values;
  if (!action.destination.empty()) values.push_back(action.destination);
  if (action.arguments == nullptr) return values;
  for (const Arguments::Leaf& leaf : action.arguments->leaves()) {
    const auto names = [&](const std::string& field) {
      return std::string_view(leaf.path).substr(0, field.size()) == field &&
             (leaf.path.size() == field.size() || leaf.path[field.size()] == '.');
    };
    if (!std::any_of(tool.destination_fields.begin(), tool.destination_fields.end(), names))
      continue;
    const auto* text = std::get_if<std::string>(&leaf.value);
    values.push_back(text == nullptr ? std::string_view() : std::string_view(*text));
  }
  return values;
}

// Whether a mail over this channel with these destinations goes to all of the addresses, and they
// are data in it for no other reason.
bool are_recipients(const EgressChannel& channel, std::span<const std::string> addresses,
                    std::span<const std::string_view> values) {
  const bool is_mail = !addresses.empty() && channel.mails_to(addresses.front(), addresses.front());
  return is_mail &&
         are_all_recipients(addresses, recipients_of(values, EgressChannel::kMaxValueBytes));
}

}  // namespace

ToolVerdict ToolGate::judge_definition(const Tool* tool, const ToolSight* sight) const {
  if (tool == nullptr && requires_registration_)
    return deny("tools.unregistered", "This tool is not registered");
  if (tool != nullptr && tool->is_blocked)
    return deny("tools.blocked", tool->blocked_reason.empty()
                                     ? std::string_view("This tool is blocked")
                                     : std::string_view(tool->blocked_reason));
  if (sight == nullptr) return {};
  if (tool != nullptr && differs(tool->sha256, sight->source))
    return deny("tools.provenance", "The tool's program is not the one that was registered");
  if (tool != nullptr && differs(tool->version, sight->version))
    return deny("tools.version", "The tool's version is not the one that was registered");
  if (tool == nullptr || tool->pins.empty()) {  // also of tools that nobody has to register
    if (first_use_ != FirstUse::kApprove || !shows_definition(*sight)) return {};
    return deny("tools.unpinned", "Nobody has approved what this tool says of itself");
  }
  const bool is_known = std::any_of(tool->pins.begin(), tool->pins.end(),
                                    [&](const ToolPin& pin) { return fits(pin, *sight); });
  return is_known ? ToolVerdict()
                  : deny("tools.changed",
                         "The tool is not what it was when it was approved; it must be reviewed");
}

ToolVerdict ToolGate::judge_caller(const Action& action, const ToolState& state) const {
  if (!roles_.empty()) {
    const bool may = std::any_of(roles_.begin(), roles_.end(), [&](const Role& role) {
      return std::find(action.roles.begin(), action.roles.end(), role.name) != action.roles.end() &&
             matches_any(role.tools, action.tool);
    });
    if (!may) return deny("tools.role", "No role of this agent may call this tool");
  }
  for (const Lockdown& lockdown : lockdowns_) {
    const bool holds = state.signals.shares(lockdown.signals) ||
                       (lockdown.posture_at && state.posture >= *lockdown.posture_at);
    if (holds && !matches_any(lockdown.allow, action.tool))
      return deny("tools.lockdown", lockdown.reason);
  }
  if (state.intent.empty()) return {};
  const bool is_planned = std::any_of(intents_.begin(), intents_.end(), [&](const Intent& intent) {
    return intent.name == state.intent &&
           std::find(intent.tools.begin(), intent.tools.end(), action.tool) != intent.tools.end();
  });
  return is_planned ? ToolVerdict()
                    : deny("tools.intent", "This tool is not part of what the user asked for");
}

ToolVerdict ToolGate::judge_destination(const Tool& tool, const Action& action) const {
  const auto known = channels_.find(tool.channel);
  if (known == channels_.end())
    return deny("tools.destination", "The tool's channel is not described");
  const EgressChannel& channel = known->second;
  const std::vector<std::string_view> values = destinations_of(tool, action);
  std::span<const std::string> labels = action.labels;
  // Where a mail goes is no data that goes there.
  std::vector<std::string> others;
  if (are_recipients(channel, action.addresses, values)) {
    std::copy_if(labels.begin(), labels.end(), std::back_inserter(others),
                 [](const std::string& label) { return label != "PII"; });
    labels = others;
  }
  ToolVerdict strictest = deny("tools.destination", "The call names no destination to be judged");
  bool is_named = false;
  for (const std::string_view value : values) {
    const ToolVerdict verdict = channel.judge(value, labels);
    if (!is_named || strictness(verdict.outcome) > strictness(strictest.outcome))
      strictest = verdict;
    is_named = true;
  }
  return strictest;
}

ToolVerdict ToolGate::judge(const Action& action, const ToolState& state) const {
  const Tool* tool = registry_.find(action.tool, action.tool_provider);
  const ToolVerdict definition = judge_definition(tool, state.sight);
  if (!definition.rule_id.empty() || action.tool == kReview) return definition;
  const ToolVerdict caller = judge_caller(action, state);
  if (!caller.rule_id.empty() || tool == nullptr) return caller;
  if (!tool->scope.empty() &&
      std::find(state.scopes.begin(), state.scopes.end(), tool->scope) == state.scopes.end())
    return deny("tools.scope", "The agent lacks the scope that this tool needs");
  if (!(state.posture < tool->posture_below))
    return deny("tools.posture", "At this risk the tool may not be called");
  return tool->channel.empty() ? ToolVerdict() : judge_destination(*tool, action);
}

ToolVerdict ToolGate::judge_sight(std::string_view tool, std::string_view provider,
                                  const ToolSight& sight) const {
  return judge_definition(registry_.find(tool, provider), &sight);
}

std::vector<PlanStep> ToolGate::plan(std::string_view intent) const {
  std::vector<PlanStep> steps;
  for (const Intent& one : intents_) {
    if (one.name != intent) continue;
    for (const std::string& name : one.tools) {
      const Tool* tool = registry_.find(name, "");
      steps.push_back({name, tool == nullptr ? std::string_view() : std::string_view(tool->scope),
                       tool == nullptr ? 0 : tool->posture_below});
    }
    break;
  }
  return steps;
}

}  // namespace aispm::policy
