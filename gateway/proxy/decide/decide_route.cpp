// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/decide_route.hpp"

#include "gateway/net/proxy_header.hpp"
#include "gateway/proxy/decide/decide_request.hpp"
#include "gateway/proxy/decide/settlement.hpp"
#include "gateway/proxy/exchange.hpp"
#include "gateway/proxy/pipeline/text_judge.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using model::Outcome;
using net::Task;

namespace {

constexpr detect::Surface kSurface = detect::Surface::kToolArguments;

std::string ok(std::string_view body, bool keep_alive) {
  return "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " +
         std::to_string(body.size()) +
         (keep_alive ? "\r\nconnection: keep-alive\r\n\r\n" : "\r\nconnection: close\r\n\r\n") +
         std::string(body);
}

Refusal refusal(RefusalKind kind, std::string message) {
  return {.kind = kind, .message = "AISPM: " + std::move(message), .decision = {}, .case_id = {}};
}

// One action that is asked about, from the question to its record.
class Asked {
 public:
  Asked(Worker& worker, Caller caller, DecideRequest request)
      : worker_(worker), caller_(std::move(caller)), request_(std::move(request)) {
    if (caller_.trace_id.empty()) caller_.trace_id = make_trace_id();
  }

  Task<std::string> answer() {
    AISPM_CO_CHECK(judge());
    JudgedAction& action = gate_->actions().front();
    DecideOutcome outcome;
    outcome.changed = std::move(changed_);
    Settled settled = settled_of(action);
    if (must_wait(action.verdict.outcome)) {
      Settlement settlement(worker_, asked_by(), *gate_, action);
      // Named: GCC 12 destroys aggregate temporaries of a co_await twice.
      const ShownProofs proofs{.ticket = request_.ticket, .step_up = request_.step_up};
      AISPM_CO_CHECK(co_await settlement.begin(proofs));
      if (!settlement.is_settled()) record(action, settlement.state());
      while (request_.wait && !settlement.is_settled())
        (void)co_await settlement.wait(worker_.services().config.decide.approvals.pulse);
      settled = settlement.state();
      if (!settled.is_settled) co_return say(action, settled, std::move(outcome));
    }
    record(action, settled);
    for (JudgedAction& watched : gate_->watched()) record(watched, settled_of(watched), "monitor");
    co_return say(action, settled, std::move(outcome));
  }

 private:
  Result<> judge() {
    Services& services = worker_.services();
    AISPM_TRY(RuleDesk::Rules rules, worker_.desk().rules(caller_.tenant));
    scan_.book = std::move(rules.book);
    scan_.bench = std::move(rules.bench);
    scan_.caller = {.agent = caller_.agent_id, .provider = {}, .model = {}};
    scan_.tables = worker_.desk().tables(*scan_.book, scan_.caller);
    scan_.inspect = services.config.detect.inspect;
    scan_.take_layers(scan_.book->own);
    Findings findings;
    TextJudge judge(scan_, policy::Direction::kReply, findings);
    AISPM_TRY(const TextJudge::Judged judged,
              judge.judge(request_.arguments,
                          {.surface = kSurface, .outcomes = &scan_.tables->of_reply(kSurface)}));
    const AgentFacts& facts = services.config.decide.agents.find(caller_.agent_id);
    RiskFacts risk = read_signals(findings.detections);
    static const policy::RiskModel kUsual;
    fuse_risk(kUsual, facts, {}, request_.arguments.size(), {}, risk);
    gate_.emplace(scan_, services.policies_for(caller_.agent_id, caller_.tenant),
                  ActionGate::Caller{.agent_id = caller_.agent_id,
                                     .tenant = caller_.tenant,
                                     .session_id = caller_.session_id,
                                     .facts = facts,
                                     .surface = "api",
                                     .provider = {},
                                     .model = {}},
                  std::move(risk), &services.usage);
    ActionGate::Answer answer = gate_->judge({.tool = request_.tool,
                                              .tool_provider = request_.tool_provider,
                                              .arguments = request_.arguments,
                                              .destination = request_.destination,
                                              .labels = request_.labels});
    changed_ = std::move(answer.changed);
    // What this gateway's rules over detections deny, no bundle allows.
    ActionVerdict& verdict = gate_->actions().front().verdict;
    if (judged.denied) {
      verdict.outcome = Outcome::kDeny;
      verdict.rule_id = std::string(findings.verdict.rule_id);
      verdict.reason = std::string(findings.verdict.reason);
    }
    return {};
  }

