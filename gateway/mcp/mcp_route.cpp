// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_route.hpp"

#include <algorithm>

#include "gateway/mcp/change_stream.hpp"
#include "gateway/mcp/mcp_call.hpp"
#include "gateway/mcp/mcp_complete.hpp"
#include "gateway/mcp/mcp_listen.hpp"
#include "gateway/mcp/mcp_listing.hpp"
#include "gateway/mcp/mcp_subscribe.hpp"
#include "gateway/mcp/mcp_token.hpp"
#include "gateway/mcp/server_link.hpp"
#include "gateway/proxy/exchange.hpp"
#include "gateway/proxy/fleet/run_freezes.hpp"
#include "gateway/proxy/version.hpp"
#include "sdk/core/codec/sse.hpp"

namespace aispm::gateway {

using codec::RpcKind;
using codec::http1::Head;
using net::Task;
using net::asio::awaitable;

namespace {

constexpr std::string_view kPulse = ": waiting\n\n";

// One POST that was read and belongs to somebody.
class McpPost {
 public:
  McpPost(Client& client, Caller caller, ShownProofs proofs, bool keep_alive)
      : client_(client),
        services_(client.worker().services()),
        caller_(std::move(caller)),
        owner_{caller_.agent_id, caller_.tenant},
        proofs_(std::move(proofs)),
        keep_alive_(keep_alive) {}

  Task<> serve(const McpHead& head, std::string_view body) {
    McpReading reading = read_mcp_post(head, body);
    message_ = std::move(reading.message);
    client_.finish_request();
    if (reading.refusal) co_return co_await refuse(*reading.refusal);
    if (message_.method == "initialize") co_return co_await initialize();
    if (auto refusal = find_session(head)) co_return co_await refuse(*refusal);
    if (message_.method == "notifications/cancelled" && !message_.is_stateless &&
        !message_.target.empty())
      session_->cancel(message_.target);
    if (!message_.answer.empty() && !message_.is_stateless)
      (void)session_->answer(message_.id, message_.answer);
    if (message_.kind != RpcKind::kRequest) co_return co_await send(202, "");
    co_return co_await serve_request();
  }

  // DELETE: over, also with the servers.
  Task<> end_session(const McpHead& head) {
    client_.finish_request();
    if (head.version == kMcpStateless) co_return co_await send(405, "");
    if (auto refusal = find_session(head)) co_return co_await refuse(*refusal);
    services_.mcp_sessions.end(*session_);
    for (std::size_t i = 0; i < services_.config.mcp.servers.size(); ++i) {
      ServerLink link(client_.worker(), *session_, i);
      (void)co_await link.end();
    }
    co_return co_await send(204, "");
  }

  // GET: the session's stream of changes.
  Task<> listen(const McpHead& head) {
    client_.finish_request();
    if (head.version == kMcpStateless || head.session_id.empty()) co_return co_await send(405, "");
    if (!accepts_event_stream(head)) {
      const McpRefusal deaf{.status = 406, .message = "the client must accept text/event-stream"};
      co_return co_await refuse(deaf);
    }
    if (auto refusal = find_session(head)) co_return co_await refuse(*refusal);
    if (std::string late = take_stream_rate(client_.worker(), caller_); !late.empty()) {
      const McpRefusal often{
          .status = 429, .code = mcp_code::kDenied, .message = std::move(late), .data = {}};
      co_return co_await refuse(often);
    }
    co_return co_await serve_session_stream(client_, session_, caller_, proofs_);
  }

  Task<> refuse(const McpRefusal& refusal) {
    client_.worker().counters().mcp_refused.add();
    co_return co_await send(refusal.status, mcp_error(refusal.id, refusal.code,
                                                      "AISPM: " + refusal.message, refusal.data));
  }

  // No aggregate: GCC 12 destroys temporaries of that kind in a co_await twice.
  Task<> send(int status, std::string body, std::string session_id = {}) {
    const std::string reply = mcp_http({status, std::move(session_id), keep_alive_}, body);
    co_return co_await client_.send(reply);
  }

 private:
  Task<> initialize() {
    const std::string_view agreed = agree_on_mcp_version(message_.version);
    auto opened = services_.mcp_sessions.open(owner_, std::string(agreed), message_.asks_by_url,
                                              net::Clock::now());
    if (!opened) {
      const McpRefusal busy{.status = 503,
                            .code = mcp_code::kInternal,
                            .message = opened.error().message,
                            .data = {},
                            .id = message_.id};
      co_return co_await refuse(busy);
    }
    (*opened)->declare(message_.abilities);
    co_await ask_offers(client_.worker(), **opened, caller_.agent_id);
    const std::string said = mcp_initialized(agreed, kVersion, offers(), instructions());
    co_return co_await send(200, mcp_result(message_, said), (*opened)->id());
  }

