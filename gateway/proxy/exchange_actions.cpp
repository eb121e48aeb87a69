// SPDX-License-Identifier: Apache-2.0
// Policy bundles in an exchange: the prompt before it goes, tool calls before they leave.
#include <algorithm>

#include "gateway/proxy/decide/action_record.hpp"
#include "gateway/proxy/decide/data_cut.hpp"
#include "gateway/proxy/decide/pii_rules.hpp"
#include "gateway/proxy/exchange_modules.hpp"
#include "gateway/proxy/exchange_state.hpp"

namespace aispm::gateway {

using model::Outcome;
using net::asio::awaitable;

namespace {

// The newest words of the user.
const codec::TextPart* last_prompt(const codec::LlmRequest& request) {
  const codec::TextPart* last = nullptr;
  for (const codec::TextPart& part : request.parts)
    if (part.surface == codec::Surface::kPrompt && part.is_message) last = &part;
  return last;
}

}  // namespace

Step ExchangeState::judge_prompt() {
  PolicySet policies = context.policies;
  Identity identity = services.identify(policies, caller, proofs.delegation, proofs.intent);
  if (identity.objection) {
    counters.denied_requests.add();
    model::Decision denial;
    denial.mode = "enforce";
    denial.rule_id = identity.objection->rule_id;
    denial.reason = identity.objection->reason;
    return deny(std::move(denial));
  }
  if (policies.empty()) return {};
  RiskFacts risk = read_signals(detections);
  const codec::TextPart* const newest = last_prompt(request);
  const std::string_view prompt = newest ? newest->text : std::string_view{};
  const std::string session = caller.key() + '\n' + caller.session_id;
  const SessionPast past =
      services.risks.note(session, prompt, !risk.signals.empty(), net::Clock::now());
  fuse_risk(policies.risk(), identity.facts, prompt, prompt.size(), past, risk);
  ActionGate::Caller who{.agent_id = caller.agent_id,
                         .tenant = caller.tenant,
                         .session_id = caller.session_id,
                         .facts = {},
                         .surface = "prompt",
                         .provider = provider->event_name(),
                         .model = std::string(model_sent())};
  who.take(std::move(identity));
  gate = std::make_unique<ActionGate>(context, std::move(policies), std::move(who), std::move(risk),
                                      &services.usage, &services.sightings);
  gate->offer(body);
  const JudgedAction* const judged = gate->wants_prompt(wall_now())
                                         ? gate->judge_prompt(codec::prompt_text(request), prompt)
                                         : nullptr;
  if (judged != nullptr && judged->verdict.outcome == Outcome::kDeny) {
    counters.denied_requests.add();
    return deny_action(*judged, settled_of(*judged));
  }
  Step step = judge_upstream(*this);
  if (!step) step = judge_pii_of_request(*this);
  gate->enter("reply");
  return step;
}

Step ExchangeState::open_reply() {
  if (!gate) return {};
  std::shared_ptr<const OutputRules> of_request = std::move(context.output);
  context.output = nullptr;
  const JudgedAction* const denied =
      gate->open_reply(read_signals(detections).guard, context.output);
  if (denied != nullptr) {
    take_pii_of_reply(*this, std::move(of_request));
    counters.denied_replies.add();
    return deny_action(*denied, settled_of(*denied));
  }
  if (context.output) context.tables = with_output(*context.book, *context.tables, *context.output);
  take_pii_of_reply(*this, std::move(of_request));
  return {};
}

void ExchangeState::close_reply(const Findings& findings) {
  reply_flagged = !findings.detections.empty();
  if (!gate) return;
  ReplyFacts reply{.guard = read_signals(detections).guard};
  for (const model::Detection& detection : findings.detections) {
    if (detection.surface != detect::name_of(detect::Surface::kReply)) continue;
    reply.has_secret =
        reply.has_secret || detection.category == detect::name_of(detect::Category::kSecret);
    reply.has_pii = reply.has_pii || detection.category == detect::name_of(detect::Category::kPii);
  }
  gate->close_reply(reply);
  note_pii_of_reply(*this, pii_kinds(findings.detections, true));
}

Step ExchangeState::judge_actions(std::string_view reply) {
  auto parsed = codec::parse_reply(api, reply);
  if (!parsed) return cannot_scan("the reply", parsed.error().message);
  std::vector<codec::JsonPatch> changes;
  std::vector<codec::Channel> changed;
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
    changed.push_back(asked.channel);
  }
  if (changed.empty()) return {};
  if (!changes.empty()) {
    auto patched = codec::apply_patches(reply, std::move(changes));
    if (!patched) return cannot_scan("the reply", patched.error().message);
    reply_patched = std::move(*patched);
  }
  return check_cut(reply_patched.empty() ? reply : std::string_view(reply_patched), changed);
}

// Data that is one only beside its name stands in no text by itself: what is left is looked at as
// the policy saw it, whole.
Step ExchangeState::check_cut(std::string_view reply, const std::vector<codec::Channel>& changed) {
  const auto parsed = codec::parse_reply(api, reply);
  if (!parsed) return cannot_scan("the reply", parsed.error().message);
  for (const codec::ToolCall& asked : parsed->tool_calls) {
    if (std::find(changed.begin(), changed.end(), asked.channel) == changed.end()) continue;
    std::string clean;
    const auto left = cut_data(context, asked.arguments, detect::Surface::kToolArguments, clean);
    if (!left || *left > 0)
      return cannot_scan("a tool call",
                         left ? "data in it cannot be cut out in place" : left.error().message);
  }
  return {};
}

AskedBy ExchangeState::asked_by() const {
  return {.caller = &caller,
          .trace_id = trace_id,
          .call_event_id = event_id,
          .store_text = context.book && context.book->policy->store_text()};
}

awaitable<void> ExchangeState::settle(JudgedAction& action, const OnPulse& on_pulse) {
  Settlement settlement(worker, asked_by(), *gate, action);
  settling = &settlement;
  co_await settlement.begin(proofs);
  if (!settlement.is_settled()) record_action(action, settlement.state());
  while (!settlement.is_settled()) {
    // Who has left would use up what is approved for the next who asks.
    bool goes_on = !client.stream().peer_is_gone();
    if (goes_on && on_pulse) goes_on = co_await on_pulse(settlement.state());
    if (!goes_on) settlement.cut(Outcome::kTimeout, "the client has gone");
    co_await settlement.wait(services.config.decide.approvals.pulse);
  }
  settling = nullptr;
  record_action(action, settlement.state());
}

awaitable<Step> ExchangeState::settle_actions() {
  const OnPulse silent;
  for (JudgedAction& action : gate->actions()) {
    if (action.is_recorded || !must_wait(action.verdict.outcome)) continue;
    co_await settle(action, silent);
    if (frozen) co_return frozen_refusal();
    if (last_settled.passes) continue;
    counters.denied_replies.add();
    co_return deny_action(action, last_settled);
  }
  co_return Step{};
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

void ExchangeState::record_action(JudgedAction& action, const Settled& settled) {
  gateway::record_action(worker, asked_by(), *gate, action, settled);
  last_settled = settled;
}

}  // namespace aispm::gateway
