// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/settlement.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "gateway/proxy/decide/step_up.hpp"
#include "gateway/proxy/decide/tickets.hpp"

namespace aispm::gateway {

using model::Outcome;
using net::Task;
using net::asio::awaitable;

namespace {

constexpr std::size_t kMaxProofBytes = 8U << 10;
constexpr std::chrono::seconds kAnswerLimit{15};

}  // namespace

ShownProofs read_proofs(const codec::http1::Head& head) {
  const auto value = [&](std::string_view name) {
    const std::string_view text = head.find(name).value_or(std::string_view{});
    return text.size() <= kMaxProofBytes ? std::string(text) : std::string();
  };
  // Whole, however long: one that cannot be read is refused, not overlooked.
  const auto whole = [&](std::string_view name) {
    return std::string(head.find(name).value_or(std::string_view{}));
  };
  return {.ticket = value("x-aispm-ticket"),
          .step_up = value("x-aispm-step-up"),
          .delegation = whole("x-aispm-delegation"),
          .intent = whole("x-aispm-intent")};
}

Settled settled_of(const JudgedAction& action) {
  Settled settled;
  settled.outcome = action.verdict.outcome;
  settled.passes = settled.outcome == Outcome::kAllow || settled.outcome == Outcome::kRedact;
  settled.is_settled = true;
  settled.reason = action.verdict.reason;
  return settled;
}

// What others put down for the one who waits; posted to the worker's thread.
struct Settlement::Wait {
  explicit Wait(net::asio::io_context& loop) : context(loop), wake(loop) {}

  static void put(const std::shared_ptr<Wait>& wait, Result<report::Approval> said) {
    net::asio::post(wait->context, [wait, said = std::move(said)]() mutable {
      wait->said = std::move(said);
      wait->wake.cancel();
    });
  }

