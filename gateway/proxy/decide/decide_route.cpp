// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/decide_route.hpp"

#include "gateway/proxy/decide/asked_action.hpp"
#include "gateway/proxy/decide/decide_request.hpp"
#include "gateway/proxy/exchange.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

namespace {

// The agent waits for the answer: nothing is told to it meanwhile. Who has left would use up what
// is approved for the next who asks.
net::asio::awaitable<bool> wait_on(Client& client) { co_return !client.stream().peer_is_gone(); }

std::string say(AskedAction& asked) {
  const Settled& settled = asked.settled();
  DecideOutcome outcome;
  outcome.outcome = settled.outcome;
  outcome.allowed = settled.passes;
  outcome.reason = settled.reason;
  outcome.link = settled.link;
  outcome.result = settled.result;
  outcome.changed = asked.changed();
  if (asked.gate().policies().empty() && outcome.reason.empty())
    outcome.reason = "no policy about actions is in force";
  return decide_answer(asked.action(), outcome);
}

}  // namespace

Task<bool> serve_decide(Client& client, Head head) {
  Worker& worker = client.worker();
  std::optional<Caller> caller = authenticate(client, head);
  if (!caller) {
    worker.counters().unauthenticated.add();
    co_return co_await client.refuse_unread(
        make_refusal(RefusalKind::kUnauthenticated, kNoAgentKey));
  }
  const ShownProofs proofs = read_proofs(head);
  auto body = co_await client.read_decoded_body(head, kMaxDecideBodyBytes);
  if (!body) co_return co_await client.refuse_unread(refusal_for(body.error()));
  auto request = read_decide_request(*body);
  client.finish_request();
  const auto refuse = [&](const Refusal& refusal) -> Task<bool> {
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal, head.keep_alive));
    co_return head.keep_alive;
  };
  if (!request) {
    worker.counters().bad_requests.add();
    co_return co_await refuse(refusal_for(request.error()));
  }
  if (request->ticket.empty()) request->ticket = proofs.ticket;
  if (request->step_up.empty()) request->step_up = proofs.step_up;
  if (request->intent.empty()) request->intent = proofs.intent;
  request->delegation = proofs.delegation;
  if (worker.services().cannot_record()) {
    worker.counters().unrecorded_refusals.add();
    co_return co_await refuse(
        make_refusal(RefusalKind::kUnrecorded, "decisions cannot be recorded at the moment"));
  }
  AskedAction asked(worker, std::move(*caller),
                    ActionQuestion{.tool = std::move(request->tool),
                                   .tool_provider = std::move(request->tool_provider),
                                   .arguments = std::move(request->arguments),
                                   .destination = std::move(request->destination),
                                   .labels = std::move(request->labels),
                                   .delegation = std::move(request->delegation),
                                   .intent = std::move(request->intent),
                                   .surface = "api",
                                   .definition = {}});
  if (const auto judged = asked.judge(); !judged)
    co_return co_await refuse(make_refusal(RefusalKind::kNotReady, judged.error().message));
  // Named: GCC 12 destroys aggregate temporaries of a co_await twice.
  const ShownProofs shown{.ticket = request->ticket, .step_up = request->step_up};
  AskedAction::OnPulse on_pulse;
  if (request->wait) on_pulse = [&client](const Settled&) { return wait_on(client); };
  co_await asked.settle(shown, on_pulse);
  asked.record();
  const std::string answer = say(asked);
  AISPM_CO_CHECK(co_await client.send(json_reply(answer, head.keep_alive)));
  co_return head.keep_alive;
}

}  // namespace aispm::gateway
