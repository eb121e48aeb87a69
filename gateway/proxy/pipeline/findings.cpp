// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/findings.hpp"

namespace aispm::gateway {
namespace {

int strength(model::Outcome outcome) {
  switch (outcome) {
    case model::Outcome::kUnspecified:
    case model::Outcome::kAllow:
      return 0;
    case model::Outcome::kRedact:
      return 1;
    default:
      return 2;
  }
}

}  // namespace

void strengthen(policy::Verdict& verdict, const policy::Verdict& other) {
  const bool applied = strength(other.applied) > strength(verdict.applied);
  const bool decided = strength(other.applied) == strength(verdict.applied) &&
                       strength(other.decided) > strength(verdict.decided);
  const bool named = verdict.rule_id.empty() && !other.rule_id.empty() &&
                     strength(other.applied) == strength(verdict.applied) &&
                     strength(other.decided) == strength(verdict.decided);
  if (applied || decided || named) verdict = other;
}

std::string value_feature(std::string_view hash) { return "value: " + std::string(hash); }

}  // namespace aispm::gateway
