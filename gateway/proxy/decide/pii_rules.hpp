// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/proxy/decide/action_judge.hpp"
#include "gateway/proxy/pipeline/findings.hpp"
#include "gateway/proxy/pipeline/output_rules.hpp"

namespace aispm::gateway {

// What the Rego module `pii` says of each kind of personal data that a rule book knows, asked
// before the texts are read, so that it holds for streams as well. Only what is not allowed.
using PiiWords = std::map<std::string, OutputRules::Word, std::less<>>;

// `judge`: the module about one kind.
PiiWords ask_about_kinds(const RuleBook& book,
                         const std::function<ActionVerdict(const std::string& kind)>& judge);
// The strictest of them: what the record of a detection names (verdict_on()). Allow: there is none.
OutputRules::Word strictest(const PiiWords& words);

// The tables in which those kinds are cut out or denied; what is stricter stays. Replies: of their
// texts, what tools get is no reply; what cannot be edited is denied.
std::shared_ptr<const OutcomeTables> with_pii_of_request(const RuleBook& book,
                                                         const OutcomeTables& tables,
                                                         const PiiWords& words);
// Whether these tables withhold all personal data that was found in a request: it was cut out, or
// the request denied.
bool are_withheld(const RuleBook& book, const OutcomeTables& tables,
                  const std::vector<model::Detection>& detections);
std::shared_ptr<const OutcomeTables> with_pii_of_reply(const RuleBook& book,
                                                       const OutcomeTables& tables,
                                                       const PiiWords& words);

// The kinds of personal data among detections from `first` on, each once; `of_reply`: those of a
// reply's texts, else all but those and what tools get.
std::vector<std::string> pii_kinds(const std::vector<model::Detection>& detections, bool of_reply);

}  // namespace aispm::gateway
