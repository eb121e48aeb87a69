// SPDX-License-Identifier: Apache-2.0
// Policy bundles in an exchange: the prompt before it goes, tool calls before they leave.
#include "gateway/proxy/decide/data_cut.hpp"
#include "gateway/proxy/exchange_state.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using model::Outcome;
using net::Task;

namespace {

// The newest words of the user.
const codec::TextPart* last_prompt(const codec::LlmRequest& request) {
  const codec::TextPart* last = nullptr;
  for (const codec::TextPart& part : request.parts)
    if (part.surface == codec::Surface::kPrompt && part.is_message) last = &part;
  return last;
}

}  // namespace

std::optional<Refusal> ExchangeState::judge_prompt() {
  PolicySet policies = services.policies_for(caller.agent_id, caller.tenant);
  if (policies.empty()) return {};
  const AgentFacts& facts = services.config.decide.agents.find(caller.agent_id);
  RiskFacts risk = read_signals(detections);
  const codec::TextPart* const newest = last_prompt(request);
  const std::string_view prompt = newest ? newest->text : std::string_view{};
  const std::string session =
      caller.agent_id + '\n' + (caller.session_id.empty() ? "" : caller.session_id);
  const SessionPast past =
      services.risks.note(session, prompt, !risk.signals.empty(), net::Clock::now());
  static const policy::RiskModel kUsual;
  const auto& enforced = policies.enforced;
  const policy::RiskModel& model = enforced && enforced->bundle ? enforced->bundle->risk() : kUsual;
  fuse_risk(model, facts, prompt, prompt.size(), past, risk);
  gate = std::make_unique<ActionGate>(context, std::move(policies),
                                      ActionGate::Caller{.agent_id = caller.agent_id,
                                                         .tenant = caller.tenant,
                                                         .session_id = caller.session_id,
                                                         .facts = facts,
                                                         .surface = "prompt",
                                                         .provider = provider->event_name(),
                                                         .model = request.model},
                                      std::move(risk), &services.usage, &services.sightings);
  gate->offer(body);
  const JudgedAction* const judged = gate->wants_prompt(wall_now())
                                         ? gate->judge_prompt(codec::prompt_text(request), prompt)
                                         : nullptr;
  gate->enter("reply");
  if (judged == nullptr || judged->verdict.outcome != Outcome::kDeny) return {};
  counters.denied_requests.add();
  return deny_action(*judged, settled_of(*judged));
}

std::optional<Refusal> ExchangeState::judge_actions(std::string_view reply) {
  auto parsed = codec::parse_reply(api, reply);
  if (!parsed) return cannot_scan("the reply", parsed.error().message);
  std::vector<codec::JsonPatch> changes;
  for (const codec::ToolCall& asked : parsed->tool_calls) {
    const ActionGate::Answer answer =
        gate->judge({.tool = asked.name, .arguments = asked.arguments});
    JudgedAction& action = gate->actions()[answer.action];
    action.call_id = asked.id;
    if (answer.say == ActionGate::Say::kDeny) {
      counters.denied_replies.add();
      return deny_action(action, settled_of(action));
    }
    if (answer.say != ActionGate::Say::kChange) continue;
    for (const codec::ReplyText& text : parsed->texts) {
      if (text.channel != asked.channel) continue;
      std::string clean;
      const auto cut = cut_data(context, text.text, detect::Surface::kToolArguments, clean);
      if (!cut || (text.is_key && *cut > 0))
        return cannot_scan("a tool call", cut ? "a name in it is data" : cut.error().message);
      if (*cut > 0) changes.push_back(codec::string_patch(text.span, clean));
    }
    redacted = true;
  }
  if (changes.empty()) return {};
  auto patched = codec::apply_patches(reply, std::move(changes));
  if (!patched) return cannot_scan("the reply", patched.error().message);
  reply_patched = std::move(*patched);
  return {};
}

AskedBy ExchangeState::asked_by() const {
  return {.caller = &caller,
          .trace_id = trace_id,
          .call_event_id = event_id,
          .store_text = context.book && context.book->policy->store_text()};
}

Task<std::optional<Refusal>> ExchangeState::settle_actions() {
  for (JudgedAction& action : gate->actions()) {
    if (action.is_recorded || !must_wait(action.verdict.outcome)) continue;
    Settlement settlement(worker, asked_by(), *gate, action);
    AISPM_CO_CHECK(co_await settlement.begin(proofs));
    if (!settlement.is_settled()) record_action(action, settlement.state());
    while (!settlement.is_settled())
      (void)co_await settlement.wait(services.config.decide.approvals.pulse);
    record_action(action, settlement.state());
    if (!settlement.state().passes) {
      counters.denied_replies.add();
      co_return deny_action(action, settlement.state());
    }
  }
  co_return std::optional<Refusal>{};
}

Refusal ExchangeState::deny_action(const JudgedAction& action, const Settled& settled) {
  model::Decision denial;
  denial.mode = "enforce";
  denial.rule_id = action.verdict.rule_id;
  denial.reason = settled.reason;
  denial.policy_version = action.verdict.policy_version;
  denial.case_id = action.approval_id;
  if (!settled.link.empty()) denial.reason += " (" + settled.link + ")";
  Refusal refusal = deny(std::move(denial));
  refusal.decision = std::string(model::name_of(settled.outcome));
  return refusal;
}

void ExchangeState::record_action(JudgedAction& action, const Settled& settled,
                                  std::string_view mode) {
  model::Event event = action_event(action, gate->caller(), gate->risk(),
                                    {.outcome = settled.outcome,
                                     .reason = settled.reason,
                                     .mode = mode,
                                     .store_text = asked_by().store_text});
  event.tenant = caller.tenant;
  event.host_id = services.host_id;
  event.session_id = caller.session_id;
  event.trace_id = trace_id;
  event.span_id = make_span_id();
  std::get<model::ActionCall>(event.body).call_event_id = event_id;
  action.is_recorded = true;
  last_settled = settled;
  counters.actions.add();
  worker.record(std::move(event));
}

void ExchangeState::record_actions() {
  if (!gate) return;
  for (JudgedAction& action : gate->actions())
    if (!action.is_recorded) record_action(action, settled_of(action));
  for (JudgedAction& action : gate->watched()) record_action(action, settled_of(action), "monitor");
}

}  // namespace aispm::gateway
