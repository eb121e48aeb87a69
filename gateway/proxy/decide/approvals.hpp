// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sdk/core/report/approval_client.hpp"

namespace aispm::gateway {

struct Config;

// People who are asked about actions, through the collector. Any thread. Ends before the loops of
// those who wait do.
class Approvals {
 public:
  using Answer = report::ApprovalClient::Answer;
  using Told = std::function<void(const report::Approval&)>;

  // Null without a report section: there is nobody to ask.
  static Result<std::unique_ptr<Approvals>> open(const Config& config);
  ~Approvals();

  // Answered on any thread, or not at all once this has ended; never blocks.
  void ask(const report::Approval& wanted, std::chrono::seconds valid, Answer answer);
  void use(const report::Approval& approval, Answer answer);
  // Told with every change of that approval from now on, at once when one is known already, until
  // the pointer is dropped. Must only wake somebody.
  std::shared_ptr<Told> watch(const std::string& approval_id, Told told);

 private:
  struct State;
  Approvals() = default;
  static Answer guarded(const std::shared_ptr<State>& state, Answer answer);

  std::shared_ptr<State> state_;
  std::unique_ptr<report::ApprovalClient> client_;
};

}  // namespace aispm::gateway
