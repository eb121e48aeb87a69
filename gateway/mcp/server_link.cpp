// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/server_link.hpp"

#include <algorithm>

#include "gateway/mcp/mcp_names.hpp"
#include "gateway/mcp/mcp_request.hpp"
#include "gateway/mcp/server_wire.hpp"
#include "gateway/mcp/web/web_tools.hpp"
#include "gateway/mcp/wishes.hpp"
#include "gateway/proxy/message_io.hpp"
#include "gateway/proxy/version.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/codec/mcp_http.hpp"
#include "sdk/core/codec/sse.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using codec::http1::BodyKind;
using codec::http1::Head;
using net::Task;

namespace {

// For telling a server that nobody waits any more.
constexpr std::chrono::milliseconds kGiveUp{2000};

bool is_done(int status) { return status >= 200 && status < 300; }

}  // namespace

ServerLink::ServerLink(Worker& worker, McpSession& session, std::size_t server)
    : worker_(worker), session_(session), server_(server) {}

const McpServerConfig& ServerLink::config() const {
  return worker_.services().config.mcp.servers[server_];
}

Provider& ServerLink::provider() const { return *worker_.services().mcp_servers.all()[server_]; }

void ServerLink::abort() {
  is_aborted_ = true;
  if (pause_ != nullptr) pause_->cancel();
  if (in_flight_ != nullptr) in_flight_->abort();
}

std::string ServerLink::head_of(std::string_view verb, const ServerSession& session,
                                std::size_t body_bytes) const {
  std::string head(verb);
  head.append(" ").append(session.path.empty() ? config().path : session.path);
  head.append(" HTTP/1.1\r\n");
  head.append(provider().request_lines());
  if (!config().key_header.empty())
    head.append(config().key_header).append(": ").append(config().key.expose()).append("\r\n");
  head.append("accept: application/json, text/event-stream\r\naccept-encoding: identity\r\n")
      .append("user-agent: aispm-gateway\r\n");
  if (!session.id.empty()) head.append("mcp-session-id: ").append(session.id).append("\r\n");
  if (!session.version.empty())
    head.append("mcp-protocol-version: ").append(session.version).append("\r\n");
  if (body_bytes > 0)
    head.append("content-type: application/json\r\ncontent-length: ")
        .append(std::to_string(body_bytes))
        .append("\r\n");
  return head.append("\r\n");
}

void ServerLink::give_back(std::unique_ptr<Upstream> upstream, bool is_whole) {
  if (is_whole) worker_.mcp_pool(server_).put(std::move(upstream));
}

Task<UpstreamReply> ServerLink::send_post(ServerSession session, const std::string& body,
                                          const std::string& lines, bool waits, bool is_call,
                                          std::string& path) {
  const Limits& limits = worker_.services().config.limits;
  for (bool is_first = true;; is_first = false) {
    std::string head = head_of("POST", session, body.size());
    head.insert(head.size() - 2, lines);  // before the empty line
    AISPM_CO_TRY(UpstreamReply reply,
                 co_await ask_upstream(
                     worker_.context(), worker_.watchdog(), provider(), worker_.mcp_pool(server_),
                     {.head = head,
                      .body = body,
                      .method = "POST",
                      .may_repeat = !is_call,
                      .is_over = waits ? &is_aborted_ : nullptr},
                     {.connect = limits.upstream_connect, .silence = config().call}, &in_flight_));
    const int status = reply.head.status;
    const auto location = reply.head.find("location");
    if (status < 301 || status > 308 || !location) co_return std::move(reply);
    in_flight_ = nullptr;
    AISPM_CO_TRY(path, read_redirect(config().endpoint.origin, *location));
    if (!is_first || (status != 307 && status != 308))
      co_return fail(Errc::kUnsupported, "it redirects with status " + std::to_string(status) +
                                             ": configure its path as " + path);
    session.path = path;
  }
}

