// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "gateway/net/io.hpp"
#include "gateway/proxy/client.hpp"
#include "gateway/proxy/decide/action_gate.hpp"
#include "gateway/proxy/decide/approvals.hpp"

namespace aispm::gateway {

// What a caller shows along with a request: `x-aispm-ticket`, `x-aispm-step-up`,
// `x-aispm-delegation`, `x-aispm-intent`. None goes on to a provider.
struct ShownProofs {
  std::string ticket;
  std::string step_up;
  std::string delegation = {};  // who handed the task on: read_delegation()
  std::string intent = {};      // what the user asked for; only takes tools away
};
ShownProofs read_proofs(const codec::http1::Head& head);

// Who asks for an action, for the record and for the person who is asked.
struct AskedBy {
  const Caller* caller = nullptr;
  std::string trace_id;
  std::string call_event_id;  // of the exchange; "" = none
  bool store_text = false;
};

// What became of an action that had to wait.
struct Settled {
  bool passes = false;
  bool is_settled = false;
  model::Outcome outcome = model::Outcome::kDeny;  // recorded
  std::string reason;
  std::string link;    // where a person answers; "" = none
  std::string result;  // of a person who took the session over: what the tool call is answered with
};
// Of an action that nobody is asked about: as its policy said.
Settled settled_of(const JudgedAction& action);

// Asks whoever an action needs and waits for the answer, holding no thread. Whatever goes wrong on
// the way settles the action: it does not pass. Lives on its worker's thread; `action` must outlive
// it.
class Settlement {
 public:
  Settlement(Worker& worker, AskedBy by, const ActionGate& gate, JudgedAction& action);
  ~Settlement();
  Settlement(const Settlement&) = delete;
  Settlement& operator=(const Settlement&) = delete;

  // Asks. Settled at once where a proof decides, where there is nobody to ask, or when somebody has
  // answered for this very action before.
  net::asio::awaitable<void> begin(const ShownProofs& proofs);
  // Waits for an answer, at most `slice` and never beyond the configured limit.
  net::asio::awaitable<void> wait(std::chrono::milliseconds slice);
  // Ends the wait: it does not pass, whatever people say later.
  void cut(model::Outcome outcome, std::string reason);
  bool is_settled() const { return state_.is_settled; }
  const Settled& state() const { return state_; }

 private:
  struct Wait;
  void settle(bool passes, model::Outcome outcome, std::string reason);
  void check_sign_in(const std::string& token);
  net::asio::awaitable<void> check_ticket_of(const std::string& ticket);
  net::asio::awaitable<void> ask_people();
  net::asio::awaitable<void> take(report::Approval approval);
  net::asio::awaitable<void> use(report::Approval approval);
  net::Task<report::Approval> answer_of(std::shared_ptr<Wait> wait);
  report::Approval question() const;
  std::string place() const;

  Worker& worker_;
  const AskedBy by_;
  const ActionGate& gate_;
  JudgedAction& action_;
  net::Clock::time_point until_;
  Settled state_;
  std::shared_ptr<Wait> wait_;
  std::shared_ptr<Approvals::Told> watch_;
};

}  // namespace aispm::gateway
