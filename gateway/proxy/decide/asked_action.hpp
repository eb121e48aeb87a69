// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/proxy/decide/scan_arguments.hpp"
#include "gateway/proxy/decide/settlement.hpp"

namespace aispm::gateway {

class RateLimiter;

// What somebody wants to do, and where it is asked: "api", "mcp".
struct ActionQuestion {
  std::string tool;
  std::string tool_provider = {};
  std::string arguments = "{}";  // JSON text as sent
  std::string destination = {};
  std::vector<std::string> labels = {};
  std::string delegation = {};  // as in ShownProofs
  std::string intent = {};
  std::string surface;
  std::string asked_by_model = {};  // as in ActionAsk
  std::string caused_by = {};       // the event of the exchange in which it was asked for
  std::optional<codec::ToolDefinition> definition = {};  // what the tool says of itself, where seen
};

// One action, from the question to its record: the gateway's rules over detections, policies,
// freezes, and whoever has to be asked. On its worker's thread.
class AskedAction {
 public:
  AskedAction(Worker& worker, Caller caller, ActionQuestion question);
  AskedAction(const AskedAction&) = delete;
  AskedAction& operator=(const AskedAction&) = delete;

  // First of all. kUnavailable: rules are still being loaded.
  Result<> judge();
  // What is stronger than any bundle: it does not pass, and nobody is asked.
  void overrule(model::Outcome outcome, std::string rule, std::string reason);
  // A question beside those about every action: where policy does not allow, as overrule(). The
  // policies that are only watched are asked, too.
  void judge_further(const ActionGate::FurtherJudge& judge);

  // While somebody is asked: called at the beginning and with every pulse; false: nobody waits any
  // more.
  using OnPulse = std::function<net::asio::awaitable<bool>(const Settled&)>;
  // Asks whoever the action needs; waits for the answer where `on_pulse` is given.
  net::asio::awaitable<void> settle(const ShownProofs& proofs, OnPulse on_pulse);

  // What is known of its outcome so far.
  const Settled& settled() const { return settled_; }
  // Puts down what came of it in the end, unless that was done; then what watched policies said.
  void record();
  // The action passed, but what it brought back did not.
  void withhold(model::Outcome outcome, std::string rule, std::string reason);
  // Hears when an operator stops the agent, from now on.
  void on_freeze(std::function<void()> hear) { on_freeze_ = std::move(hear); }

  JudgedAction& action() { return gate_->actions().front(); }
  const ActionGate& gate() const { return *gate_; }
  const Caller& caller() const { return caller_; }  // with the trace of the action
  const ScanContext& scan() const { return scan_; }
  // The arguments without secrets and personal data and without what rules over detections cut out,
  // where policy wants that; "" = as they are.
  const std::string& changed() const { return changed_; }
  const std::vector<model::Detection>& findings() const { return findings_; }

 private:
  void take_change(ArgumentScan& scanned);
  void take_rate(RateLimiter& rates);
  void obey_freezes();
  void hear(const policy::Freeze* freeze);
  AskedBy asked_by() const;

  Worker& worker_;
  Caller caller_;
  const ActionQuestion question_;
  ScanContext scan_;
  std::optional<ActionGate> gate_;
  std::vector<model::Detection> findings_;  // in the arguments
  std::string changed_;
  Settled settled_;
  Settlement* settling_ = nullptr;  // while somebody is asked
  std::function<void()> on_freeze_;
  FreezeList::Entry freezable_;  // last: it calls into the rest
};

}  // namespace aispm::gateway