Task<ServerLink::Posted> ServerLink::post(const ServerSession& session, std::string body,
                                          std::string id, std::string lines, bool is_call) {
  Posted posted;
  AISPM_CO_TRY(UpstreamReply reply,
               co_await send_post(session, body, lines, !id.empty(), is_call, posted.path));
  posted.status = reply.head.status;
  posted.session_id = std::string(reply.head.find("mcp-session-id").value_or(std::string_view{}));
  if (!is_header_token(posted.session_id))
    co_return fail(Errc::kInvalid, "the server's session id is not acceptable");
  // Errors of 2026-07-28 have a status of their own, and those of some older servers.
  const bool is_refusal =
      posted.status == 400 || posted.status == 404 || posted.status == 422 || posted.status == 500;
  const bool waits = !id.empty() && (posted.status == 200 || (is_refusal && is_json(reply.head)));
  in_flight_ = reply.upstream->stream.get();
  if (waits && is_stream(reply.head)) {
    const auto read = co_await read_streams(session, reply, posted, id);
    in_flight_ = nullptr;
    if (!read) co_return fail(read.error());
    co_return posted;
  }
  Upstream& upstream = *reply.upstream;
  const Head answered = reply.head;
  upstream.input.consume(answered.size_bytes);
  std::string spill;
  auto whole = co_await read_whole_body(*upstream.stream, upstream.input, answered.body,
                                        answered.content_length, codec::kMaxRpcBytes, spill);
  in_flight_ = nullptr;
  if (!whole) co_return fail(std::move(whole).error());
  posted.has_lost_session =
      !session.id.empty() &&
      (posted.status == 404 || (posted.status == 400 && speaks_of_session(whole->bytes)));
  if (waits) {
    auto answer = read_server_message(whole->bytes, id);
    if (!answer && !is_refusal) co_return fail(std::move(answer).error());
    if (answer) posted.answer = std::move(*answer);
    if (!is_refusal && posted.answer.kind != ServerMessage::Kind::kResult &&
        posted.answer.kind != ServerMessage::Kind::kError)
      co_return fail(Errc::kInvalid, "the server did not answer what it was asked");
  }
  upstream.input.consume(whole->in_place_bytes);
  give_back(std::move(reply.upstream),
            answered.keep_alive && answered.body != BodyKind::kUntilClose);
  co_return posted;
}

// Asked of servers that do not know `initialize`.
Task<ServerSession> ServerLink::discover() {
  const ServerSession with{.is_open = true, .id = {}, .version = std::string(kMcpStateless)};
  const ServerAsk what{.method = "server/discover"};
  const ServerMeta meta{.is_stateless = true};
  const std::string id = codec::json_string(make_span_id());
  const std::string request =
      server_request(id, what.method, server_params(what.params, meta, kVersion));
  AISPM_CO_TRY(Posted posted, co_await post(with, request, id, mirror_lines(what)));
  if (posted.answer.kind != ServerMessage::Kind::kResult)
    co_return fail(Errc::kUnavailable,
                   "answered server/discover with status " + std::to_string(posted.status));
  AISPM_CO_TRY(ServerHello said, read_server_discovery(posted.answer.result));
  ServerSession opened = with;
  opened.offers = said.offers;
  opened.path = std::move(posted.path);
  worker_.services().mcp_offers.keep(server_, opened.offers, std::move(said.instructions));
  co_return session_.adopt(server_, std::move(opened));
}

Task<ServerSession> ServerLink::connect() {
  if (!is_own() && !provider().config().missing_key.empty())
    co_return note(
        Result<ServerSession>(fail(Errc::kUnavailable, provider().config().missing_key)));
  auto opened = co_await net::with_deadline(open(), config().call);
  co_return note(std::move(opened));
}

Task<ServerSession> ServerLink::open() {
  if (ServerSession known = session_.server(server_); known.is_open) co_return known;
  if (is_own()) {
    ServerSession own;
    own.is_open = true;
    own.version = std::string(kMcpNewestSession);
    own.offers.tools = true;
    co_return session_.adopt(server_, std::move(own));
  }
  // What clients without sessions can be asked only servers can ask that speak their version.
  if (session_.id().empty() && !config().grants.empty()) {
    auto found = co_await discover();
    if (found || is_aborted_) co_return found;
  }
  const std::string id = codec::json_string(make_span_id());
  const McpAbilities abilities = granted(config().grants, session_.abilities());
  const std::string hello = server_request(id, "initialize", server_hello(kVersion, abilities));
  const ServerSession none;
  AISPM_CO_TRY(Posted posted, co_await post(none, hello, id));
  const bool is_error = posted.answer.kind == ServerMessage::Kind::kError;
  if (is_error || posted.status == 400 || posted.status == 404) {
    auto found = co_await discover();
    if (found) co_return found;
    const std::string how = is_error ? "error " + std::to_string(posted.answer.error_code)
                                     : "status " + std::to_string(posted.status);
    co_return fail(Errc::kUnavailable,
                   "refused initialize with " + how + ", and " + found.error().message);
  }
  if (posted.status != 200)
    co_return fail(Errc::kUnavailable,
                   "answered initialize with status " + std::to_string(posted.status));
  AISPM_CO_TRY(ServerHello said, read_server_hello(posted.answer.result));
  ServerSession opened{true, std::move(posted.session_id), std::move(said.version), said.offers,
                       std::move(posted.path)};
  const std::string ready = server_notification("notifications/initialized");
  AISPM_CO_TRY(const Posted taken, co_await post(opened, ready, ""));
  if (!is_done(taken.status))
    co_return fail(Errc::kUnavailable,
                   "answered initialized with status " + std::to_string(taken.status));
  worker_.services().mcp_offers.keep(server_, opened.offers, std::move(said.instructions));
  co_return session_.adopt(server_, std::move(opened));
}

