// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/server_link.hpp"

#include <algorithm>

#include "gateway/proxy/message_io.hpp"
#include "gateway/proxy/version.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/codec/sse.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using codec::http1::BodyKind;
using codec::http1::Head;
using net::Task;

namespace {

constexpr std::size_t kMaxSessionId = 256;
// The end of a stream comes at once after its last event, or is not worth a wait.
constexpr std::chrono::milliseconds kStreamEnd{5};

bool is_session_id(std::string_view id) {
  return id.size() <= kMaxSessionId &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_stream(const Head& head) {
  const std::string_view type = head.content_type.substr(0, head.content_type.find(';'));
  return codec::http1::equal_name(type, "text/event-stream");
}

bool is_done(int status) { return status >= 200 && status < 300; }

}  // namespace

struct ServerLink::Posted {
  int status = 0;
  std::string session_id;
  ServerMessage answer;
};

ServerLink::ServerLink(Worker& worker, McpSession& session, std::size_t server)
    : worker_(worker), session_(session), server_(server) {}

const McpServerConfig& ServerLink::config() const {
  return worker_.services().config.mcp.servers[server_];
}

Provider& ServerLink::provider() const { return *worker_.services().mcp_servers.all()[server_]; }

void ServerLink::abort() {
  if (in_flight_ != nullptr) in_flight_->abort();
}

std::string ServerLink::head_of(std::string_view verb, const ServerSession& session,
                                std::size_t body_bytes) const {
  std::string head(verb);
  head.append(" ").append(config().path).append(" HTTP/1.1\r\n");
  head.append(provider().request_lines());
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

Task<> ServerLink::refuse_wish(const ServerSession& session, const ServerMessage& wish) {
  if (wish.method == "ping") {
    const std::string pong = "{\"jsonrpc\":\"2.0\",\"id\":" + wish.id + ",\"result\":{}}";
    (void)co_await post(session, pong, "");
    co_return Result<>{};
  }
  if (wishes_.size() >= kMaxWishes)
    co_return fail(Errc::kTooLarge, "the server asks the client for too much");
  wishes_.push_back(wish.method.substr(0, ToolBook::kMaxNameBytes));
  worker_.counters().mcp_server_requests.add();
  const std::string denial = server_denial(wish.id, wishes_.back());
  (void)co_await post(session, denial, "");
  co_return Result<>{};
}

Task<> ServerLink::read_stream(const ServerSession& session, UpstreamReply& reply, Posted& posted,
                               const std::string& id) {
  Upstream& upstream = *reply.upstream;
  codec::http1::BodyReader reader(reply.head);
  const bool is_kept = reply.head.keep_alive && reply.head.body != BodyKind::kUntilClose;
  upstream.input.consume(reply.head.size_bytes);
  codec::SseParser events(codec::kMaxRpcBytes);
  bool is_answered = false;
  while (!is_answered) {
    AISPM_CO_TRY(const std::optional<codec::SseEvent> event, events.next());
    if (event) {
      if (!event->has_data || event->data.empty()) continue;
      AISPM_CO_TRY(ServerMessage said, read_server_message(event->data, id));
      if (said.kind == ServerMessage::Kind::kRequest) {
        AISPM_CO_CHECK(co_await refuse_wish(session, said));
        in_flight_ = upstream.stream.get();
        continue;
      }
      is_answered = said.kind != ServerMessage::Kind::kOther;
      if (is_answered) posted.answer = std::move(said);
      continue;
    }
    if (reader.done()) co_return fail(Errc::kInvalid, "the stream ended without an answer");
    if (upstream.input.empty()) {
      upstream.stream->expire_after(config().call);
      AISPM_CO_TRY(const bool more, co_await read_more(*upstream.stream, upstream.input, 4096));
      if (!more) co_return fail(Errc::kUnavailable, "the stream broke off without an answer");
    }
    AISPM_CO_TRY(const auto slice, reader.next(upstream.input.view()));
    events.feed(slice.data);
    upstream.input.consume(slice.consumed);
  }
  if (is_kept && !reader.done() && upstream.input.empty()) {
    upstream.stream->expire_after(kStreamEnd);
    (void)co_await read_more(*upstream.stream, upstream.input, 64);
  }
  while (!reader.done() && !upstream.input.empty()) {
    const auto slice = reader.next(upstream.input.view());
    if (!slice || slice->consumed == 0) break;
    upstream.input.consume(slice->consumed);
  }
  give_back(std::move(reply.upstream), is_kept && reader.done());
  co_return Result<>{};
}

Task<ServerLink::Posted> ServerLink::post(const ServerSession& session, std::string body,
                                          std::string id) {
  const std::string head = head_of("POST", session, body.size());
  const Limits& limits = worker_.services().config.limits;
  AISPM_CO_TRY(UpstreamReply reply,
               co_await ask_upstream(
                   worker_.context(), worker_.watchdog(), provider(), worker_.mcp_pool(server_),
                   {.head = head, .body = body, .method = "POST"},
                   {.connect = limits.upstream_connect, .silence = config().call}, &in_flight_));
  Posted posted;
  posted.status = reply.head.status;
  posted.session_id = std::string(reply.head.find("mcp-session-id").value_or(std::string_view{}));
  if (!is_session_id(posted.session_id))
    co_return fail(Errc::kInvalid, "the server's session id is not acceptable");
  const bool waits = !id.empty() && posted.status == 200;
  in_flight_ = reply.upstream->stream.get();
  if (waits && is_stream(reply.head)) {
    const auto read = co_await read_stream(session, reply, posted, id);
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
  if (waits) {
    AISPM_CO_TRY(posted.answer, read_server_message(whole->bytes, id));
    if (posted.answer.kind != ServerMessage::Kind::kResult &&
        posted.answer.kind != ServerMessage::Kind::kError)
      co_return fail(Errc::kInvalid, "the server did not answer what it was asked");
  }
  upstream.input.consume(whole->in_place_bytes);
  give_back(std::move(reply.upstream),
            answered.keep_alive && answered.body != BodyKind::kUntilClose);
  co_return posted;
}

Task<ServerSession> ServerLink::open() {
  if (ServerSession known = session_.server(server_); known.is_open) co_return known;
  const std::string id = codec::json_string(make_span_id());
  const std::string hello = server_request(id, "initialize", server_hello(kVersion));
  const ServerSession none;
  AISPM_CO_TRY(Posted posted, co_await post(none, hello, id));
  if (posted.status != 200)
    co_return fail(Errc::kUnavailable,
                   "answered initialize with status " + std::to_string(posted.status));
  if (posted.answer.kind == ServerMessage::Kind::kError)
    co_return fail(Errc::kUnavailable,
                   "refused initialize with error " + std::to_string(posted.answer.error_code));
  AISPM_CO_TRY(ServerHello said, read_server_hello(posted.answer.result));
  ServerSession opened{true, std::move(posted.session_id), std::move(said.version)};
  const std::string ready = server_notification("notifications/initialized");
  AISPM_CO_TRY(const Posted taken, co_await post(opened, ready, ""));
  if (!is_done(taken.status))
    co_return fail(Errc::kUnavailable,
                   "answered initialized with status " + std::to_string(taken.status));
  co_return session_.adopt(server_, std::move(opened));
}

Task<ServerMessage> ServerLink::ask_once(const std::string& method, const std::string& params) {
  for (bool is_first = true;; is_first = false) {
    AISPM_CO_TRY(const ServerSession with, co_await open());
    const std::string id = codec::json_string(make_span_id());
    const std::string request = server_request(id, method, params);
    AISPM_CO_TRY(Posted posted, co_await post(with, request, id));
    if (posted.status == 200) co_return std::move(posted.answer);
    // Sessions end: nothing was done, so it may be asked once more in a new one.
    const bool has_ended = posted.status == 404 && !with.id.empty();
    if (has_ended) session_.forget(server_, with.id);
    if (!has_ended || !is_first)
      co_return fail(Errc::kUnavailable, "answered with status " + std::to_string(posted.status));
  }
}

template <typename T>
Result<T> ServerLink::note(Result<T> result) {
  in_flight_ = nullptr;
  if (result) {
    provider().note_success();
  } else {
    worker_.counters().mcp_server_failures.add();
    provider().note_failure(result.error().message);
  }
  return result;
}

Task<ServerMessage> ServerLink::ask(std::string method, std::string params) {
  if (!provider().config().missing_key.empty())
    co_return note(
        Result<ServerMessage>(fail(Errc::kUnavailable, provider().config().missing_key)));
  auto asked = co_await net::with_deadline(ask_once(method, params), config().call);
  co_return note(std::move(asked));
}

Task<std::shared_ptr<const ToolBook>> ServerLink::list() {
  auto book = std::make_shared<ToolBook>();
  std::string cursor;
  do {
    AISPM_CO_TRY(const ServerMessage said, co_await ask("tools/list", server_list(cursor)));
    const bool is_refused = said.kind == ServerMessage::Kind::kError;
    const std::string code = std::to_string(said.error_code);
    auto next = is_refused ? Result<std::string>(
                                 fail(Errc::kUnavailable, "answered tools/list with error " + code))
                           : book->add_page(config().endpoint.name, said.result);
    if (!next) co_return note(Result<std::shared_ptr<const ToolBook>>(fail(next.error())));
    cursor = std::move(*next);
  } while (!cursor.empty());
  book->finish(config().endpoint.name);
  co_return std::shared_ptr<const ToolBook>(std::move(book));
}

Task<std::shared_ptr<const ToolBook>> ServerLink::tools(std::chrono::milliseconds age) {
  if (auto known = session_.tools(server_, age, net::Clock::now())) co_return known;
  AISPM_CO_TRY(auto listed, co_await list());
  session_.keep_tools(server_, listed, net::Clock::now());
  co_return listed;
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
