// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/decide/action_gate.hpp"

// POST /aispm/v1/decide: what is asked and answered. Pure.
namespace aispm::gateway {

inline constexpr std::size_t kMaxDecideBodyBytes = 2U << 20;

struct DecideRequest {
  std::string tool;
  std::string tool_provider;
  std::string destination;
  std::string arguments = "{}";  // JSON text as sent
  std::vector<std::string> labels;
  std::string ticket;
  std::string step_up;
  std::string intent;
  std::string delegation;  // of the head of the request
  bool wait = false;       // hold the answer until somebody has decided
};
// kInvalid: not such an object; names the member.
Result<DecideRequest> read_decide_request(std::string_view body);

// What became of the action, besides what policy said.
struct DecideOutcome {
  model::Outcome outcome = model::Outcome::kAllow;
  bool allowed = false;
  std::string reason;
  std::string link;
  std::string result;   // of a person who took over
  std::string changed;  // arguments without secrets and personal data; "" = unchanged
};
std::string decide_answer(const JudgedAction& action, const DecideOutcome& outcome);

}  // namespace aispm::gateway
