// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/action_judge.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "gateway/proxy/decide/module_judge.hpp"
#include "gateway/proxy/decide/verdict_parts.hpp"
#include "sdk/core/codec/canonical_json.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/policy/shell_tool.hpp"

namespace aispm::gateway {

namespace json = boost::json;
using model::Outcome;

namespace {

constexpr std::size_t kMaxDepth = policy::Arguments::kMaxDepth;

std::string text_of(const policy::Arguments::Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) {
    std::string cut = *text;
    if (cut_utf8(cut, kMaxInputBytes)) cut += "...";
    return cut;
  }
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g", std::get<double>(value));
  return buffer;
}

// The arguments that the deciding rule looked at. Where they hold data of a class, words are not
// shown.
void add_arguments(const policy::ActionRule* rule, const policy::Arguments& arguments,
                   const ActionAsk& ask, ActionVerdict& verdict) {
  if (rule == nullptr) return;
  for (const policy::ArgumentTest& test : rule->when.arguments)
    for (const auto& leaf : arguments.leaves()) {
      if (!test.path.matches(leaf.path)) continue;
      const bool is_text = std::holds_alternative<std::string>(leaf.value);
      if (is_text && !ask.labels.empty()) continue;
      add_input(verdict, "args." + leaf.path, text_of(leaf.value));
    }
}

// The call as its definition in the registry allows it.
void ask_tools(const PolicyView& policy, const ActionContext& context, const policy::Action& action,
               ActionVerdict& verdict) {
  const policy::ToolGate* const tools = policy.bundle->tools();
  if (tools == nullptr) return;
  policy::ToolState state;
  state.scopes = context.facts->scopes;
  state.intent = context.intent;
  if (context.risk != nullptr) {
    state.posture = context.risk->risk;
    state.signals = context.risk->signals;
  }
  const policy::ToolVerdict said = tools->judge(action, state);
  if (said.rule_id.empty() && !tools->has_file()) return;
  strengthen(verdict, said.outcome, said.rule_id.empty() ? "tools.allow" : said.rule_id,
             said.reason, "");
}

void ask_commands(const PolicyView& policy, const ActionAsk& ask,
                  const policy::Arguments& arguments, ActionVerdict& verdict) {
  const policy::CommandGovernor* const governor = policy.bundle->commands();
  if (governor == nullptr || !policy::is_shell_tool(ask.tool)) return;
  const policy::CommandVerdict said = policy::judge_shell_call(*governor, arguments.leaves());
  add_input(verdict, "command", said.command);
  strengthen(verdict, said.outcome, said.rule_id, said.reason, "");
}

json::value read_arguments(std::string_view arguments) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(arguments.data(), arguments.size()), error);
  return error ? json::value() : value;
}

}  // namespace

bool must_wait(Outcome outcome) {
  return outcome == Outcome::kRequireApproval || outcome == Outcome::kRequireTicket ||
         outcome == Outcome::kRequireHuman || outcome == Outcome::kStepUp;
}

Result<std::string> action_digest(const ActionAsk& ask) {
  codec::JsonTree tree;
  AISPM_CHECK(tree.read(ask.arguments.empty() ? "{}" : ask.arguments, kMaxDepth));
  std::string text = "aispm-action 2\n";
  for (const std::string_view part : {ask.tool, ask.tool_provider, ask.destination})
    text.append(std::to_string(part.size())).append(" ").append(part).append("\n");
  return sha256_hex(text + codec::canonical_json(tree, 0));
}