  net::asio::io_context& context;
  net::asio::steady_timer wake;
  std::optional<Result<report::Approval>> said;
};

Settlement::Settlement(Worker& worker, AskedBy by, const ActionGate& gate, JudgedAction& action)
    : worker_(worker),
      by_(std::move(by)),
      gate_(gate),
      action_(action),
      until_(net::Clock::now() + worker.services().config.decide.approvals.wait) {
  state_.outcome = action.verdict.outcome;
  state_.reason = action.verdict.reason;
}

Settlement::~Settlement() = default;

void Settlement::settle(bool passes, Outcome outcome, std::string reason) {
  if (state_.is_settled) return;  // the first word counts
  state_.passes = passes;
  state_.outcome = outcome;
  state_.reason = std::move(reason);
  state_.is_settled = true;
  watch_.reset();
}

void Settlement::cut(Outcome outcome, std::string reason) {
  settle(false, outcome, std::move(reason));
  if (wait_) wait_->wake.cancel();
}

awaitable<void> Settlement::begin(const ShownProofs& proofs) {
  worker_.counters().actions_asked.add();
  switch (action_.verdict.outcome) {
    case Outcome::kStepUp:
      check_sign_in(proofs.step_up);
      co_return;
    case Outcome::kRequireTicket:
      co_await check_ticket_of(proofs.ticket);
      co_return;
    default:
      co_await ask_people();
      co_return;
  }
}

void Settlement::check_sign_in(const std::string& token) {
  const auto who = check_step_up(worker_.services().config.decide.step_up, token,
                                 by_.caller->agent_id, wall_now());
  if (who) return settle(true, Outcome::kApproved, *who + " has signed in with a second factor");
  settle(false, Outcome::kStepUp, action_.verdict.reason + ": " + who.error().message);
}

awaitable<void> Settlement::check_ticket_of(const std::string& ticket) {
  TicketDesk* const desk = worker_.services().tickets.get();
  if (desk == nullptr) {
    settle(false, Outcome::kRequireTicket,
           action_.verdict.reason + ": this gateway knows no ticket system (tickets.url)");
    co_return;
  }
  auto status = co_await check_ticket(worker_, *desk, ticket);
  if (status)
    settle(true, Outcome::kApproved, "ticket " + ticket + " is " + *status);
  else
    settle(false, Outcome::kRequireTicket, action_.verdict.reason + ": " + status.error().message);
  co_return;
}

report::Approval Settlement::question() const {
  const ActionVerdict& verdict = action_.verdict;
  const Caller& caller = *by_.caller;
  const auto slash = caller.agent_id.find('/');
  report::Approval wanted;
  wanted.kind = verdict.outcome == Outcome::kRequireHuman ? report::ApprovalKind::kHuman
                                                          : report::ApprovalKind::kApproval;
  wanted.agent_id = caller.agent_id;
  wanted.session_id = caller.session_id;
  if (slash != std::string::npos) wanted.requester = caller.agent_id.substr(0, slash);
  wanted.trace_id = by_.trace_id;
  wanted.tool = action_.tool;
  wanted.tool_provider = action_.tool_provider;
  wanted.digest = verdict.digest;
  wanted.arguments_text = action_.shown;
  wanted.policy_id = verdict.policy_id;
  wanted.policy_version = verdict.policy_version;
  wanted.rule_id = verdict.rule_id;
  wanted.reason = verdict.reason;
  wanted.approver_role = verdict.approver_role;
  wanted.risk = gate_.risk().risk;
  return wanted;
}

// Where a person answers.
std::string Settlement::place() const {
  const std::string& prefix = worker_.services().config.decide.approvals.link;
  return prefix.empty() ? std::string() : prefix + action_.approval_id;
}

Task<report::Approval> Settlement::answer_of(std::shared_ptr<Wait> wait) {
  const auto until = net::Clock::now() + kAnswerLimit;
  while (!wait->said) {
    wait->wake.expires_at(until);
    (void)co_await wait->wake.async_wait(net::kNoThrow);
    if (!wait->said && net::Clock::now() >= until)
      co_return fail(Errc::kDeadlineExceeded, "the collector does not answer");
  }
  Result<report::Approval> said = std::move(*wait->said);
  wait->said.reset();
  co_return said;
}

awaitable<void> Settlement::ask_people() {
  Approvals* const approvals = worker_.services().approvals.get();
  const std::string& reason = action_.verdict.reason;
  if (approvals == nullptr || action_.verdict.digest.empty()) {
    settle(false, action_.verdict.outcome,
           reason + " (there is nobody to ask: this gateway reports to no collector)");
    co_return;
  }
  auto asked = std::make_shared<Wait>(worker_.context());
  approvals->ask(question(), worker_.services().config.decide.approvals.valid,
                 [asked](Result<report::Approval> said) { Wait::put(asked, std::move(said)); });
  auto approval = co_await answer_of(asked);
  if (!approval) {
    settle(false, action_.verdict.outcome,
           reason + " (nobody could be asked: " + approval.error().message + ")");
    co_return;
  }
  if (!is_settled()) co_await take(std::move(*approval));
  if (is_settled()) co_return;
  wait_ = std::make_shared<Wait>(worker_.context());
  watch_ = approvals->watch(action_.approval_id,
                            [wait = wait_](const report::Approval& now) { Wait::put(wait, now); });
  co_return;
}

awaitable<void> Settlement::take(report::Approval approval) {
  using State = report::ApprovalState;
  action_.approval_id = approval.id;
  state_.link = place();
  const std::string said =
      approval.decision_reason.empty() ? std::string() : ": " + approval.decision_reason;
  switch (approval.state) {
    case State::kPending:
    case State::kEscalated:
    case State::kTakenOver:
      state_.reason = action_.verdict.reason;
      if (approval.state == State::kTakenOver)
        state_.reason = approval.decided_by + " has taken this over";
      co_return;
    case State::kApproved:
      co_await use(std::move(approval));
      co_return;
    case State::kExpired:
      settle(false, Outcome::kTimeout, "Nobody answered in time");
      co_return;
    case State::kUsed:
      state_.result = approval.result;
      settle(false, approval.result.empty() ? Outcome::kRejected : Outcome::kRequireHuman,
             approval.result.empty()
                 ? "The approval was used already"
                 : approval.decided_by + " took this over and answers: " + approval.result);
      co_return;
    case State::kDenied:
      break;
  }
  settle(false, Outcome::kRejected, "Denied by " + approval.decided_by + said);
  co_return;
}

// Of all that hold the same approval only one gets past here.
awaitable<void> Settlement::use(report::Approval approval) {
  auto used = std::make_shared<Wait>(worker_.context());
  worker_.services().approvals->use(
      approval, [used](Result<report::Approval> said) { Wait::put(used, std::move(said)); });
  auto done = co_await answer_of(used);
  if (done)
    settle(true, Outcome::kApproved,
           "Approved by " + approval.decided_by +
               (approval.decision_reason.empty() ? "" : ": " + approval.decision_reason));
  else
    settle(false, Outcome::kRejected, "The approval could not be used: " + done.error().message);
  co_return;
}

awaitable<void> Settlement::wait(std::chrono::milliseconds slice) {
  if (is_settled() || !wait_) co_return;
  if (!wait_->said) {
    wait_->wake.expires_at(std::min(until_, net::Clock::now() + slice));
    (void)co_await wait_->wake.async_wait(net::kNoThrow);
  }
  if (is_settled()) co_return;  // cut meanwhile: an approval that came as well is not used up
  if (wait_->said) {
    Result<report::Approval> said = std::move(*wait_->said);
    wait_->said.reset();
    if (said) co_await take(std::move(*said));
    co_return;
  }
  if (worker_.stopping() || net::Clock::now() >= until_)
    settle(false, Outcome::kTimeout,
           action_.verdict.reason + " (nobody answered yet; the case stays open, ask again)");
  co_return;
}

}  // namespace aispm::gateway
