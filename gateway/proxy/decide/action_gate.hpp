// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/decide/action_judge.hpp"
#include "gateway/proxy/decide/offered_tools.hpp"
#include "gateway/proxy/pipeline/output_rules.hpp"
#include "gateway/proxy/pipeline/scan_request.hpp"
#include "sdk/core/policy/tool_usage.hpp"

namespace aispm::gateway {

// An action that was judged, as it is recorded and as a person is asked about it.
struct JudgedAction {
  std::string tool;
  std::string tool_provider;
  std::string destination;
  std::string shown;  // arguments without secrets and personal data
  std::vector<std::string> labels;
  codec::ToolDefinition definition;  // as the tool was offered; without hashes: that was not seen
  ActionVerdict verdict;
  std::string approval_id;
  std::string call_id;                     // the tool call's own id in the reply
  std::vector<model::Detection> findings;  // of how often and in which order tools are called
  bool is_recorded = false;
};

// Judges the tool calls of one exchange by the policies taken at its start. Lives on one thread;
// used only between two waits.
class ActionGate {
 public:
  // Actions of one exchange; more are denied.
  static constexpr std::size_t kMaxActions = 128;
  // What policies that are only watched say of them is recorded up to here; more is counted.
  static constexpr std::size_t kMaxWatched = 512;

  struct Caller {
    std::string agent_id;
    std::string tenant;
    std::string session_id;
    AgentFacts facts;
    std::string surface;
    std::string provider;
    std::string model;
    std::string intent = {};
    bool is_registered = false;
    unsigned delegation_depth = 0;
    unsigned max_delegation = policy::kMaxDelegationDepth;

    // What the registry says of who acts.
    void take(Identity identity);
  };

  enum class Say : std::uint8_t { kPass, kChange, kDeny, kWait };
  struct Answer {
    Say say = Say::kPass;
    std::size_t action = 0;  // index into actions()
    std::string changed;     // kChange: the arguments without secrets and personal data
  };

  // `scan`, `usage` and `sightings` must outlive the gate. Without `usage` nothing is counted,
  // without `sightings` no tool is known again.
  ActionGate(const ScanContext& scan, PolicySet policies, Caller caller, RiskFacts risk,
             policy::ToolUsage* usage = nullptr, policy::ToolSightings* sightings = nullptr);

  // Whether any policy says something about prompts, or is unusable.
  bool wants_prompt(WallTime now) const;
  // Judges the prompt on its way to the model; null: it may go. `whole`: what an approval is bound
  // to; `newest`: the user's last words, shown to who approves.
  JudgedAction* judge_prompt(std::string_view whole, std::string_view newest);
  // What is judged from now on: "reply", "api".
  void enter(std::string surface) { caller_.surface = std::move(surface); }

  // Whether a reply may begin at all, whatever is in it; null: it may. What its secrets and
  // personal data then mean stands in `rules`; null: nothing.
  JudgedAction* open_reply(policy::GuardVerdict guard, std::shared_ptr<const OutputRules>& rules);
  // What was found in it, for the record.
  void close_reply(const ReplyFacts& reply);

  // The request to the model: which tools it offers, and as what.
  void offer(std::string_view request);
  void offer(OfferedTools offered) { offered_ = std::move(offered); }
  // `arguments`: JSON text as the tool would get it. Any error denies.
  Answer judge(const ActionAsk& ask);

  using FurtherJudge =
      std::function<ActionVerdict(const PolicyView&, const ActionContext&, WallTime)>;
  // One more question about the only action that was judged: what watched policies say of it is
  // the strictest of both.
  void judge_watched_further(const FurtherJudge& judge, WallTime now);

  std::vector<JudgedAction>& actions() { return actions_; }
  const std::vector<JudgedAction>& actions() const { return actions_; }
  // What one of the policies that are only watched would have said: recorded beside.
  std::vector<JudgedAction>& watched() { return watched_; }
  // Words of such policies beyond kMaxWatched.
  std::uint64_t unwatched() const { return unwatched_; }
  // How actions() were judged: "enforce", "off" (no policy is in force; what one that is only
  // watched said has a record of its own).
  std::string_view mode() const;
  const Caller& caller() const { return caller_; }
  const RiskFacts& risk() const { return risk_; }
  const PolicySet& policies() const { return policies_; }
  ActionContext context() const;

 private:
  void judge_offer(const ActionAsk& ask, JudgedAction& action);
  void count_use(JudgedAction& action);
  void judge_watched(const ActionAsk& ask, const JudgedAction& like, WallTime now);
  // Room for one more word; null: there is none, and that is counted.
  JudgedAction* watch(const JudgedAction& like);

  const ScanContext& scan_;
  const PolicySet policies_;
  Caller caller_;
  const RiskFacts risk_;
  policy::ToolUsage* const usage_;
  policy::ToolSightings* const sightings_;
  std::optional<OfferedTools> offered_;
  std::vector<JudgedAction> actions_;
  std::vector<JudgedAction> watched_;
  std::uint64_t unwatched_ = 0;
};

// The record of one action.
struct ActionRecord {
  model::Outcome outcome = model::Outcome::kDeny;  // what became of it
  std::string_view reason;                         // "" = the rule's
  std::string_view mode = "enforce";
  bool store_text = false;
};
model::Event action_event(const JudgedAction& action, const ActionGate::Caller& caller,
                          const RiskFacts& risk, const ActionRecord& record);

// "tool call refund denied by rule large-refunds: Refunds above 1000 are looked at"
std::string describe_denial(const JudgedAction& action);

}  // namespace aispm::gateway
