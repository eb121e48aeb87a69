// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/proxy/pipeline/scan_request.hpp"

namespace aispm::gateway {

// What this gateway's own rules over detections say of the arguments that an agent asks about. What
// they deny, no bundle allows.
struct ArgumentScan {
  struct Objection {
    std::string rule_id;
    std::string reason;
  };
  Findings findings;
  // A rule denies them, or they could not be looked through and policy fails closed.
  std::optional<Objection> objection;
  bool is_unscannable = false;  // whatever policy does about that
  // The arguments without what rules cut out; "" = nothing is.
  std::string changed;
};

// JSON text that was cut is still JSON, or was none before: a number, or data that reaches beyond a
// text, cannot be cut out in place.
bool is_still_json(std::string_view before, std::string_view after);

// `arguments`: JSON text; judged as in a reply that comes whole, also with their escapes resolved.
ArgumentScan scan_arguments(const ScanContext& context, std::string_view arguments);

}  // namespace aispm::gateway
