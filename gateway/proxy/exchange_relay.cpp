// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/exchange_relay.hpp"

#include <utility>

#include "gateway/mcp/asked_link.hpp"
#include "gateway/proxy/arrived_body.hpp"
#include "gateway/proxy/pipeline/gemini_notice.hpp"
#include "gateway/proxy/traffic/route_plan.hpp"
#include "gateway/proxy/translate/translation.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::asio::awaitable;

namespace {

// Comments of an event stream: clients skip them.
constexpr std::string_view kPulse = ": waiting for an approval\n\n";

// Lines have no comments: a piece that says nothing.
std::string empty_piece(codec::Api api, const std::string& model, WallTime now) {
  return R"({"model":)" + codec::json_string(model) + R"(,"created_at":")" + to_rfc3339(now) +
         "\"," +
         (api == codec::Api::kOllamaChat ? R"("message":{"role":"assistant","content":""})"
                                         : R"("response":"")") +
         ",\"done\":false}\n";
}

// For clients that ask for it (`x-aispm-events: approvals`): who waits can tell its user.
std::string approval_notice(const JudgedAction& action, const Settled& so_far) {
  std::string data = R"({"approval_id":)" + codec::json_string(action.approval_id) + R"(,"tool":)" +
                     codec::json_string(action.tool) + R"(,"rule":)" +
                     codec::json_string(action.verdict.rule_id) + R"(,"reason":)" +
                     codec::json_string(so_far.reason);
  if (!so_far.link.empty()) data += R"(,"link":)" + codec::json_string(so_far.link);
  return "event: aispm.approval_required\ndata: " + data + "}\n\n";
}

// A streamed reply on its way.
class StreamPass {
 public:
  StreamPass(ExchangeState& x, Client& client, UpstreamReply& reply)
      : x_(x),
        client_(client),
        reply_(reply),
        upstream_(*reply.upstream),
        reader_(reply.head),
        relay_(x.context, x.relay_options()),
        is_held_(x.guards_reply()) {
    upstream_.input.consume(reply.head.size_bytes);
  }

  // All that the provider says. Streams that are silent wait in here: what is not needed for that
  // is in conclude(), and gone meanwhile.
  awaitable<void> carry() {
    x_.counters.streams.add();
    is_client_there_ = true;
    if (!is_held_) co_await begin();
    x_.in_flight = upstream_.stream.get();
    while (goes_on()) {
      if (upstream_.input.empty())
        co_await receive();
      else
        feed_held();
      if (push()) co_await flush();
      if (relay_.state() != State::kWaiting) continue;
      co_await settle();
      if (push()) co_await flush();
    }
    x_.in_flight = nullptr;
    co_await close();
  }

  awaitable<Step> conclude() {
    Step step;
    if (is_held_) {
      x_.finish_stream(relay_, relay_.state());
      step = co_await hear_guards();
    }
    if (!step) co_await end();
    keep_connection();
    if (!is_held_) x_.finish_stream(relay_, relay_.state());
    co_return step;
  }

 private:
  using State = StreamRelay::State;

  awaitable<void> begin() {
    x_.sent = true;
    x_.write_stream_head();
    is_client_there_ = (co_await client_.send(x_.reply_head)).has_value();
  }

  // Of a reply that came to its end: what was stopped in its midst tells so itself.
  awaitable<Step> hear_guards() {
    if (relay_.state() != State::kEnded || x_.frozen) co_return Step{};
    std::string text = relay_.reply().text();
    Step step = co_await x_.hear_reply_guards(std::move(text));
    co_return step;
  }

  bool goes_on() const {
    return is_client_there_ && relay_.state() == State::kRunning && !reader_.done() &&
           !has_ended_ && broken_.empty() && !x_.frozen;
  }

  // What has arrived goes through the relay; what it does not take stays in `bytes`.
  void feed(std::string_view& bytes) {
    // What it is to say goes into memory that all streams share, if it can be sent at once.
    x_.worker.lend_room(out_);
    while (!bytes.empty() && !reader_.done() && relay_.state() == State::kRunning) {
      auto slice = reader_.next(bytes);
      if (!slice) {
        broken_ = slice.error().message;
        return;
      }
      take(slice->data);
      bytes.remove_prefix(slice->consumed);
      if (!broken_.empty()) return;
    }
  }

  void feed_held() {
    std::string_view held = upstream_.input.view();
    feed(held);
    upstream_.input.consume(upstream_.input.size() - held.size());
  }

  // In the dialect's own form, whatever the provider's is.
  void take(std::string_view data) {
    if (!x_.service_call || !x_.service_call->stream) return pass(data);
    std::string events;
    const auto read = x_.service_call->stream->feed(data, events);
    pass(events);
    if (!read) broken_ = read.error().message;
  }

  // In the client's protocol.
  void pass(std::string_view data) {
    if (!x_.translation) {
      relay_.feed(data, out_);
      return;
    }
    translated_.clear();
    const auto told = x_.translation->feed(data, translated_);
    relay_.feed(translated_, out_);
    if (!told) broken_ = told.error().message;
  }

