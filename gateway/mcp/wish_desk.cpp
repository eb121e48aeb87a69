// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/wish_desk.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "gateway/mcp/asked_calls.hpp"
#include "gateway/mcp/mcp_screen.hpp"
#include "gateway/proxy/decide/asked_action.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using codec::json_string;
using net::Task;
using net::asio::awaitable;

namespace {

constexpr std::chrono::seconds kLook{1};
constexpr int kLooksPerPulse = 5;

}  // namespace

// What another thread puts down for the one who waits.
struct WishDesk::Reply {
  explicit Reply(net::asio::io_context& loop) : context(loop), wake(loop) {}
  static void put(const std::shared_ptr<Reply>& reply, std::string said) {
    net::asio::post(reply->context, [reply, text = std::move(said)]() mutable {
      reply->said = std::move(text);
      reply->wake.cancel();
    });
  }
  net::asio::io_context& context;
  net::asio::steady_timer wake;
  std::optional<std::string> said;
};

WishDesk::WishDesk(Worker& worker, McpSession& session, const Caller& caller,
                   const ShownProofs& proofs, const McpMessage& asked,
                   const McpServerConfig& server, const ScanContext& scan, const McpTell& tell)
    : worker_(worker),
      session_(session),
      caller_(caller),
      proofs_(proofs),
      asked_(asked),
      server_(server),
      scan_(scan),
      tell_(tell),
      can_(granted(server.grants, asked.is_stateless ? asked.abilities : session.abilities())) {}

void WishDesk::attach(ServerLink& link) {
  link_ = &link;
  link.set_abilities(can_);
  if (asked_.is_stateless || !tell_ || server_.grants.empty()) return;
  link.on_wish([this](const ServerMessage& wish) { return answer(wish); });
}

// Judges the question; gives it as the client is asked.
Task<std::string> WishDesk::admit(WishKind kind, const std::string& method, std::string params) {
  const std::string name(grant_of(kind));
  if (!is_able(granted(server_.grants, {true, true, true}), kind))
    co_return fail(Errc::kDenied, name + " is not granted to the server");
  if (!is_able(can_, kind)) co_return fail(Errc::kDenied, "the client knows no " + name);
  AISPM_CO_TRY(params, wish_params(kind, params));
  ActionQuestion question{.tool = method,
                          .tool_provider = server_.endpoint.name,
                          .arguments = params,
                          .delegation = proofs_.delegation,
                          .intent = proofs_.intent,
                          .surface = "mcp"};
  AskedAction action(worker_, caller_, std::move(question));
  AISPM_CO_CHECK(action.judge());
  action.action().is_recorded = false;  // each is
  co_await action.settle(proofs_, {});
  ResultLook look = look_at_result(scan_, codec::Surface::kToolResult, method, std::move(params));
  auto& findings = action.action().findings;
  findings.insert(findings.end(), look.detections.begin(), look.detections.end());
  if (action.settled().passes && look.objection)
    action.withhold(model::Outcome::kDeny, look.objection->rule_id, look.objection->reason);
  else if (action.settled().passes && look.redactions > 0)
    action.withhold(model::Outcome::kRedact, action.action().verdict.rule_id,
                    "Parts of what the server asks are cut out");
  action.record();
  if (!action.settled().passes)
    co_return fail(Errc::kDenied, "denied by rule " + action.action().verdict.rule_id);
  worker_.counters().mcp_server_asks.add();
  co_return name_asker(kind, look.result, server_.endpoint.name);
}

// What the client says goes to a server: judged as arguments are.
Result<std::string> WishDesk::check_answer(WishKind kind, std::string_view result) const {
  AISPM_TRY(std::string kept, wish_answer(kind, result));
  ResultLook look =
      look_at_result(scan_, codec::Surface::kToolArguments, grant_of(kind), std::move(kept));
  if (look.objection)
    return fail(Errc::kDenied,
                "the client's answer is withheld by rule " + look.objection->rule_id);
  return std::move(look.result);
}

// On the stream of the request that is under way.
Task<std::string> WishDesk::ask_client(WishKind kind, const std::string& method,
                                       const std::string& params) {
  const std::string id = json_string("aispm-" + make_span_id());
  auto reply = std::make_shared<Reply>(worker_.context());
  const McpSession::Owed owed(session_, id,
                              [reply](std::string said) { Reply::put(reply, std::move(said)); });
  std::string words = server_request(id, method, kind == WishKind::kRoots ? "" : params);
  bool is_there = co_await tell_(std::move(words));
  const auto until = net::Clock::now() + server_.call;
  for (int look = 1; is_there && !reply->said; ++look) {
    reply->wake.expires_after(kLook);
    (void)co_await reply->wake.async_wait(net::kNoThrow);
    const auto state = co_await net::asio::this_coro::cancellation_state;
    const bool is_over = state.cancelled() != net::asio::cancellation_type::none;
    if (is_over || link_->is_aborted() || net::Clock::now() >= until)
      co_return fail(Errc::kDeadlineExceeded, "the client did not answer");
    if (reply->said || look % kLooksPerPulse != 0) continue;
    std::string pulse;
    is_there = co_await tell_(std::move(pulse));
  }
  if (!reply->said) co_return fail(Errc::kUnavailable, "the client has gone");
  AISPM_CO_TRY(ServerMessage said, read_server_message(*reply->said, id));
  if (said.kind != ServerMessage::Kind::kResult)
    co_return fail(Errc::kDenied, "the client refused");
  co_return std::move(said.result);
}

