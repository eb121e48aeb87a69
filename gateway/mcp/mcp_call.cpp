// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_call.hpp"

#include <boost/asio/post.hpp>

#include "gateway/mcp/asked_link.hpp"
#include "gateway/mcp/mcp_listing.hpp"
#include "gateway/mcp/mcp_names.hpp"
#include "gateway/mcp/mcp_subject.hpp"
#include "gateway/mcp/server_host.hpp"
#include "gateway/mcp/wish_desk.hpp"
#include "gateway/proxy/decide/asked_action.hpp"
#include "gateway/proxy/observe/observatory.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using codec::json_string;
using model::Outcome;
using net::asio::awaitable;

namespace {

model::Detection wish_of(const std::string& method) {
  model::Detection detection;
  detection.rule_id = "mcp.server_request";
  detection.category = "tool_abuse";
  detection.severity = model::Severity::kMedium;
  detection.confidence = 0.7;
  detection.surface = "tool_result";
  detection.message = "A server asked its client for " + method + ", which nobody granted";
  return detection;
}

// Whether a tool says that it failed.
bool is_tool_error(const std::string& result) {
  codec::JsonTree tree;
  if (!tree.read(result, codec::kMaxRpcDepth)) return false;
  const std::size_t node = tree.find(0, "isError");
  return node != codec::JsonTree::kNone && tree[node].kind == codec::JsonKind::kTrue;
}

// Ends a call of a client without sessions soon after that has closed its connection, which is how
// it says that it wants no answer any more.
class ClientWatch final : public net::Watchdog::Entry {
 public:
  static constexpr std::chrono::milliseconds kLook{500};
  ClientWatch(Worker& worker, net::Stream& client, std::shared_ptr<std::function<void()>> stop)
      : Entry(worker.watchdog()), client_(client), stop_(std::move(stop)) {
    expire_after(kLook);
  }

 private:
  void on_expired() override {
    if (!client_.peer_is_gone()) return expire_after(kLook);
    expire_never();
    (*stop_)();
  }
  net::Stream& client_;
  const std::shared_ptr<std::function<void()>> stop_;
};

// One request, from what it is about to its record.
class McpAct {
 public:
  McpAct(Worker& worker, McpSession& session, Client& client, const Caller& caller,
         const ShownProofs& proofs, const McpMessage& asked, McpTell tell)
      : worker_(worker),
        session_(session),
        client_(client),
        caller_(caller),
        proofs_(proofs),
        message_(asked),
        tell_(std::move(tell)) {}

  awaitable<std::string> answer() {
    const McpConfig& config = worker_.services().config.mcp;
    const auto address = find_address(config, message_, caller_.agent_id);
    if (!address) co_return unknown_subject(message_);
    const McpServerConfig& server = config.servers[address->server];
    ServerLink link(worker_, session_, address->server);
    const McpSession::Running running(session_, message_.id, stopper(link));
    std::optional<ClientWatch> watch;
    if (message_.is_stateless) watch.emplace(worker_, client_.stream(), stop_);
    auto found = co_await find_subject(link, server, *address, message_);
    if (!found && found.error().code == Errc::kNotFound) co_return unknown_subject(message_);
    if (!found)
      co_return mcp_error(
          message_.id, mcp_code::kInternal,
          "AISPM: the server " + server.endpoint.name + " cannot be used at the moment");
    subject_ = std::move(*found);
    AskedCalls::Claim claim = find_cause();
    AskedAction asked(worker_, actor(claim), question(claim));
    asked.on_freeze([&link] { link.abort(); });
    if (const auto judged = judge(asked, claim, server); !judged)
      co_return mcp_error(message_.id, mcp_code::kInternal, "AISPM: " + judged.error().message);
    co_await ask_people(asked);
    std::string said;
    if (asked.settled().passes) {
      const auto begun = net::Clock::now();
      said = co_await forward(asked, link, server);
      tell_span(asked, server, begun);
      if (!needs_input_) claim.keep();
    } else {
      said = explain(asked);
    }
    asked.record();
    co_return said;
  }

 private:
  // For any thread: the link belongs to this one.
  std::function<void()> stopper(ServerLink& link) {
    stop_ = std::make_shared<std::function<void()>>([this, &link] {
      is_given_up_ = true;
      link.abort();
    });
    return [&context = worker_.context(), weak = std::weak_ptr(stop_)] {
      net::asio::post(context, [weak] {
        if (const auto stop = weak.lock()) (*stop)();
      });
    };
  }

