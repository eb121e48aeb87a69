// SPDX-License-Identifier: Apache-2.0
// The stream on which a server answers one request: what it says before the answer, and where it is
// taken up again when it ends too early (2025-11-25, "resumability and redelivery").
#include <algorithm>

#include "gateway/mcp/server_link.hpp"
#include "gateway/mcp/server_wire.hpp"
#include "gateway/mcp/wishes.hpp"
#include "gateway/proxy/message_io.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/codec/sse.hpp"

namespace aispm::gateway {

using codec::http1::BodyKind;
using net::Task;
using std::chrono::milliseconds;

namespace {

// The end of a stream comes at once after its last event, or is not worth a wait.
constexpr milliseconds kStreamEnd{5};
// Before a stream is taken up again, whatever the server wants.
constexpr milliseconds kMinPause{20};
constexpr milliseconds kMaxPause{60'000};

}  // namespace

// Where a stream was left.
struct ServerLink::StreamPlace {
  std::string last_id;       // of its events; "" = it cannot be taken up
  milliseconds pause{1000};  // that the server wants first
};

Task<> ServerLink::take_wish(const ServerSession& session, const ServerMessage& wish) {
  if (wish.method == "ping") {
    const std::string pong = "{\"jsonrpc\":\"2.0\",\"id\":" + wish.id + ",\"result\":{}}";
    (void)co_await post(session, pong, "");
    co_return Result<>{};
  }
  if (++asked_wishes_ > kMaxWishes)
    co_return fail(Errc::kTooLarge, "the server asks the client for too much");
  if (on_wish_) {
    const std::string said = co_await on_wish_(wish);
    if (is_aborted_) co_return fail(Errc::kUnavailable, "the request was given up");
    const std::string reply = "{\"jsonrpc\":\"2.0\",\"id\":" + wish.id + "," + said + "}";
    (void)co_await post(session, reply, "");
    co_return Result<>{};
  }
  wishes_.push_back(wish.method.substr(0, kMaxWishMethod));
  worker_.counters().mcp_server_requests.add();
  const std::string denial = server_denial(wish.id, wishes_.back());
  (void)co_await post(session, denial, "");
  co_return Result<>{};
}

Task<> ServerLink::hear_note(const ServerMessage& note) {
  if (auto change = read_change(note.method, note.params)) {
    if (++notes_ > kMaxNotes || !session_.tell(server_, std::move(*change)))
      worker_.counters().mcp_changes_dropped.add();
    co_return Result<>{};
  }
  const bool is_heard =
      note.method == "notifications/progress" || note.method == "notifications/message";
  if (!on_note_ || !is_heard || note.params.empty()) co_return Result<>{};
  if (++notes_ > kMaxNotes)
    worker_.counters().mcp_results_withheld.add();
  else
    co_await on_note_(note);
  co_return Result<>{};
}

// Whether it held the answer. Else it ended, or broke off, and `place` tells whether and where it
// can be taken up again.
Task<bool> ServerLink::read_stream(const ServerSession& session, UpstreamReply& reply,
                                   Posted& posted, const std::string& id, StreamPlace& place) {
  Upstream& upstream = *reply.upstream;
  codec::http1::BodyReader reader(reply.head);
  const bool is_kept = reply.head.keep_alive && reply.head.body != BodyKind::kUntilClose;
  upstream.input.consume(reply.head.size_bytes);
  codec::SseParser events(codec::kMaxRpcBytes);
  bool is_answered = false;
  while (!is_answered) {
    AISPM_CO_TRY(const std::optional<codec::SseEvent> event, events.next());
    if (event) {
      if (event->id) place.last_id = *event->id;
      if (event->retry_ms) place.pause = std::chrono::milliseconds(*event->retry_ms);
      if (!is_message(*event)) continue;
      AISPM_CO_TRY(ServerMessage said, read_server_message(event->data, id));
      if (said.kind == ServerMessage::Kind::kRequest) {
        AISPM_CO_CHECK(co_await take_wish(session, said));
        in_flight_ = upstream.stream.get();
        continue;
      }
      if (said.kind == ServerMessage::Kind::kOther) {
        AISPM_CO_CHECK(co_await hear_note(said));
        if (is_aborted_) co_return fail(Errc::kUnavailable, "the request was given up");
      }
      is_answered = said.kind != ServerMessage::Kind::kOther;
      if (is_answered) posted.answer = std::move(said);
      continue;
    }
    if (reader.done()) co_return false;
    if (upstream.input.empty()) {
      upstream.stream->expire_after(config().call);
      const auto more = co_await read_more(*upstream.stream, upstream.input, 4096);
      const bool has_broken = !more && more.error().code == Errc::kUnavailable && !is_aborted_;
      if (!more && !has_broken) co_return fail(more.error());
      if (has_broken || !*more) co_return false;
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
  co_return true;
}

// Asks for what followed `place`, until the answer came. The caller bounds the time.
Task<> ServerLink::read_streams(const ServerSession& session, UpstreamReply& reply, Posted& posted,
                                const std::string& id) {
  StreamPlace place;
  AISPM_CO_TRY(bool is_answered, co_await read_stream(session, reply, posted, id, place));
  while (!is_answered) {
    if (place.last_id.empty() || is_stateless(session))
      co_return fail(Errc::kUnavailable, "the stream ended without an answer");
    if (!is_header_token(place.last_id))
      co_return fail(Errc::kInvalid, "the id of a server's event is not acceptable");
    AISPM_CO_CHECK(co_await pause(place.pause));
    AISPM_CO_TRY(UpstreamReply rest, co_await take_up(session, place));
    AISPM_CO_TRY(is_answered, co_await read_stream(session, rest, posted, id, place));
  }
  co_return Result<>{};
}

Task<> ServerLink::pause(milliseconds wanted) {
  net::asio::steady_timer timer(worker_.context(), std::clamp(wanted, kMinPause, kMaxPause));
  in_flight_ = nullptr;
  pause_ = &timer;
  (void)co_await timer.async_wait(net::kNoThrow);
  pause_ = nullptr;
  if (is_aborted_) co_return fail(Errc::kUnavailable, "the request was given up");
  co_return Result<>{};
}

Task<UpstreamReply> ServerLink::take_up(const ServerSession& session, const StreamPlace& place) {
  std::string head = head_of("GET", session, 0);
  head.insert(head.size() - 2, "last-event-id: " + place.last_id + "\r\n");
  const Limits& limits = worker_.services().config.limits;
  AISPM_CO_TRY(UpstreamReply reply,
               co_await ask_upstream(
                   worker_.context(), worker_.watchdog(), provider(), worker_.mcp_pool(server_),
                   {.head = head, .body = {}, .method = "GET", .is_over = &is_aborted_},
                   {.connect = limits.upstream_connect, .silence = config().call}, &in_flight_));
  if (reply.head.status != 200 || !is_stream(reply.head))
    co_return fail(Errc::kUnavailable,
                   "ended the stream before the answer, and answered the wish for the rest with "
                   "status " +
                       std::to_string(reply.head.status));
  in_flight_ = reply.upstream->stream.get();
  co_return std::move(reply);
}

}  // namespace aispm::gateway
