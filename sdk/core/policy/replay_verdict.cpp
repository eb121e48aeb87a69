// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <optional>
#include <span>

#include "sdk/core/policy/rego_decision.hpp"
#include "sdk/core/policy/replay.hpp"
#include "sdk/core/policy/risk_sequences.hpp"
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
  if (recorded.is_whole() || rules.is_expired(now))
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
  if (!recorded.is_whole() && !shell_command(recorded.known()))
    return {{Outcome::kAllow, "", ""}, {Outcome::kDeny, "", ""}};
  CommandVerdict said = judge_shell_call(commands, recorded.known());
  return {{said.outcome, std::move(said.rule_id), std::move(said.reason)}};
}

json::array list_of(std::span<const std::string> texts) {
  json::array list;
  for (const std::string& text : texts) list.emplace_back(text);
  return list;
}

json::string text_of(std::string_view text) { return json::string(text.data(), text.size()); }

const Answers kAnything = {{Outcome::kAllow, "", ""}, {Outcome::kDeny, "", ""}};

RiskSignals signals_of(const RecordedAction& recorded) {
  RiskSignals signals;
  for (const std::string& name : recorded.inputs("signal"))
    for (std::size_t i = 0; i < kRiskSignals; ++i)
      if (name_of(static_cast<RiskSignal>(i)) == name) signals.add(static_cast<RiskSignal>(i));
  return signals;
}

// Whether the agent is registered; nothing: that is up to a gateway's own file.
std::optional<bool> is_registered(const Bundle& bundle, const RecordedAction& recorded) {
  const AgentRegistry* const agents = bundle.agents();
  if (agents != nullptr && agents->find(recorded.action().agent) != nullptr) return true;
  return bundle.has_agents_file() ? std::optional(false) : std::nullopt;
}

json::object agent_of(const Bundle& bundle, const RecordedAction& recorded) {
  const Action& action = recorded.action();
  const AgentRegistry* const agents = bundle.agents();
  const std::vector<std::string> depth = recorded.inputs("delegation");
  json::object agent{
      {"id", text_of(action.agent)},
      {"type", text_of(action.agent_type)},
      {"trust", text_of(name_of(action.trust))},
      {"environment", text_of(action.environment)},
      {"delegation_depth", depth.empty() ? 0 : std::atoi(depth.front().c_str())},
      {"max_delegation_depth", (agents != nullptr ? *agents : AgentRegistry()).max_delegation()}};
  if (const auto known = is_registered(bundle, recorded)) agent["registered"] = *known;
  return agent;
}

// What the gateway shows to Rego, as far as events and the candidate tell it.
json::object rego_input(const Bundle& bundle, const RecordedAction& recorded) {
  const Action& action = recorded.action();
  json::object input;
  input["agent"] = agent_of(bundle, recorded);
  input["frozen"] = json::array();
  input["roles"] = list_of(action.roles);
  input["scopes"] = list_of(recorded.inputs("scope"));
  input["trust"] = text_of(name_of(action.trust));
  input["environment"] = text_of(action.environment);
  input["provider"] = text_of(action.provider);
  input["model"] = text_of(action.model);
  input["surface"] = text_of(action.surface);
  for (const char* const name : {"intent", "asked_by_model"})
    if (const auto said = recorded.inputs(name); !said.empty()) input[name] = said.front();
  input["posture"] = recorded.risk();
  input["signals"] = list_of(recorded.inputs("signal"));
  json::array& ttps = input["ttps"].emplace_array();
  for (const std::string_view one : sequences_of(signals_of(recorded)))
    ttps.emplace_back(text_of(one));
  input["tool"] = {{"name", text_of(action.tool)}, {"provider", text_of(action.tool_provider)}};
  input["destination"] = text_of(action.destination);
  input["labels"] = list_of(action.labels);
  boost::system::error_code error;
  if (recorded.is_whole()) input["arguments"] = json::parse(text_of(action.text), error);
  return input;
}

// Whether all that the module reads of an action was recorded; else `obstacle` says what not.
bool can_tell(const Rego& rego, const std::string& module, const RecordedAction& recorded,
              std::string& obstacle) {
  for (const std::string& member : rego.inputs_of("aispm." + module)) {
    const bool is_unrecorded = member.empty() || member == "guard" || member == "drift" ||
                               member == "behaviour" ||
                               // Of what it is asked about it is told; the rest is tried out.
                               (member == "retrieval" && module != "retrieval") ||
                               (member == "arguments" && !recorded.is_whole()) ||
                               (member == "scopes" && !recorded.knows_scopes());
    if (!is_unrecorded) continue;
    obstacle = "the Rego module " + module + " reads `input" +
               (member.empty() ? "" : "." + member) + "`, which was not recorded";
    return false;
  }
  return true;
}

// What a module says of an action: one answer, or one each for an agent that is registered and one
// that is not, where that is not known.
Answers from_rego(const Bundle& bundle, const std::string& module, const RecordedAction& recorded,
                  std::string& obstacle) {
  const Rego& rego = *bundle.rego();
  if (!can_tell(rego, module, recorded, obstacle)) return kAnything;
  json::object input = rego_input(bundle, recorded);
  const auto ask = [&] {
    RegoDecision said = ask_module(rego, module, json::serialize(input));
    return Answer{said.outcome, std::move(said.rule), std::move(said.reason)};
  };
  if (is_registered(bundle, recorded)) return {ask()};
  Answers answers;
  for (const bool is_known : {true, false}) {
    input["agent"].get_object()["registered"] = is_known;
    answers.push_back(ask());
  }
  if (answers[0].outcome != answers[1].outcome)
    obstacle =
        "the Rego module " + module + " reads `input.agent.registered`, which was not recorded";
  return answers;
}