  // The reply of a model that asked for this call.
  AskedCalls::Claim find_cause() const {
    AskedCalls* const book = worker_.services().asked_calls.get();
    if (book == nullptr || subject_.tool == nullptr) return {};
    return book->take(asked_for(caller_), subject_.server, subject_.name, message_.arguments,
                      net::Clock::now());
  }

  // One trace from the model's reply to the call.
  Caller actor(const AskedCalls::Claim& claim) const {
    Caller actor = caller_;
    if (actor.trace_id.empty() && claim.call() != nullptr) actor.trace_id = claim.call()->trace_id;
    return actor;
  }

  bool is_watched() const {
    return subject_.tool != nullptr && worker_.services().asked_calls != nullptr;
  }

  ActionQuestion question(const AskedCalls::Claim& claim) const {
    ActionQuestion question{.tool = subject_.action(),
                            .tool_provider = subject_.server,
                            .arguments = subject_.arguments,
                            .delegation = proofs_.delegation,
                            .intent = proofs_.intent,
                            .surface = "mcp"};
    if (subject_.tool != nullptr) question.definition = subject_.tool->definition;
    if (is_watched()) question.asked_by_model = std::string(name_of(claim.match()));
    if (claim.call() != nullptr) question.caused_by = claim.call()->event_id;
    return question;
  }

  // A call that no model asked for.
  void judge_cause(AskedAction& asked, AskedMatch match) {
    if (!is_watched()) return;
    if (auto found = finding_of(match)) asked.action().findings.push_back(std::move(*found));
    if (match == AskedMatch::kChanged) worker_.counters().mcp_changed_calls.add();
    if (match == AskedMatch::kChanged || match == AskedMatch::kExact) return;
    worker_.counters().mcp_unasked_calls.add();
    const Outcome outcome = asked.action().verdict.outcome;
    if (outcome == Outcome::kDeny || outcome == Outcome::kKillSwitch) return;
    if (worker_.services().config.mcp.asked_by_model != policy::Mode::kEnforce) return;
    asked.overrule(Outcome::kDeny, "mcp.unasked_call",
                   "No model asked for this call, as far as this gateway has seen");
  }

  void judge_meta(AskedAction& asked) {
    if (message_.meta.empty()) return;
    MetaLook look = look_at_meta(asked.scan(), message_.meta);
    std::vector<model::Detection>& findings = asked.action().findings;
    findings.insert(findings.end(), look.detections.begin(), look.detections.end());
    if (look.objection)
      asked.overrule(Outcome::kDeny, look.objection->rule_id, look.objection->reason);
    meta_ = std::move(look.meta);
  }

  Result<> judge(AskedAction& asked, const AskedCalls::Claim& claim,
                 const McpServerConfig& server) {
    AISPM_CHECK(asked.judge());
    judge_server_host(asked, server);
    JudgedAction& action = asked.action();
    action.is_recorded = false;  // every call is
    action.findings.insert(action.findings.end(), asked.findings().begin(), asked.findings().end());
    judge_cause(asked, claim.match());
    if (action.verdict.outcome == Outcome::kDeny || action.verdict.outcome == Outcome::kKillSwitch)
      return {};
    judge_meta(asked);
    if (action.verdict.outcome == Outcome::kDeny) return {};
    const ToolLook look = subject_.look(asked.scan());
    action.findings.insert(action.findings.end(), look.detections.begin(), look.detections.end());
    if (look.objection) {
      asked.overrule(Outcome::kDeny, look.objection->rule_id, look.objection->reason);
      return {};
    }
    if (const auto fits = subject_.check(message_.arguments); !fits)
      asked.overrule(Outcome::kDeny, "tools.arguments", fits.error().message);
    return {};
  }

  // Holds the call where the client can be told to show a page meanwhile; elsewhere the model is
  // told, and makes the same call again.
  awaitable<void> ask_people(AskedAction& asked) {
    AskedAction::OnPulse on_pulse;
    if (tell_ && !message_.is_stateless && session_.asks_by_url())
      on_pulse = [this, &asked](const Settled& state) { return tell(asked, state); };
    co_await asked.settle(proofs_, std::move(on_pulse));
  }

