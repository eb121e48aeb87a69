// SPDX-License-Identifier: Apache-2.0
// Staying at a server's stream of changes: GET of a session, subscriptions/listen of 2026-07-28.
#include "gateway/mcp/mcp_request.hpp"
#include "gateway/mcp/server_link.hpp"
#include "gateway/mcp/server_wire.hpp"
#include "gateway/proxy/message_io.hpp"
#include "gateway/proxy/version.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/codec/sse.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using net::Task;

namespace {

// Without a byte a stream is opened anew: nobody would see that the server has gone.
constexpr std::chrono::minutes kSilence{10};
constexpr std::string_view kListen = "subscriptions/listen";

}  // namespace

Task<ServerLink::Heard> ServerLink::read_changes(const ServerSession& session, UpstreamReply& reply,
                                                 const std::string& id, const Listen& what) {
  Upstream& upstream = *reply.upstream;
  codec::http1::BodyReader reader(reply.head);
  upstream.input.consume(reply.head.size_bytes);
  codec::SseParser events(codec::kMaxRpcBytes);
  while (!is_aborted_) {
    AISPM_CO_TRY(const std::optional<codec::SseEvent> event, events.next());
    if (event) {
      if (!is_message(*event)) continue;
      AISPM_CO_TRY(ServerMessage said, read_server_message(event->data, id));
      if (said.kind == ServerMessage::Kind::kRequest) {
        AISPM_CO_CHECK(co_await take_wish(session, said));
        asked_wishes_ = 0;  // one after the other, for as long as the stream lasts
        wishes_.clear();
        in_flight_ = upstream.stream.get();
      } else if (said.kind == ServerMessage::Kind::kError) {
        co_return said.error_code == mcp_code::kUnknownMethod ? Heard::kNoStream : Heard::kEnded;
      } else if (said.kind == ServerMessage::Kind::kResult) {
        co_return Heard::kEnded;
      } else if (said.method == "notifications/subscriptions/acknowledged") {
        what.on_open();
      } else if (const auto change = read_change(said.method, said.params)) {
        what.hear(*change);
      } else if (!is_stateless(session)) {
        AISPM_CO_CHECK(co_await hear_note(said));
      }
      continue;
    }
    if (reader.done()) co_return Heard::kEnded;
    if (upstream.input.empty()) {
      upstream.stream->expire_after(kSilence);
      AISPM_CO_TRY(const bool more, co_await read_more(*upstream.stream, upstream.input, 4096));
      if (!more) co_return Heard::kEnded;
    }
    AISPM_CO_TRY(const auto slice, reader.next(upstream.input.view()));
    events.feed(slice.data);
    upstream.input.consume(slice.consumed);
  }
  co_return fail(Errc::kUnavailable, "the stream was given up");
}

Task<ServerLink::Heard> ServerLink::listen(const ServerSession& with, const Listen& what) {
  const bool is_request = is_stateless(with);
  std::string id;
  std::string body;
  if (is_request) {
    id = codec::json_string(make_span_id());
    const ServerMeta meta{.is_stateless = true};
    body = server_request(id, kListen, server_params(server_listen(what.filter), meta, kVersion));
  }
  const std::string verb = is_request ? "POST" : "GET";
  std::string head = head_of(verb, with, body.size());
  const ServerAsk mirrored{.method = std::string(kListen)};
  if (is_request) head.insert(head.size() - 2, mirror_lines(mirrored));
  const Limits& limits = worker_.services().config.limits;
  AISPM_CO_TRY(UpstreamReply reply,
               co_await ask_upstream(
                   worker_.context(), worker_.watchdog(), provider(), worker_.mcp_pool(server_),
                   {.head = head, .body = body, .method = verb, .is_over = &is_aborted_},
                   {.connect = limits.upstream_connect, .silence = config().call}, &in_flight_));
  in_flight_ = nullptr;
  const int status = reply.head.status;
  if (status == 404 && !with.id.empty()) {
    session_.forget(server_, with.id);
    co_return fail(Errc::kUnavailable, "the server has ended the session");
  }
  if (status == 405 || (is_request && (status == 404 || status == 400))) co_return Heard::kNoStream;
  if (status != 200 || !is_stream(reply.head))
    co_return fail(Errc::kUnavailable,
                   "answered the wish for its stream with status " + std::to_string(status));
  in_flight_ = reply.upstream->stream.get();
  if (!is_request) what.on_open();
  auto heard = co_await read_changes(with, reply, id, what);
  in_flight_ = nullptr;
  co_return heard;
}

}  // namespace aispm::gateway