  // The provider's body is complete: what the client is still to hear of it.
  void finish_translation() {
    if (!x_.translation || !broken_.empty() || relay_.state() != State::kRunning) return;
    translated_.clear();
    const auto told = x_.translation->finish(translated_);
    relay_.feed(translated_, out_);
    if (!told) broken_ = told.error().message;
  }

  // Sends what the client may see. True: not all of it went without a wait. Whoever waits for a
  // word gets it before others are judged.
  bool push() {
    if (is_held_) {
      if (out_.size() > x_.services.config.limits.reply_bytes)
        broken_ = "the reply is larger than can be held back for guard models";
      return false;
    }
    if (is_client_there_ && !out_.empty())
      is_client_there_ = x_.send_stream_now(client_, out_, unsent_).has_value();
    x_.worker.take_room(out_);
    return is_client_there_ && !unsent_.empty();
  }

  awaitable<void> flush() {
    is_client_there_ = (co_await client_.send(unsent_)).has_value();
    std::string().swap(unsent_);
  }

  // Tool calls wait for a person: signs of life go to the client until all are settled.
  awaitable<void> settle() {
    upstream_.stream->expire_never();  // it is not the provider that is slow now
    while (is_client_there_ && !x_.frozen) {
      const auto waits = relay_.waiting();
      if (!waits) co_return;
      JudgedAction& action = x_.gate->actions()[*waits];
      const ExchangeState::OnPulse on_pulse = [&](const Settled& so_far) {
        return send_pulse(action, so_far);
      };
      co_await x_.settle(action, on_pulse);
      if (!x_.frozen && is_client_there_) relay_.settle(*waits, x_.last_settled.passes, out_);
    }
  }

  awaitable<bool> send_pulse(const JudgedAction& action, const Settled& so_far) {
    if (is_held_) co_return !client_.stream().peer_is_gone();
    std::string text;
    if (dialect_of(x_.api) == Dialect::kGemini) {
      text = gemini_pulse(x_.framing.value_or(codec::Framing::kSse), x_.request.model);
      is_client_there_ = (co_await x_.send_stream(client_, text)).has_value();
      co_return is_client_there_;
    }
    if (x_.framing == codec::Framing::kLines) {
      text = empty_piece(x_.api, x_.request.model, wall_now());
      is_client_there_ = (co_await x_.send_stream(client_, text)).has_value();
      co_return is_client_there_;
    }
    if (x_.wants_notices && std::exchange(noticed_, action.approval_id) != action.approval_id)
      text = approval_notice(action, so_far);
    text += kPulse;
    is_client_there_ = (co_await x_.send_stream(client_, text)).has_value();
    co_return is_client_there_;
  }

  awaitable<void> receive() {
    upstream_.stream->expire_after(x_.services.config.limits.upstream_reply);
    x_.let_go_of_request();
    if (!upstream_.stream->can_wait_empty()) {
      co_await receive_held();
      co_return;
    }
    upstream_.input.relax(0);
    bool is_ready = has_more_;
    // A stream that has much to say lets others have their turn, too.
    if (is_ready) co_await x_.worker.let_others_pass();
    while (broken_.empty() && !(is_ready && read())) {
      const auto ready = co_await upstream_.stream->wait_readable();
      if (!ready) broken_ = ready.error().message;
      is_ready = true;
    }
  }

  // What is there, through the relay. False: there is nothing just now.
  bool read() {
    const std::span<char> room = x_.worker.read_room();
    const auto size = upstream_.stream->read_now(room);
    if (!size) broken_ = size.error().message;
    has_more_ = size && *size == room.size();
    if (!size || !*size) return false;
    if (**size == 0) {
      end_of_body();
      return true;
    }
    std::string_view bytes(room.data(), **size);
    feed(bytes);
    upstream_.input.append(bytes);
    return true;
  }

  void end_of_body() {
    has_ended_ = true;
    if (auto ended = reader_.finish(); !ended) broken_ = ended.error().message;
  }

  // Over TLS: a stream that was silent holds little while it waits, a busy one reads much at once.
  awaitable<void> receive_held() {
    const std::size_t room = has_more_ ? Worker::kReadBytes : InputBuffer::kInitialBytes;
    upstream_.input.relax(room);
    const auto more = co_await read_more(*upstream_.stream, upstream_.input, room);
    has_more_ = upstream_.input.size() >= InputBuffer::kInitialBytes;
    if (!more) broken_ = more.error().message;
    if (more && !*more) end_of_body();
  }

  // The end of what the provider says.
  awaitable<void> close() {
    if (x_.frozen) broken_ = "an operator has stopped this: " + x_.frozen->reason;
    if (is_client_there_) finish_translation();
    if (is_client_there_) relay_.finish(out_, broken_);
    if (relay_.state() == State::kWaiting) {
      co_await settle();
      if (x_.frozen) broken_ = "an operator has stopped this: " + x_.frozen->reason;
      if (is_client_there_) relay_.finish(out_, broken_);
    }
  }