bool ServerLink::is_own() const { return config().endpoint.name == kWebServer; }

Task<ServerMessage> ServerLink::ask_own(const ServerAsk& what) {
  ServerMessage said;
  said.kind = ServerMessage::Kind::kResult;
  if (what.method == "tools/list") {
    said.result = list_web_tools(*worker_.services().config.mcp.web);
    co_return said;
  }
  if (what.method != "tools/call") co_return fail(Errc::kNotFound, "there is no such method");
  AISPM_CO_TRY(said.result,
               co_await call_web_tool(worker_, server_, what.name, what.params, in_flight_));
  co_return said;
}

Task<ServerMessage> ServerLink::ask_once(const ServerAsk& what) {
  if (is_own()) co_return co_await ask_own(what);
  for (bool is_first = true;; is_first = false) {
    AISPM_CO_TRY(const ServerSession with, co_await open());
    if (is_aborted_) co_return fail(Errc::kUnavailable, "the request was given up");
    const std::string id = codec::json_string(make_span_id());
    const ServerMeta meta{.is_stateless = is_stateless(with),
                          .progress = what.wants_progress ? id : std::string(),
                          .log_level = what.log_level,
                          .abilities = abilities_,
                          .told = what.meta};
    const std::string request =
        server_request(id, what.method, server_params(what.params, meta, kVersion));
    std::string lines = is_stateless(with) ? mirror_lines(what) : std::string();
    asked_id_ = id;
    AISPM_CO_TRY(Posted posted,
                 co_await post(with, request, id, std::move(lines), what.method == "tools/call"));
    asked_id_.clear();
    // Sessions end: nothing was done, so it may be asked once more in a new one.
    if (posted.has_lost_session) session_.forget(server_, with.id);
    if (posted.has_lost_session && is_first) continue;
    const bool is_told = posted.answer.kind == ServerMessage::Kind::kError;
    const bool is_heard = posted.status == 200 || is_stateless(with) || is_told;
    if (is_heard && posted.answer.needs_input && !what.takes_input)
      co_return fail(Errc::kInvalid, "the result is not a whole one");
    if (is_heard && posted.answer.kind != ServerMessage::Kind::kOther)
      co_return std::move(posted.answer);
    co_return fail(Errc::kUnavailable, "answered with status " + std::to_string(posted.status));
  }
}

// Without sessions the end of the connection says it.
Task<> ServerLink::give_up() {
  if (asked_id_.empty()) co_return Result<>{};
  const std::string words =
      server_notification("notifications/cancelled", server_cancel(std::exchange(asked_id_, {})));
  const ServerSession with = session_.server(server_);
  if (!with.is_open || is_stateless(with)) co_return Result<>{};
  (void)co_await net::with_deadline(post(with, words, ""), kGiveUp);
  in_flight_ = nullptr;
  co_return Result<>{};
}

Task<ServerMessage> ServerLink::ask(const ServerAsk& what) {
  if (!is_own() && !provider().config().missing_key.empty())
    co_return note(
        Result<ServerMessage>(fail(Errc::kUnavailable, provider().config().missing_key)));
  auto asked = co_await net::with_deadline(ask_once(what), config().call);
  in_flight_ = nullptr;
  if (!asked) (void)co_await give_up();
  if (is_aborted_) co_return asked;  // no failure of the server's
  co_return note(std::move(asked));
}

Task<> ServerLink::end() {
  const ServerSession with = session_.server(server_);
  if (!with.is_open || with.id.empty()) co_return Result<>{};
  session_.forget(server_, with.id);
  const std::string head = head_of("DELETE", with, 0);
  const Limits& limits = worker_.services().config.limits;
  AISPM_CO_TRY(UpstreamReply reply,
               co_await ask_upstream(
                   worker_.context(), worker_.watchdog(), provider(), worker_.mcp_pool(server_),
                   {.head = head, .body = {}, .method = "DELETE"},
                   {.connect = limits.upstream_connect, .silence = config().call}, &in_flight_));
  co_return Result<>{};
}

}  // namespace aispm::gateway
