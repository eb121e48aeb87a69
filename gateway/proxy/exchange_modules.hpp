// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/exchange_state.hpp"

// Where an exchange asks the Rego modules model, egress, retrieval, budget and pii of the bundles
// that decide about it. Each does nothing where no bundle has its module.
namespace aispm::gateway {

// Once the gate is made: the model, its provider's host, and the documents in the request. What
// somebody has to be asked about stands in gate->actions(). A refusal when it may not go on.
Step judge_upstream(ExchangeState& x);

// After the gateway's own budgets have room for `wanted` tokens.
Step judge_tokens(ExchangeState& x, std::uint64_t wanted);

// Before the request is scanned: what personal data in it means, beside the rules over detections.
void take_pii_of_request(ExchangeState& x);
// After it: puts down what was said of it; a refusal where that denies.
Step judge_pii_of_request(ExchangeState& x);

// Before a reply begins; `before`: what counted for the request, kept for the views into it.
void take_pii_of_reply(ExchangeState& x, std::shared_ptr<const OutputRules> before);
// After it: puts down what was said of these kinds.
void note_pii_of_reply(ExchangeState& x, const std::vector<std::string>& kinds);

}  // namespace aispm::gateway