  awaitable<bool> tell(AskedAction& asked, const Settled& state) {
    if (is_given_up_) co_return false;
    std::string words;
    if (!is_told_ && !state.link.empty())
      words = "{\"jsonrpc\":\"2.0\",\"id\":" + json_string("aispm-" + asked.action().approval_id) +
              ",\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"elicitationId\":" +
              json_string(asked.action().approval_id) +
              ",\"message\":" + json_string(waiting(asked)) +
              ",\"url\":" + json_string(state.link) + "}}";
    is_told_ = true;
    co_return co_await tell_(std::move(words));
  }

  std::string waiting(AskedAction& asked) const {
    return "AISPM: the call of " + asked.action().tool +
           " needs a person's approval: " + asked.settled().reason;
  }

  // Why the call was not made, in words for the model.
  std::string explain(AskedAction& asked) {
    const Settled& settled = asked.settled();
    const JudgedAction& action = asked.action();
    if (!settled.result.empty())  // a person answered the call
      return mcp_result(message_, subject_.result_of(settled.result));
    if (!settled.is_settled && message_.asks_by_url && !message_.is_retry && !settled.link.empty())
      return mcp_result(message_,
                        mcp_input_required(action.approval_id, waiting(asked), settled.link), true);
    std::string words;
    if (!settled.is_settled)
      words = waiting(asked) + ". Case " + action.approval_id +
              (settled.link.empty() ? "" : " (" + settled.link + ")") +
              ": make the same call again once it is approved";
    else
      words = "AISPM: " + std::string(subject_.tool != nullptr ? "tool call " : "") + action.tool +
              " denied by rule " + action.verdict.rule_id +
              (settled.reason.empty() ? "" : ": " + settled.reason) +
              (action.approval_id.empty() ? "" : ", case " + action.approval_id);
    return failed(words);
  }

  // A tool's failure is for the model; the others are for the client's program.
  std::string failed(const std::string& words) const {
    return subject_.tool != nullptr ? mcp_result(message_, mcp_tool_error(words))
                                    : mcp_error(message_.id, mcp_code::kDenied, words);
  }

  awaitable<std::string> forward(AskedAction& asked, ServerLink& link,
                                 const McpServerConfig& server) {
    if (is_given_up_) co_return given_up(asked);
    NoteRelay notes(worker_, session_, message_, asked.scan(), tell_);
    notes.attach(link);
    ServerAsk what = subject_.ask(asked.changed().empty() ? subject_.arguments : asked.changed());
    what.wants_progress = notes.wants_progress();
    what.log_level = message_.log_level;
    what.meta = meta_;
    WishDesk desk(worker_, session_, caller_, proofs_, message_, server, asked.scan(), tell_);
    desk.attach(link);
    auto said = co_await desk.ask(link, std::move(what));
    for (const std::string& wish : link.wishes()) asked.action().findings.push_back(wish_of(wish));
    for (const std::string& wish : desk.refused()) asked.action().findings.push_back(wish_of(wish));
    if (!said && is_given_up_) co_return given_up(asked);
    if (!said && desk.has_bad_answer()) {
      asked.withhold(Outcome::kDeny, "mcp.answer", said.error().message);
      co_return mcp_error(message_.id, mcp_code::kInvalidParams, "AISPM: " + said.error().message);
    }
    if (!said) {
      failure_ = "unavailable";
      co_return failed(no_server_answer(said.error()));
    }
    needs_input_ = said->needs_input;
    if (needs_input_) co_return mcp_result(message_, said->result, true);
    const bool is_error = said->kind == ServerMessage::Kind::kError;
    const bool is_tool = subject_.tool != nullptr;
    if (is_error)
      failure_ = std::to_string(said->error_code);
    else if (is_tool && is_tool_error(said->result))
      failure_ = "tool_error";
    // What is wrong there is the server's words: not for the model.
    const bool is_misfit = is_tool && !is_error && !check_result(*subject_.tool, said->result);
    std::string words = !is_error ? std::move(said->result)
                        : is_tool ? mcp_tool_error(said->error_message)
                                  : "{\"message\":" + json_string(said->error_message) + "}";
    ResultLook look;
    if (is_misfit)
      look.objection.emplace(McpObjection{"tools.result", "it does not fit its output schema"});
    else
      look = look_at_result(asked.scan(), subject_.surface(), subject_.name, std::move(words));
    note(asked, look);
    if (look.objection)
      co_return failed("AISPM: what the " + std::string(is_tool ? "tool" : "server") +
                       " answered is withheld by rule " + look.objection->rule_id + ": " +
                       look.objection->reason);
    if (is_error && !is_tool) {
      codec::JsonTree tree;
      const bool is_read = tree.read(look.result, codec::kMaxRpcDepth).has_value();
      const bool is_resource = subject_.kind == McpSubject::Kind::kResource;
      const std::string uri = "{\"uri\":" + json_string(message_.target) + "}";
      co_return mcp_error(message_.id, said->error_code,
                          is_read ? tree.string_at(0, "message") : std::string_view{},
                          is_resource ? std::string_view(uri) : std::string_view{});
    }
    if (is_error) co_return mcp_result(message_, look.result);
    const auto known = as_client_knows(look.result);
    if (!known)
      co_return failed("AISPM: what the server answered cannot be used: " + known.error().message);
    const bool is_theirs = subject_.kind != McpSubject::Kind::kResource;  // else written anew
    co_return mcp_result(message_, *known, is_theirs && said->has_type);
  }

