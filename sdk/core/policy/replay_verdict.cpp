// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <span>

#include "sdk/core/policy/rego_decision.hpp"
#include "sdk/core/policy/replay.hpp"
#include "sdk/core/policy/shell_tool.hpp"
#include "sdk/core/policy/strictness.hpp"
#include "sdk/core/policy/use_modules.hpp"

namespace aispm::policy {
namespace {

namespace json = boost::json;
using model::Outcome;

// One answer that a part of the bundle might have given.
struct Answer {
  Outcome outcome;
  std::string rule_id;
  std::string reason;
};
using Answers = std::vector<Answer>;

Answers from_rules(const ActionPolicy& rules, const RecordedAction& recorded, WallTime now) {
  const ActionDecision decided = rules.decide(recorded.action(), now);
  if (recorded.is_whole() || decided.rule_id == "bundle.expired")
    return {{decided.outcome, std::string(decided.rule_id), std::string(decided.reason)}};
  Answers answers;
  for (const ActionRule& rule : rules.rules()) {
    const Certainty certainty = recorded.matches(rule);
    if (certainty == Certainty::kNo) continue;
    answers.push_back({rule.outcome, rule.id, rule.reason});
    if (certainty == Certainty::kYes) return answers;
  }
  answers.push_back({rules.fallback(), "defaults", "No rule matches"});
  return answers;
}

Answers from_commands(const CommandGovernor& commands, const RecordedAction& recorded) {
  const auto line = shell_command(recorded.known());
  if (!recorded.is_whole() && !line) return {{Outcome::kAllow, "", ""}, {Outcome::kDeny, "", ""}};
  if (!line)
    return {{Outcome::kDeny, "commands.unreadable",
             "The command line that this tool would run cannot be told"}};
  CommandVerdict verdict = commands.judge(*line);
  return {{verdict.outcome, verdict.rule_id.empty() ? "commands.defaults" : verdict.rule_id,
           std::move(verdict.reason)}};
}

json::array list_of(std::span<const std::string> texts) {
  json::array list;
  for (const std::string& text : texts) list.emplace_back(text);
  return list;
}

json::string text_of(std::string_view text) { return json::string(text.data(), text.size()); }

// What the gateway shows to Rego, as far as events tell it.
json::object rego_input(const RecordedAction& recorded) {
  const Action& action = recorded.action();
  json::object input;
  input["agent"] = {{"id", text_of(action.agent)}, {"type", text_of(action.agent_type)}};
  input["roles"] = list_of(action.roles);
  input["scopes"] = list_of(recorded.inputs("scope"));
  input["trust"] = text_of(name_of(action.trust));
  input["environment"] = text_of(action.environment);
  input["provider"] = text_of(action.provider);
  input["model"] = text_of(action.model);
  input["surface"] = text_of(action.surface);
  input["posture"] = recorded.risk();
  input["signals"] = list_of(recorded.inputs("signal"));
  input["ttps"] = json::array();
  input["tool"] = {{"name", text_of(action.tool)}, {"provider", text_of(action.tool_provider)}};
  input["destination"] = text_of(action.destination);
  input["labels"] = list_of(action.labels);
  boost::system::error_code error;
  if (recorded.is_whole()) input["arguments"] = json::parse(text_of(action.text), error);
  return input;
}

const Answers kAnything = {{Outcome::kAllow, "", ""}, {Outcome::kDeny, "", ""}};

// Whether all that the module reads of an action was recorded; else `obstacle` says what not.
bool can_tell(const Rego& rego, const std::string& module, const RecordedAction& recorded,
              std::string& obstacle) {
  for (const std::string& member : rego.inputs_of("aispm." + module)) {
    const bool is_unrecorded = member.empty() || member == "guard" || member == "drift" ||
                               member == "behaviour" || member == "retrieval" ||
                               (member == "arguments" && !recorded.is_whole()) ||
                               (member == "scopes" && !recorded.knows_scopes());
    if (!is_unrecorded) continue;
    obstacle = "the Rego module " + module + " reads `input" +
               (member.empty() ? "" : "." + member) + "`, which was not recorded";
    return false;
  }
  return true;
}

Answers from_rego(const Rego& rego, const RecordedAction& recorded, std::string& obstacle) {
  if (!can_tell(rego, "tools", recorded, obstacle)) return kAnything;
  RegoDecision said = ask_module(rego, "tools", json::serialize(rego_input(recorded)));
  return {{said.outcome, std::move(said.rule), std::move(said.reason)}};
}
// The modules about what a tool call does.
void add_use(const Rego& rego, const RecordedAction& recorded, std::vector<Answers>& parts,
             std::string& obstacle) {
  if (!has_use_modules(rego)) return;
  const Action& action = recorded.action();
  const bool reads_arguments = rego.has_package("data.aispm.memory") ||
                               rego.has_package("data.aispm.retrieval") ||
                               rego.has_package("data.aispm.egress");
  bool is_known = recorded.is_whole() || !reads_arguments;
  if (!is_known) obstacle = "depends on arguments that were not recorded";
  for (const char* const module : {"write_approval", "memory", "egress"})
    if (rego.has_package("data.aispm." + std::string(module)))
      is_known = is_known && can_tell(rego, module, recorded, obstacle);
  if (rego.has_package("data.aispm.retrieval") && !recorded.knows_scopes()) {
    obstacle = "depends on scopes that were not recorded";
    is_known = false;
  }
  if (!is_known) return parts.push_back(kAnything);
  const ToolUse use = read_tool_use(action.tool, action.destination, action.arguments);
  for (RegoDecision& said : ask_use_modules(rego, use, json::serialize(rego_input(recorded))))
    parts.push_back({{said.outcome, std::move(said.rule), std::move(said.reason)}});
}

bool has_module(const Bundle& bundle, std::string_view name) {
  return bundle.rego() != nullptr && bundle.rego()->has_package("data.aispm." + std::string(name));
}

// The registry of tools. Whether the tool's definition is the approved one can be told where it was
// recorded.
void add_tools(const ToolGate& gate, const RecordedAction& recorded, std::vector<Answers>& parts,
               std::string& obstacle) {
  const std::vector<std::string> scopes = recorded.inputs("scope");
  const std::vector<std::string> intents = recorded.inputs("intent");
  ToolState state{.posture = recorded.risk(), .scopes = scopes};
  if (!intents.empty()) state.intent = intents.front();
  for (const std::string& name : recorded.inputs("signal"))
    for (std::size_t i = 0; i < kRiskSignals; ++i)
      if (name_of(static_cast<RiskSignal>(i)) == name)
        state.signals.add(static_cast<RiskSignal>(i));
  state.sight = recorded.sight();
  const ToolVerdict said = gate.judge(recorded.action(), state);
  // Where it goes stands in the arguments, and those with data in them are not kept as they were.
  if (said.rule_id == "tools.destination" && !recorded.is_whole()) {
    obstacle = "depends on arguments that were not recorded";
    return parts.push_back(kAnything);
  }
  // Scopes are the registry's, and events need not tell them.
  if (said.rule_id == "tools.scope" && !recorded.knows_scopes()) {
    obstacle = "depends on scopes that were not recorded";
    return parts.push_back(kAnything);
  }
  if (!said.rule_id.empty())
    parts.push_back({{said.outcome, std::string(said.rule_id), std::string(said.reason)}});
}

// A prompt that needed a decision of its own: thresholds of risk, and the Rego module `prompt`.
ReplayVerdict judge_prompt(const Bundle& bundle, const RecordedAction& recorded) {
  if (has_module(bundle, "prompt"))
    return {Outcome::kUnspecified, "", "", "the Rego module prompt reads what was not recorded"};
  if (!bundle.has_risk()) return {Outcome::kAllow, "bundle.silent", "No part is about prompts", ""};
  switch (action_of(bundle.risk(), recorded.risk())) {
    case RiskAction::kBlock:
      return {Outcome::kDeny, "risk.block", "The risk of this request is too high", ""};
    case RiskAction::kEscalate:
      return {Outcome::kRequireApproval, "risk.escalate", "The risk of this request needs a person",
              ""};
    default:
      return {Outcome::kAllow, "risk.allow", "The risk is low", ""};
  }
}

}  // namespace

int harshness(Outcome outcome) {
  const bool was_asked = outcome == Outcome::kApproved || outcome == Outcome::kRejected ||
                         outcome == Outcome::kTimeout;
  return strictness(was_asked ? Outcome::kRequireApproval : outcome);
}

Outcome outcome_of(v1::Decision::Outcome outcome) { return static_cast<Outcome>(outcome); }
v1::Decision::Outcome outcome_of(Outcome outcome) {
  return static_cast<v1::Decision::Outcome>(outcome);
}

Outcome applied_outcome(const v1::Decision& decision) {
  const bool applied = decision.mode().empty() || decision.mode() == "enforce";
  if (!applied || decision.outcome() == v1::Decision::OUTCOME_UNSPECIFIED) return Outcome::kAllow;
  return outcome_of(decision.outcome());
}

ReplayVerdict judge_recorded(const Bundle& bundle, const RecordedAction& recorded, WallTime now) {
  const RegisteredAgent* const known =
      bundle.agents() ? bundle.agents()->find(recorded.action().agent) : nullptr;
  if (known != nullptr && !known->refused_by(now).empty())
    return {Outcome::kDeny, std::string(known->refused_by(now)), refusal_of(*known, now), ""};
  if (recorded.action().surface == "prompt") return judge_prompt(bundle, recorded);
  std::vector<Answers> parts;
  std::string obstacle;
  if (bundle.tools() != nullptr) add_tools(*bundle.tools(), recorded, parts, obstacle);
  if (bundle.actions() != nullptr) parts.push_back(from_rules(*bundle.actions(), recorded, now));
  if (bundle.commands() != nullptr && is_shell_tool(recorded.action().tool))
    parts.push_back(from_commands(*bundle.commands(), recorded));
  ReplayVerdict verdict;
  if (has_module(bundle, "tools")) parts.push_back(from_rego(*bundle.rego(), recorded, obstacle));
  if (bundle.rego() != nullptr) add_use(*bundle.rego(), recorded, parts, obstacle);
  if (parts.empty()) {
    verdict = {Outcome::kAllow, "bundle.silent", "No part of the policy is about this", ""};
    return verdict;
  }
  // The strictest part decides: at least the strictest of what each part says at the mildest.
  const auto milder = [](const Answer& left, const Answer& right) {
    return harshness(left.outcome) < harshness(right.outcome);
  };
  const Answer* floor = nullptr;
  for (const Answers& part : parts) {
    const Answer& mildest = *std::min_element(part.begin(), part.end(), milder);
    if (floor == nullptr || milder(*floor, mildest)) floor = &mildest;
  }
  for (const Answers& part : parts)
    for (const Answer& answer : part) {
      const bool differs =
          milder(*floor, answer) || (!milder(answer, *floor) && answer.outcome != floor->outcome);
      if (!differs) continue;
      verdict.obstacle = !obstacle.empty() ? obstacle
                         : recorded.problem().empty()
                             ? "depends on arguments that were not recorded"
                             : "the recorded arguments cannot be read";
      return verdict;
    }
  return {floor->outcome, floor->rule_id, floor->reason, ""};
}

}  // namespace aispm::policy