  std::optional<McpRefusal> find_session(const McpHead& head) {
    const auto now = net::Clock::now();
    if (message_.is_stateless) {
      auto of_agent = services_.mcp_sessions.of_agent(owner_, now);
      if (!of_agent)
        return McpRefusal{.status = 503,
                          .code = mcp_code::kInternal,
                          .message = of_agent.error().message,
                          .data = {},
                          .id = message_.id};
      session_ = std::move(*of_agent);
      return std::nullopt;
    }
    if (head.session_id.empty())
      return McpRefusal{.message = "the Mcp-Session-Id header is missing", .id = message_.id};
    McpSessions::Found found{};
    session_ = services_.mcp_sessions.find(head.session_id, owner_, now, found);
    if (found == McpSessions::Found::kOthers) {
      client_.worker().counters().mcp_stolen_sessions.add();
      return McpRefusal{
          .status = 401, .message = "this is not a session of this agent", .id = message_.id};
    }
    if (!session_)
      return McpRefusal{.status = 404, .message = "there is no such session", .id = message_.id};
    if (!head.version.empty() && head.version != session_->version())
      return McpRefusal{.message = "this session speaks another protocol version",
                        .id = message_.id};
    return std::nullopt;
  }

  Task<> serve_request() {
    const std::string& method = message_.method;
    if (method == "ping" && !message_.is_stateless)
      co_return co_await send(200, mcp_result(message_, "{}"));
    if (method == "server/discover" && message_.is_stateless) {
      co_await ask_offers(client_.worker(), *session_, caller_.agent_id);
      const std::string said = mcp_discovered(kVersion, offers(), instructions());
      co_return co_await send(200, mcp_result(message_, said));
    }
    if (method == "subscriptions/listen" && message_.is_stateless)
      co_return co_await serve_listen(client_, session_, caller_, proofs_, message_);
    if ((method == "resources/subscribe" || method == "resources/unsubscribe") &&
        !message_.is_stateless && offers().subscribe) {
      std::string said =
          co_await serve_subscription(client_.worker(), *session_, caller_, proofs_, message_);
      co_return co_await send(200, std::move(said));
    }
    if (method == "tools/list") co_return co_await serve_list(std::nullopt);
    for (const Shelf shelf : {Shelf::kPrompts, Shelf::kResources, Shelf::kTemplates})
      if (method == list_method(shelf) && has(shelf)) co_return co_await serve_list(shelf);
    if (method == "logging/setLevel" && !message_.is_stateless) co_return co_await set_level();
    if (method == "tools/call" || (method == "prompts/get" && offers().prompts) ||
        (method == "resources/read" && offers().resources))
      co_return co_await serve_act();
    if (method == "completion/complete" && (offers().prompts || offers().resources)) {
      std::string completed =
          co_await serve_completion(client_.worker(), *session_, caller_, proofs_, message_);
      co_return co_await send(200, std::move(completed));
    }
    co_return co_await send(message_.is_stateless ? 404 : 200,
                            mcp_error(message_.id, mcp_code::kUnknownMethod, "Method not found"));
  }

  McpOffers offers() const {
    return offers_for(services_.config.mcp, caller_.agent_id, services_.mcp_offers);
  }
  std::string instructions() {
    return instructions_for(client_.worker(), caller_, proofs_, message_.method);
  }
  bool has(Shelf shelf) const {
    return shelf == Shelf::kPrompts ? offers().prompts : offers().resources;
  }

  Task<> set_level() {
    const auto rank = rank_of_log(message_.target);
    if (!rank)
      co_return co_await send(
          200, mcp_error(message_.id, mcp_code::kInvalidParams, "no such level of logs"));
    session_->set_log_rank(*rank);
    co_return co_await send(200, mcp_result(message_, "{}"));
  }

  // Nothing: tools.
  Task<> serve_list(std::optional<Shelf> shelf) {
    if (message_.has_cursor)
      co_return co_await send(200, mcp_error(message_.id, mcp_code::kInvalidParams,
                                             "no such cursor: lists have one page"));
    Worker& worker = client_.worker();
    // No conditional expression: GCC 12 cannot be trusted with two co_await in one.
    Result<std::string> listed = std::string();
    if (shelf)
      listed = co_await list_shelf(worker, *session_, caller_, proofs_, message_, *shelf);
    else
      listed = co_await list_tools(worker, *session_, caller_, proofs_, message_);
    if (!listed)
      co_return co_await send(
          503, mcp_error(message_.id, mcp_code::kInternal, "AISPM: " + listed.error().message));
    co_return co_await send(200, mcp_result(message_, *listed));
  }

  Task<> serve_act() {
    McpTell tell = [this](std::string words) { return this->tell(std::move(words)); };
    std::string answer = co_await serve_action(client_.worker(), *session_, client_, caller_,
                                               proofs_, message_, std::move(tell));
    if (!streams_) co_return co_await send(200, std::move(answer));
    AISPM_CO_CHECK(co_await client_.send_chunk(codec::serialise_sse("message", answer)));
    co_return co_await client_.send("0\r\n\r\n");
  }