  Result<std::string> as_client_knows(const std::string& result) const {
    const McpConfig& config = worker_.services().config.mcp;
    const auto server = find_server(config, subject_.server, caller_.agent_id);
    const bool has_uris = server && !config.servers[*server].resources.empty();
    return subject_.known_result(result, has_uris, message_.is_stateless);
  }

  void note(AskedAction& asked, const ResultLook& look) {
    JudgedAction& action = asked.action();
    action.findings.insert(action.findings.end(), look.detections.begin(), look.detections.end());
    if (look.objection) {
      worker_.counters().mcp_results_withheld.add();
      asked.withhold(Outcome::kDeny, look.objection->rule_id,
                     "What the server answered is withheld: " + look.objection->reason);
    } else if (look.redactions > 0) {
      asked.withhold(Outcome::kRedact, action.verdict.rule_id,
                     "Parts of what the server answered are cut out");
    }
  }

  void tell_span(AskedAction& asked, const McpServerConfig& server,
                 net::Clock::time_point begun) const {
    OtlpExporter* const otlp = worker_.services().observatory->otlp.get();
    if (otlp == nullptr) return;
    const auto took =
        std::chrono::duration_cast<std::chrono::nanoseconds>(net::Clock::now() - begun);
    std::string_view host = server.endpoint.origin;
    host.remove_prefix(std::min(host.find("://") + 3, host.size()));
    SpanRecord span = make_span(McpSpan{
        .method = message_.method, .target = subject_.name, .host = host, .error_type = failure_});
    span.end_ns = static_cast<std::uint64_t>(wall_now().nanoseconds);
    span.start_ns = span.end_ns - static_cast<std::uint64_t>(took.count());
    span.trace_id = asked.caller().trace_id;
    span.span_id = make_span_id();
    span.tenant = caller_.tenant;
    span.agent = caller_.agent_id;
    span.session = caller_.session_id;
    span.correlation = client_.correlation;
    span.decision = model::name_of(asked.settled().outcome);
    span.rule = asked.action().verdict.rule_id;
    span.detections = asked.action().findings.size();
    otlp->offer(std::move(span));
  }

  std::string given_up(AskedAction& asked) {
    failure_ = "cancelled";
    asked.withhold(Outcome::kDeny, "mcp.cancelled", "The client gave the request up");
    return mcp_error(message_.id, mcp_code::kCancelled, "AISPM: the request was cancelled");
  }

  Worker& worker_;
  McpSession& session_;
  Client& client_;
  const Caller& caller_;
  const ShownProofs& proofs_;
  const McpMessage& message_;
  const McpTell tell_;
  McpSubject subject_;
  std::shared_ptr<std::function<void()>> stop_;
  bool is_told_ = false;
  bool is_given_up_ = false;
  std::string meta_;          // what of the client's `_meta` goes on
  std::string failure_;       // how the server failed, in a word; "" = it did not
  bool needs_input_ = false;  // the same call comes again, with answers
};

}  // namespace

awaitable<std::string> serve_action(Worker& worker, McpSession& session, Client& client,
                                    const Caller& caller, const ShownProofs& proofs,
                                    const McpMessage& asked, McpTell tell) {
  McpAct act(worker, session, client, caller, proofs, asked, std::move(tell));
  co_return co_await act.answer();
}

}  // namespace aispm::gateway