Task<std::string> WishDesk::grant(const std::string& method, const std::string& params) {
  const auto kind = wish_kind(method);
  if (!kind) co_return fail(Errc::kDenied, "servers may not ask for it");
  AISPM_CO_TRY(const std::string question, co_await admit(*kind, method, params));
  AISPM_CO_TRY(const std::string said, co_await ask_client(*kind, method, question));
  co_return check_answer(*kind, said);
}

// The member of a JSON-RPC message that answers the server.
awaitable<std::string> WishDesk::answer(const ServerMessage& wish) {
  const std::string params = wish.params.empty() ? std::string("{}") : wish.params;
  const auto said = co_await grant(wish.method, params);
  if (said) co_return "\"result\":" + *said;
  refused_.push_back(wish.method.substr(0, ServerLink::kMaxWishMethod));
  worker_.counters().mcp_server_requests.add();
  co_return "\"error\":{\"code\":-32601,\"message\":" +
      json_string("AISPM: " + said.error().message) + "}";
}

awaitable<std::string> WishDesk::answer_aside(ServerLink& link, const ServerMessage& wish) {
  link_ = &link;
  co_return co_await answer(wish);
}

// What an answer to a question must come with again: the same call of the same agent.
std::string WishDesk::binding() const {
  return caller_.key() + '\n' + server_.endpoint.name + '\n' + asked_.method + '\n' +
         asked_.target + '\n' + digest_of_arguments(asked_.arguments);
}

Result<std::string> WishDesk::bring(const std::string& params) const {
  // Of the gateway's own question (an approval) there is no state.
  if (!asked_.is_stateless || asked_.request_state.empty()) return std::string();
  AISPM_TRY(const InputRound round,
            open_round(worker_.services().hash_key, binding(), asked_.request_state, wall_now()));
  AISPM_TRY(const InputAnswers given,
            read_answers(asked_.is_retry ? asked_.input_responses : "{}"));
  InputAnswers checked;
  for (const auto& [key, answer] : given) {
    const auto question =
        std::find_if(round.questions.begin(), round.questions.end(),
                     [&](const InputRound::Question& one) { return one.key == key; });
    const auto kind =
        question == round.questions.end() ? std::nullopt : wish_kind(question->method);
    if (!kind) continue;  // nobody asked for that: it goes nowhere
    AISPM_TRY(std::string clean, check_answer(*kind, answer));
    checked.emplace_back(key, std::move(clean));
  }
  return with_answers(params, checked, round);
}

// Asks a client with a session, one question after the other.
Task<InputAnswers> WishDesk::answer_round(const InputRound& round) {
  InputAnswers answers;
  for (const InputRound::Question& question : round.questions) {
    AISPM_CO_TRY(std::string said, co_await grant(question.method, question.params));
    answers.emplace_back(question.key, std::move(said));
  }
  co_return answers;
}

// For a client that answers by making the request again.
Task<std::string> WishDesk::pass_round(InputRound round) {
  for (InputRound::Question& question : round.questions) {
    const auto kind = wish_kind(question.method);
    if (!kind) co_return fail(Errc::kDenied, "servers may not ask for " + question.method);
    AISPM_CO_TRY(question.params,
                 co_await admit(*kind, question.method, std::move(question.params)));
  }
  const WallTime expires{wall_now().nanoseconds + std::chrono::nanoseconds(kAnswerLimit).count()};
  round.state = seal_round(worker_.services().hash_key, binding(), round, expires);
  co_return write_round(round);
}

Task<ServerMessage> WishDesk::ask(ServerLink& link, ServerAsk what) {
  const std::string params = what.params;
  auto brought = bring(params);
  has_bad_answer_ = !brought;
  if (!brought) co_return fail(brought.error());
  if (!brought->empty()) what.params = std::move(*brought);
  what.takes_input = true;
  for (int round = 0; round < kMaxRounds; ++round) {
    AISPM_CO_TRY(ServerMessage said, co_await link.ask(what));
    if (said.kind != ServerMessage::Kind::kResult || !said.needs_input) co_return said;
    AISPM_CO_TRY(InputRound wanted, read_round(said.result));
    for (const InputRound::Question& question : wanted.questions)
      refused_.push_back(question.method.substr(0, ServerLink::kMaxWishMethod));
    if (asked_.is_stateless) {
      AISPM_CO_TRY(said.result, co_await pass_round(std::move(wanted)));
      refused_.clear();
      co_return said;
    }
    if (!tell_) co_return fail(Errc::kDenied, "the client cannot be asked");
    AISPM_CO_TRY(const InputAnswers answers, co_await answer_round(wanted));
    refused_.clear();
    what.params = with_answers(params, answers, wanted);
  }
  co_return fail(Errc::kTooLarge, "the server asks the client for too much");
}

}  // namespace aispm::gateway
