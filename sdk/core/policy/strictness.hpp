// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdk/core/model/event.hpp"

namespace aispm::policy {

// Outcomes that a judge may give; the others say what became of an action.
constexpr bool is_decision(model::Outcome outcome) {
  using model::Outcome;
  switch (outcome) {
    case Outcome::kAllow:
    case Outcome::kRedact:
    case Outcome::kDeny:
    case Outcome::kStepUp:
    case Outcome::kRequireTicket:
    case Outcome::kRequireApproval:
    case Outcome::kRequireHuman:
      return true;
    default:
      return false;
  }
}

// How much an outcome asks: where several judges speak, the highest stands, whatever their order.
// What becomes of an action (approved, rejected, ...) is no judge's word and ranks as a denial
// unless it lets the action through.
constexpr int strictness(model::Outcome outcome) {
  using model::Outcome;
  switch (outcome) {
    case Outcome::kUnspecified:
    case Outcome::kAllow:
    case Outcome::kApproved:
      return 0;
    case Outcome::kRedact:
      return 1;
    case Outcome::kStepUp:
      return 2;
    case Outcome::kRequireTicket:
      return 3;
    case Outcome::kRequireApproval:
      return 4;
    case Outcome::kRequireHuman:
      return 5;
    default:
      return 6;
  }
}

}  // namespace aispm::policy