// The modules about what a tool call does.
void add_use(const Bundle& bundle, const RecordedAction& recorded, std::vector<Answers>& parts,
             std::string& obstacle) {
  const Rego& rego = *bundle.rego();
  if (!has_use_modules(rego)) return;
  const Action& action = recorded.action();
  const bool has_retrieval = rego.has_package("data.aispm.retrieval");
  const bool reads_arguments = rego.has_package("data.aispm.memory") || has_retrieval ||
                               rego.has_package("data.aispm.egress");
  bool is_known = recorded.is_whole() || !reads_arguments;
  if (!is_known) obstacle = "depends on arguments that were not recorded";
  for (const char* const module : {"write_approval", "memory", "egress", "retrieval"})
    if (rego.has_package("data.aispm." + std::string(module)))
      is_known = is_known && can_tell(rego, module, recorded, obstacle);
  if (!is_known) return parts.push_back(kAnything);
  const ToolUse use = read_tool_use(action.tool, action.destination, action.arguments);
  json::object input = rego_input(bundle, recorded);
  const auto ask = [&] { return ask_use_modules(rego, use, json::serialize(input)); };
  std::vector<RegoDecision> decided = ask();
  if (has_retrieval && use.retrieval) {
    // How far retrieved text was to be trusted was not recorded.
    const auto outcomes_with_trust = [&](double trust) {
      input["retrieval"] = {{"trust", trust}};
      decided = ask();
      std::vector<Outcome> outcomes;
      for (const RegoDecision& said : decided) outcomes.push_back(said.outcome);
      return outcomes;
    };
    if (outcomes_with_trust(0) != outcomes_with_trust(1)) {
      obstacle = "the Rego module retrieval reads `input.retrieval.trust`, which was not recorded";
      return parts.push_back(kAnything);
    }
  }
  for (RegoDecision& said : decided)
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
  state.signals = signals_of(recorded);
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
  if (said.rule_id.empty() && !gate.has_file()) return;
  parts.push_back({{said.outcome, std::string(said.rule_id.empty() ? "tools.allow" : said.rule_id),
                    std::string(said.reason)}});
}

// Nothing but what people decided in the collector: a gateway without another policy has it so.
bool is_registry_alone(const Bundle& bundle) {
  return bundle.registry() != nullptr && bundle.actions() == nullptr &&
         bundle.commands() == nullptr && bundle.rego() == nullptr &&
         (bundle.tools() == nullptr || !bundle.tools()->has_file()) && !bundle.has_agents_file() &&
         !bundle.has_risk() && bundle.detect() == nullptr && bundle.sandbox() == nullptr &&
         bundle.sensor_orders().empty();
}

// As in the gateway: the registry says what must not be; a policy that is silent denies.
ReplayVerdict of_silence(const Bundle& bundle) {
  if (is_registry_alone(bundle)) return {Outcome::kAllow, "registry.silent", "", ""};
  return {Outcome::kDeny, "bundle.silent", "The bundle says nothing about actions", ""};
}

ReplayVerdict judge_risk(const Bundle& bundle, const RecordedAction& recorded) {
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

// A prompt that needed a decision of its own: thresholds of risk, and the Rego modules `agent` and
// `prompt`. A bundle that is silent about prompts lets them pass.
ReplayVerdict judge_prompt(const Bundle& bundle, const RecordedAction& recorded) {
  if (has_module(bundle, "prompt"))
    return {Outcome::kUnspecified, "", "", "the Rego module prompt reads what was not recorded"};
  const ReplayVerdict risk = judge_risk(bundle, recorded);
  if (!has_module(bundle, "agent")) return risk;
  std::string obstacle;
  const Answers said = from_rego(bundle, "agent", recorded, obstacle);
  if (!obstacle.empty()) return {Outcome::kUnspecified, "", "", std::move(obstacle)};
  const Answer& one = said.front();
  if (harshness(one.outcome) <= harshness(risk.outcome)) return risk;
  return {one.outcome, one.rule_id, one.reason, ""};
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
  if (bundle.actions() != nullptr && bundle.actions()->is_expired(now)) {
    const Answer denied = from_rules(*bundle.actions(), recorded, now).front();
    return {denied.outcome, denied.rule_id, denied.reason, ""};
  }
  if (recorded.action().surface == "prompt") return judge_prompt(bundle, recorded);
  std::vector<Answers> parts;
  std::string obstacle;
  if (bundle.tools() != nullptr) add_tools(*bundle.tools(), recorded, parts, obstacle);
  if (bundle.actions() != nullptr) parts.push_back(from_rules(*bundle.actions(), recorded, now));
  if (bundle.commands() != nullptr && is_shell_tool(recorded.action().tool))
    parts.push_back(from_commands(*bundle.commands(), recorded));
  ReplayVerdict verdict;
  for (const char* const module : {"agent", "tools"})
    if (has_module(bundle, module)) parts.push_back(from_rego(bundle, module, recorded, obstacle));
  if (bundle.rego() != nullptr) add_use(bundle, recorded, parts, obstacle);
  if (parts.empty()) return of_silence(bundle);
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
