// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/proxy/rule_book.hpp"

namespace aispm::gateway {

// What a policy bundle says of data in replies, beside the rules over detections: asked before a
// reply begins, so that it holds for streams as well.
struct OutputRules {
  struct Word {
    model::Outcome outcome = model::Outcome::kAllow;  // allow, redact, deny
    std::string rule_id;
    std::string reason;
  };
  Word secret;
  Word pii;

  // About what a detection of this category is; null: nothing.
  const Word* of(std::string_view category) const;
  bool says_anything() const {
    return secret.outcome != model::Outcome::kAllow || pii.outcome != model::Outcome::kAllow;
  }
};

// The tables with what the bundle says of a reply's texts as well: the stricter of both counts.
// What tools get is not a reply.
std::shared_ptr<const OutcomeTables> with_output(const RuleBook& book, const OutcomeTables& tables,
                                                 const OutputRules& rules);

}  // namespace aispm::gateway