  // Before the answer: the reply becomes a stream of events.
  awaitable<bool> tell(std::string words) {
    if (!streams_) {
      const auto begun = co_await client_.send(kMcpStreamHead);
      if (!begun) co_return false;
      streams_ = true;
    }
    const std::string event =
        words.empty() ? std::string(kPulse) : codec::serialise_sse("message", words);
    const auto told = co_await client_.send_chunk(event);
    co_return told.has_value();
  }

  Client& client_;
  Services& services_;
  const Caller caller_;
  const McpOwner owner_;
  const ShownProofs proofs_;
  const bool keep_alive_;
  McpMessage message_;
  std::shared_ptr<McpSession> session_;
  bool streams_ = false;
};

// Why nothing of this agent is served now.
std::optional<McpRefusal> find_obstacle(Worker& worker, const Caller& caller) {
  if (const auto frozen = find_freeze(worker.services(), caller)) {
    worker.counters().frozen.add();
    return McpRefusal{.status = 403, .message = frozen->message};
  }
  if (worker.services().cannot_record()) {
    worker.counters().unrecorded_refusals.add();
    return McpRefusal{.status = 503,
                      .code = mcp_code::kInternal,
                      .message = "calls cannot be recorded at the moment"};
  }
  return std::nullopt;
}

// A refusal before the body was read: the connection is over.
Task<bool> refuse_unread(Client& client, int status, std::string message,
                         std::string challenge = "Bearer") {
  client.worker().counters().mcp_refused.add();
  const std::string body = mcp_error("", mcp_code::kInvalidRequest, "AISPM: " + message);
  const std::string reply = mcp_http({status, {}, false, std::move(challenge)}, body);
  AISPM_CO_CHECK(co_await client.send(reply));
  (void)co_await client.linger();
  co_return false;
}

// By its key, else by a token where the configuration names who signs them.
std::optional<Caller> find_caller(Client& client, const Head& head) {
  std::optional<Caller> caller = authenticate(client, head);
  const auto& authorization = client.worker().services().config.mcp.authorization;
  if (caller || !authorization || client.entrance != Entrance::kKeyed) return caller;
  std::string_view shown = head.find("authorization").value_or(std::string_view{});
  constexpr std::string_view kBearer = "bearer ";
  if (!codec::http1::equal_name(shown.substr(0, kBearer.size()), kBearer)) return std::nullopt;
  const auto agent = check_mcp_token(*authorization, shown.substr(kBearer.size()), wall_now());
  if (!agent) return std::nullopt;
  return Caller{.agent_id = *agent, .session_id = {}, .tenant = {}, .trace_id = {}};
}

Task<bool> refuse_stranger(Client& client, bool showed_token) {
  client.worker().counters().unauthenticated.add();
  const auto& authorization = client.worker().services().config.mcp.authorization;
  std::string challenge = authorization ? challenge_for(*authorization, showed_token) : "Bearer";
  co_return co_await refuse_unread(client, 401, "this is not the key of an agent",
                                   std::move(challenge));
}

}  // namespace

Task<bool> serve_mcp(Client& client, Head head) {
  Worker& worker = client.worker();
  const Services& services = worker.services();
  worker.counters().mcp_requests.add();
  if (!is_mcp_origin_allowed(head.find("origin"), services.config.mcp.origins))
    co_return co_await refuse_unread(client, 403, "pages of this origin may not use it");
  std::optional<Caller> caller = find_caller(client, head);
  if (!caller) co_return co_await refuse_stranger(client, head.find("authorization").has_value());
  const bool is_post = head.method == "POST";
  const bool is_get = head.method == "GET";
  if (!is_post && !is_get && head.method != "DELETE")
    co_return co_await refuse_unread(client, 405, "only GET, POST and DELETE are served");
  if (const auto obstacle = find_obstacle(worker, *caller))
    co_return co_await refuse_unread(client, obstacle->status, obstacle->message);
  const McpHead said = take_mcp_head(head);
  const bool keep_alive = head.keep_alive;
  McpPost post(client, std::move(*caller), read_proofs(head), keep_alive);
  const auto body = co_await client.read_decoded_body(
      head, std::min(services.config.limits.body_bytes, codec::kMaxRpcBytes));
  if (!body) {
    const Errc code = body.error().code;
    const int status = code == Errc::kTooLarge ? 413 : code == Errc::kUnsupported ? 415 : 400;
    co_return co_await refuse_unread(client, status, body.error().message);
  }
  if (is_post)
    AISPM_CO_CHECK(co_await post.serve(said, *body));
  else if (is_get)
    AISPM_CO_CHECK(co_await post.listen(said));
  else
    AISPM_CO_CHECK(co_await post.end_session(said));
  co_return keep_alive;
}

}  // namespace aispm::gateway
