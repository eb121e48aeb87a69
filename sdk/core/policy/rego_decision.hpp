// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/model/event.hpp"
#include "sdk/core/policy/rego.hpp"

namespace aispm::policy {

struct RegoDecision {
  model::Outcome outcome = model::Outcome::kDeny;
  std::string rule;  // "MODULE.error", "MODULE.undecided" where the module did not decide
  std::string reason;
  std::string approver_role;
  // Of `retrieval`: how many may be fetched, fractions rounded down.
  std::optional<std::uint64_t> chunks = {};
  bool has_unreadable_chunks = false;  // they are there and no number from 0 on
};

// What `data.aispm.MODULE.decision` says of an input. An error, an answer of another form, and an
// outcome that is no judge's (what became of an action, such as "approved") deny. Any thread.
RegoDecision ask_module(const Rego& rego, std::string_view module, std::string_view input);

}  // namespace aispm::policy