  AskedBy asked_by() const {
    return {.caller = &caller_,
            .trace_id = caller_.trace_id,
            .call_event_id = {},
            .store_text = scan_.book->policy->store_text()};
  }

  void record(JudgedAction& action, const Settled& settled, std::string_view mode = "enforce") {
    model::Event event = action_event(action, gate_->caller(), gate_->risk(),
                                      {.outcome = settled.outcome,
                                       .reason = settled.reason,
                                       .mode = mode,
                                       .store_text = asked_by().store_text});
    event.tenant = caller_.tenant;
    event.host_id = worker_.services().host_id;
    event.session_id = caller_.session_id;
    event.trace_id = caller_.trace_id;
    event.span_id = make_span_id();
    worker_.counters().actions.add();
    worker_.record(std::move(event));
  }

  std::string say(const JudgedAction& action, const Settled& settled, DecideOutcome outcome) const {
    outcome.outcome = settled.outcome;
    outcome.allowed = settled.passes;
    outcome.reason = settled.reason;
    outcome.link = settled.link;
    outcome.result = settled.result;
    if (gate_->policies().empty()) outcome.reason = "no policy about actions is in force";
    return decide_answer(action, outcome);
  }

  Worker& worker_;
  Caller caller_;
  const DecideRequest request_;
  ScanContext scan_;
  std::optional<ActionGate> gate_;
  std::string changed_;
};

}  // namespace

Task<bool> serve_decide(Client& client, Head head) {
  Worker& worker = client.worker();
  const bool is_run = client.entrance == Entrance::kRun;
  std::optional<Caller> caller = is_run ? std::optional(client.caller) : authenticate(client, head);
  bool keep = head.keep_alive;
  if (!caller) {
    worker.counters().unauthenticated.add();
    AISPM_CO_CHECK(co_await client.refuse(
        Dialect::kOpenAi, refusal(RefusalKind::kUnauthenticated, "this is not the key of an agent"),
        false));
    (void)co_await client.linger();
    co_return false;
  }
  const ShownProofs proofs = read_proofs(head);
  auto body = co_await client.read_body(head, kMaxDecideBodyBytes);
  if (!body) {
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal_for(body.error()), false));
    (void)co_await client.linger();
    co_return false;
  }
  auto request = read_decide_request(*body);
  client.finish_request();
  if (request && request->ticket.empty()) request->ticket = proofs.ticket;
  if (request && request->step_up.empty()) request->step_up = proofs.step_up;
  if (!request) {
    worker.counters().bad_requests.add();
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal_for(request.error()), keep));
    co_return keep;
  }
  if (worker.services().recorder->is_failing() &&
      worker.services().config.audit == Audit::kRequired) {
    AISPM_CO_CHECK(co_await client.refuse(
        Dialect::kOpenAi,
        refusal(RefusalKind::kUnrecorded, "decisions cannot be recorded at the moment"), keep));
    co_return keep;
  }
  Asked asked(worker, std::move(*caller), std::move(*request));
  auto answer = co_await asked.answer();
  if (!answer) {
    AISPM_CO_CHECK(co_await client.refuse(
        Dialect::kOpenAi, refusal(RefusalKind::kNotReady, answer.error().message), keep));
    co_return keep;
  }
  AISPM_CO_CHECK(co_await client.send(ok(*answer, keep)));
  co_return keep;
}

}  // namespace aispm::gateway