ActionVerdict judge_action(const PolicyView& policy, const ActionContext& context,
                           const ActionAsk& ask, WallTime now) {
  ActionVerdict verdict;
  const std::string_view text = ask.arguments.empty() ? "{}" : ask.arguments;
  auto digest = action_digest(ask);
  const auto arguments = policy::Arguments::parse(text);
  if (!is_unusable(policy, now, verdict)) {
    verdict.policy_id = policy.id;
    verdict.policy_version = policy.version();
    const policy::ActionPolicy* const actions = policy.bundle->actions();
    if (!digest || !arguments) {
      const Error& error = digest ? arguments.error() : digest.error();
      strengthen(verdict, Outcome::kDeny, "arguments.unreadable", error.message, "");
    } else {
      const policy::Action action{.tool = ask.tool,
                                  .tool_provider = ask.tool_provider,
                                  .surface = context.surface,
                                  .agent = context.agent_id,
                                  .agent_type = context.facts->type,
                                  .roles = context.facts->roles,
                                  .trust = context.facts->trust,
                                  .environment = context.facts->environment,
                                  .provider = context.provider,
                                  .model = context.model,
                                  .destination = ask.destination,
                                  .labels = ask.labels,
                                  .addresses = ask.addresses,
                                  .text = text,
                                  .arguments = &*arguments};
      ask_tools(policy, context, action, verdict);
      if (actions != nullptr) {
        const policy::ActionDecision said = actions->decide(action, now);
        strengthen(verdict, said.outcome, said.rule_id, said.reason, said.approver_role);
        add_arguments(said.rule, *arguments, ask, verdict);
      }
      ask_commands(policy, ask, *arguments, verdict);
    }
    if (policy.modules.agent && verdict.outcome != Outcome::kDeny)
      ask_rego(policy, "agent", base_input(context), verdict);
    if (policy.modules.tools && verdict.outcome != Outcome::kDeny) {
      json::object input = base_input(context);
      input["tool"] = {{"name", to_utf8(ask.tool)}, {"provider", to_utf8(ask.tool_provider)}};
      input["arguments"] = read_arguments(text);
      input["destination"] = to_utf8(ask.destination);
      input["labels"] = list_of(ask.labels);
      if (!ask.asked_by_model.empty()) input["asked_by_model"] = to_utf8(ask.asked_by_model);
      ask_rego(policy, "tools", input, verdict);
    }
    ask_about_use(policy, context, ask, arguments ? &*arguments : nullptr, verdict);
    // The registry says what must not be; a policy that is silent denies.
    if (verdict.rule_id.empty() && policy.id == policy::kRegistryPolicy)
      strengthen(verdict, Outcome::kAllow, "registry.silent", "", "");
    else if (verdict.rule_id.empty())
      strengthen(verdict, Outcome::kDeny, "bundle.silent", "The bundle says nothing about actions",
                 "");
  }
  if (digest) verdict.digest = std::move(*digest);
  add_inputs(context, ask, verdict);
  return verdict;
}

ActionVerdict unjudged_action(const ActionContext& context, const ActionAsk& ask) {
  ActionVerdict verdict;
  if (auto digest = action_digest(ask)) verdict.digest = std::move(*digest);
  add_inputs(context, ask, verdict);
  return verdict;
}

ActionVerdict judge_prompt(const PolicyView& policy, const ActionContext& context,
                           std::string_view prompt, WallTime now) {
  ActionVerdict verdict;
  if (is_unusable(policy, now, verdict)) return verdict;
  verdict.policy_id = policy.id;
  verdict.policy_version = policy.version();
  if (policy.bundle->has_risk()) {
    const policy::RiskAction action = policy::action_of(policy.bundle->risk(), context.risk->risk);
    if (action == policy::RiskAction::kBlock)
      strengthen(verdict, Outcome::kDeny, "risk.block", "The risk of this request is too high", "");
    if (action == policy::RiskAction::kEscalate)
      strengthen(verdict, Outcome::kRequireApproval, "risk.escalate",
                 "The risk of this request needs a person", "");
  }
  if (policy.modules.agent && verdict.outcome != Outcome::kDeny)
    ask_rego(policy, "agent", base_input(context), verdict);
  if (policy.modules.prompt && verdict.outcome != Outcome::kDeny) {
    json::object input = base_input(context);
    input["prompt"] = to_utf8(prompt);
    ask_rego(policy, "prompt", input, verdict);
  }
  if (verdict.outcome != Outcome::kAllow) {
    verdict.digest = sha256_hex("aispm-prompt 1\n" + std::string(prompt));
    add_inputs(context, {.tool = "prompt"}, verdict);
  }
  return verdict;
}

ActionVerdict judge_output(const PolicyView& policy, const ActionContext& context,
                           const ReplyFacts& reply, WallTime now) {
  ActionVerdict verdict;
  if (is_unusable(policy, now, verdict) || !policy.modules.output) return verdict;
  verdict.policy_id = policy.id;
  verdict.policy_version = policy.version();
  json::object input = base_input(context);
  input["output"] = {
      {"secret", reply.has_secret}, {"pii", reply.has_pii}, {"guard", word_of(reply.guard)}};
  ask_rego(policy, "output", input, verdict);
  if (must_wait(verdict.outcome)) verdict.outcome = Outcome::kDeny;
  if (verdict.outcome != Outcome::kAllow) add_inputs(context, {.tool = "reply"}, verdict);
  return verdict;
}

}  // namespace aispm::gateway