  awaitable<void> end() {
    if (is_held_) {
      co_await begin();
      if (is_client_there_) is_client_there_ = (co_await x_.send_stream(client_, out_)).has_value();
    } else if (push()) {
      co_await flush();
    }
    if (is_client_there_) is_client_there_ = (co_await x_.end_stream(client_)).has_value();
    if (!is_client_there_) x_.client_left();
  }

  // After the dialect's end the body's own end may still be on its way; it is not worth a wait.
  void keep_connection() {
    const bool may_be_kept = relay_.state() == State::kEnded && reply_.head.keep_alive &&
                             reply_.head.body == codec::http1::BodyKind::kChunked;
    if (!may_be_kept) return;
    while (!reader_.done() && !upstream_.input.empty()) {
      auto slice = reader_.next(upstream_.input.view());
      if (!slice) return;
      upstream_.input.consume(slice->consumed);
    }
    if (reader_.done()) x_.worker.pool(*x_.provider).put(std::move(reply_.upstream));
  }

  ExchangeState& x_;
  Client& client_;
  UpstreamReply& reply_;
  Upstream& upstream_;
  codec::http1::BodyReader reader_;
  StreamRelay relay_;
  const bool is_held_;  // until guard models have spoken
  std::string out_;
  std::string unsent_;  // what did not go at once
  std::string translated_;
  std::string broken_;
  std::string noticed_;  // the approval that the client was told of last
  bool has_ended_ = false;
  bool is_client_there_ = false;
  bool has_more_ = false;  // the last read filled its room
};

// Judges a whole reply and sends what may be sent of it.
awaitable<Step> send_judged(ExchangeState& x, Client& client, std::string_view bytes) {
  if (Step step = x.judge_whole(bytes); step) co_return step;
  if (x.guards_reply()) {
    const WorkWatch::Pause waits(x.work);
    Step step;
    std::string text;
    if (const auto parsed = codec::parse_reply(x.api, bytes); parsed)
      text = codec::reply_text(*parsed);
    if (x.status == 200 && !text.empty()) step = co_await x.hear_reply_guards(std::move(text));
    if (step) co_return step;
  }
  if (x.gate) {
    const WorkWatch::Pause waits(x.work);
    Step step = co_await x.settle_actions();
    if (step) co_return step;
  }
  x.work.pause();
  co_await x.worker.let_others_pass();
  x.work.go_on();
  // Heard after the last byte had been read: nothing was in flight any more that it could cut.
  if (Step cut = x.frozen_refusal(); cut) co_return cut;
  x.sent = true;
  const std::string_view body = x.reply_patched.empty() ? bytes : std::string_view(x.reply_patched);
  note_asked(x, body);
  x.write_reply_head(body.size());
  x.response_bytes = body.size();
  x.work.pause();
  const auto sent = co_await client.send(x.reply_head, body);
  if (!sent) x.client_left();
  co_return Step{};
}

}  // namespace

awaitable<Step> relay_whole(ExchangeState& x, Client& client, UpstreamReply& reply) {
  if (x.plan && x.plan->hit) {
    Step step = co_await send_judged(x, client, x.plan->hit->body);
    x.watch_reply(x.plan->hit->body);
    co_return step;
  }
  Upstream& upstream = *reply.upstream;
  const Head head = reply.head;
  upstream.input.consume(head.size_bytes);
  x.in_flight = upstream.stream.get();
  upstream.stream->expire_after(x.services.config.limits.upstream_reply);
  const std::size_t limit_bytes = x.services.config.limits.reply_bytes;
  auto whole = arrived_body(upstream.input.view(), head.body, head.content_length, limit_bytes);
  if (!whole) {
    const WorkWatch::Pause waits(x.work);
    auto read = co_await read_whole_body(*upstream.stream, upstream.input, head.body,
                                         head.content_length, limit_bytes, x.reply_spill);
    if (!read) {
      x.in_flight = nullptr;
      co_return x.upstream_refusal(read.error());
    }
    whole = *read;
  }
  x.in_flight = nullptr;
  std::string_view told = x.adapted_reply(whole->bytes);
  const auto mended = codec::mend_surrogates(x.route.kind == RouteKind::kLlm ? told : "");
  if (mended) told = *mended;
  if (Step step = x.translate_reply(told); step) co_return step;
  Step step = co_await send_judged(x, client, told);
  x.watch_reply(told);
  if (step) co_return step;
  if (x.plan) keep_answer(x, told);
  upstream.input.consume(whole->in_place_bytes);
  if (head.keep_alive && head.body != codec::http1::BodyKind::kUntilClose)
    x.worker.pool(*x.provider).put(std::move(reply.upstream));
  co_return Step{};
}

awaitable<Step> relay_stream(ExchangeState& x, Client& client, UpstreamReply& reply) {
  StreamPass pass(x, client, reply);
  co_await pass.carry();
  Step step = co_await pass.conclude();
  co_return step;
}

}  // namespace aispm::gateway
