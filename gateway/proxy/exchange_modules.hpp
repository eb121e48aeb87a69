// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/exchange_state.hpp"

// Where an exchange asks the Rego modules model, egress, retrieval, budget and pii of the bundles
// that decide about it. Each does nothing where no bundle has its module.
namespace aispm::gateway {

// Once the gate is made: the model, its provider's host, and the documents in the request. What
// somebody has to be asked about stands in gate->actions(). A refusal when it may not go on.
Step judge_upstream(ExchangeState& x);
// The provider's host alone: another provider of the same kind is about to get the same request.
Step judge_provider(ExchangeState& x);

// May a copy of the request, as it is sent, go to `x.provider`? `gate`: of that provider and model.
// Nothing is recorded, and nobody is asked: what has to wait may not.
bool modules_allow(const ExchangeState& x, const ActionGate& gate);

// After the gateway's own budgets have room for `wanted` tokens.
Step judge_tokens(ExchangeState& x, std::uint64_t wanted);

// Whether the policy in force says what personal data means.
bool asks_pii(const ExchangeState& x);
// Before the request is scanned: what personal data in it means for `x.provider`, beside the rules
// over detections, whose tables are in `into`.
void take_pii_of_request(const ExchangeState& x, ScanContext& into);
// After it: puts down what was said of it; a refusal where that denies, or wants something cut out
// that was not.
Step judge_pii_of_request(ExchangeState& x);

// Before a reply begins; `before`: what counted for the request, kept for the views into it.
void take_pii_of_reply(ExchangeState& x, std::shared_ptr<const OutputRules> before);
// After it: puts down what was said of these kinds.
void note_pii_of_reply(ExchangeState& x, const std::vector<std::string>& kinds);

}  // namespace aispm::gateway
