// SPDX-License-Identifier: Apache-2.0
// What slower judges said of an exchange's request, and what follows from it.
#include "gateway/proxy/exchange_state.hpp"
#include "gateway/proxy/opinions.hpp"

namespace aispm::gateway {

using model::Outcome;

namespace {

// The request is on its way already: nothing can be cut out of it any more.
bool denies(Outcome outcome) { return outcome == Outcome::kDeny || outcome == Outcome::kRedact; }

}  // namespace

bool ExchangeState::opinions_deny() const {
  const policy::Policy& policy = *context.book->policy;
  if (!opinions || !policy.waits_for_opinions()) return false;
  for (const model::Detection& detection : opinions->answers().detections)
    if (denies(policy.judge(context.caller, policy::Direction::kRequest, policy::fact_of(detection))
                   .applied))
      return true;
  return false;
}

Step ExchangeState::take_opinions(bool apply) {
  heard = true;
  const policy::Policy& policy = *context.book->policy;
  const Opinions::Answers& answers = opinions->answers();
  Findings findings;
  bool denied = false;
  for (const model::Detection& detection : answers.detections) {
    policy::Verdict said =
        policy.judge(context.caller, policy::Direction::kRequest, policy::fact_of(detection));
    if (!apply) said.applied = Outcome::kAllow;
    if (denies(said.applied)) {
      denied = true;
      said.decided = said.applied = Outcome::kDeny;
    }
    strengthen(findings.verdict, said);
    findings.add(detection);
  }
  take_findings(std::move(findings));
  if (!answers.missing.empty()) counters.opinions_missing.add();
  if (denied) {
    counters.denied_requests.add();
    Refusal refusal = deny(policy.to_decision(verdict));
    services.sticky.remember(caller.key(), request_key(), *decision, net::Clock::now());
    return refusal;
  }
  if (apply && !answers.missing.empty()) return unscannable("the request", answers.missing.front());
  return {};
}

}  // namespace aispm::gateway
