// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/asked_action.hpp"

#include "gateway/proxy/decide/action_record.hpp"
#include "gateway/proxy/decide/chain_freezes.hpp"
#include "gateway/proxy/decide/data_cut.hpp"
#include "gateway/proxy/limits/rate_limiter.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/policy/freeze_book.hpp"

namespace aispm::gateway {

using model::Outcome;

AskedAction::AskedAction(Worker& worker, Caller caller, ActionQuestion question)
    : worker_(worker),
      caller_(std::move(caller)),
      question_(std::move(question)),
      freezable_(worker.freezes(), caller_.freeze_key(),
                 hear_for_chain(worker.freezes(), question_.delegation,
                                [this](const policy::Freeze* freeze) { hear(freeze); })) {
  if (caller_.trace_id.empty()) caller_.trace_id = make_trace_id();
}

Result<> AskedAction::judge() {
  Services& services = worker_.services();
  AISPM_TRY(scan_, worker_.open_rules(caller_.tenant,
                                      {.agent = caller_.agent_id, .provider = {}, .model = {}}));
  ArgumentScan scanned = scan_arguments(scan_, question_.arguments);
  worker_.counters().inspections_late.add(scanned.findings.late);
  worker_.counters().inspections_cut.add(scanned.findings.cut);
  if (scanned.is_unscannable) worker_.counters().unscannable.add();
  PolicySet policies = scan_.policies;
  Identity identity = services.identify(policies, caller_, question_.delegation, question_.intent);
  const auto stranger = std::move(identity.objection);
  RiskFacts risk = read_signals(scanned.findings.detections);
  SessionPast past =
      services.risks.of(caller_.key() + '\n' + caller_.session_id, net::Clock::now());
  past.baseline.clear();  // an action is no prompt that could have drifted from others
  fuse_risk(policies.risk(), identity.facts, {}, 0, past, risk);
  ActionGate::Caller who{.agent_id = caller_.agent_id,
                         .tenant = caller_.tenant,
                         .session_id = caller_.session_id,
                         .facts = {},
                         .surface = question_.surface,
                         .provider = {},
                         .model = {}};
  who.take(std::move(identity));
  gate_.emplace(scan_, std::move(policies), std::move(who), std::move(risk), &services.usage,
                &services.sightings);
  if (question_.definition) gate_->offer(OfferedTools::of(*question_.definition));
  changed_ = gate_
                 ->judge({.tool = question_.tool,
                          .tool_provider = question_.tool_provider,
                          .arguments = question_.arguments,
                          .destination = question_.destination,
                          .labels = question_.labels,
                          .asked_by_model = question_.asked_by_model})
                 .changed;
  findings_ = std::move(scanned.findings.detections);
  settled_ = settled_of(action());
  if (!scanned.objection && !scanned.changed.empty()) take_change(scanned);
  if (scanned.objection)
    overrule(Outcome::kDeny, scanned.objection->rule_id, scanned.objection->reason);
  if (stranger) overrule(Outcome::kDeny, stranger->rule_id, stranger->reason);
  if (services.use.rates) take_rate(*services.use.rates);
  obey_freezes();
  return {};
}

// What rules over detections cut out is cut out, also where the policies about actions say nothing
// of it or want other data out.
void AskedAction::take_change(ArgumentScan& scanned) {
  const policy::Verdict& verdict = scanned.findings.verdict;
  const bool is_cut_already = !changed_.empty();
  changed_ = std::move(scanned.changed);
  if (is_cut_already) {
    std::string clean;
    const auto cut = cut_data(scan_, changed_, detect::Surface::kToolArguments, clean);
    const bool is_clean = cut && is_still_json(changed_, clean);
    changed_ = is_clean ? std::move(clean) : std::string();
    if (!is_clean)
      return overrule(Outcome::kDeny, std::string(verdict.rule_id),
                      "data in it cannot be cut out in place");
  }
  if (action().verdict.outcome == Outcome::kAllow)
    overrule(Outcome::kRedact, std::string(verdict.rule_id), std::string(verdict.reason));
}

// What is denied anyway is not counted.
void AskedAction::take_rate(RateLimiter& rates) {
  if (action().verdict.outcome == Outcome::kDeny) return;
  const RateVerdict verdict = rates.take({.tenant = caller_.tenant,
                                          .user = policy::user_of_agent(caller_.agent_id),
                                          .agent = caller_.agent_id,
                                          .tool = question_.tool},
                                         net::Clock::now());
  if (verdict.passes) return;
  worker_.counters().rate_limited.add();
  overrule(Outcome::kRateLimited, rule_of(verdict), rates.describe(verdict));
}

void AskedAction::obey_freezes() {
  const auto freezes = worker_.services().freezes.load();
  const auto* const freeze = freezable_.key().find(*freezes, wall_now());
  if (freeze == nullptr) return;
  worker_.counters().frozen.add();
  overrule(Outcome::kKillSwitch, "freeze." + freeze->id, freeze->reason);
}

void AskedAction::overrule(Outcome outcome, std::string rule, std::string reason) {
  ActionVerdict& verdict = action().verdict;
  verdict.outcome = outcome;
  verdict.rule_id = std::move(rule);
  verdict.reason = std::move(reason);
  settled_ = settled_of(action());
}

void AskedAction::judge_further(const ActionGate::FurtherJudge& judge) {
  const WallTime now = wall_now();
  gate_->judge_watched_further(judge, now);
  const auto& enforced = gate_->policies().enforced;
  const Outcome outcome = action().verdict.outcome;
  if (!enforced || outcome == Outcome::kDeny || outcome == Outcome::kKillSwitch) return;
  ActionVerdict said = judge(*enforced, gate_->context(), now);
  if (said.outcome != Outcome::kAllow)
    overrule(said.outcome, std::move(said.rule_id), std::move(said.reason));
}

void AskedAction::withhold(Outcome outcome, std::string rule, std::string reason) {
  action().verdict.rule_id = std::move(rule);
  settled_.outcome = outcome;
  settled_.reason = std::move(reason);
  settled_.passes = outcome == Outcome::kRedact;
}

void AskedAction::hear(const policy::Freeze* freeze) {
  if (freeze == nullptr) return;
  if (settling_ != nullptr) settling_->cut(Outcome::kKillSwitch, freeze->reason);
  if (on_freeze_) on_freeze_();
}

net::asio::awaitable<void> AskedAction::settle(const ShownProofs& proofs, OnPulse on_pulse) {
  if (!must_wait(action().verdict.outcome)) co_return;
  Settlement settlement(worker_, asked_by(), *gate_, action());
  settling_ = &settlement;
  co_await settlement.begin(proofs);
  if (!settlement.is_settled())
    record_action(worker_, asked_by(), *gate_, action(), settlement.state());
  const auto pulse = worker_.services().config.decide.approvals.pulse;
  while (on_pulse && !settlement.is_settled()) {
    const bool is_awaited = co_await on_pulse(settlement.state());
    if (!is_awaited) break;
    co_await settlement.wait(pulse);
  }
  settling_ = nullptr;
  settled_ = settlement.state();
  if (settled_.is_settled) action().is_recorded = false;  // what came of it is an event of its own
}

void AskedAction::record() {
  if (!action().is_recorded) record_action(worker_, asked_by(), *gate_, action(), settled_);
  record_rest(worker_, asked_by(), *gate_);
}

AskedBy AskedAction::asked_by() const {
  return {.caller = &caller_,
          .trace_id = caller_.trace_id,
          .call_event_id = question_.caused_by,
          .store_text = scan_.book->policy->store_text()};
}

}  // namespace aispm::gateway
