// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/connection.hpp"

#include <algorithm>
#include <array>

namespace aispm::sensor {
namespace {

using codec::http1::BodyKind;
using codec::http1::BodyReader;
using codec::http1::Head;
using codec::http1::HeadParser;

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0";

bool may_be_request(std::string_view bytes) {
  return !bytes.empty() && bytes.front() >= 'A' && bytes.front() <= 'Z';
}

}  // namespace

Connection::Connection(Exchange::Context context, const TlsChunk& first)
    : context_(context),
      writes_(HeadParser::Role::kRequest, context.budget),
      reads_(HeadParser::Role::kReply, context.budget),
      last_activity_(first.time) {}

bool Connection::has_pending() const {
  return std::any_of(exchanges_.begin(), exchanges_.end(),
                     [](const auto& exchange) { return exchange->is_llm(); });
}

// The side that speaks first is the client's: a process that reads first is a server, and its
// peer's sensor reports.
bool Connection::is_client(const TlsChunk& chunk) {
  role_known_ = true;
  if (chunk.direction == Direction::kRead) {
    ignore(chunk, "ignored.server_side");
    return false;
  }
  if (!may_be_request(chunk.bytes)) {
    ignore(chunk, "ignored.not_http");
    return false;
  }
  if (std::string_view(chunk.bytes).starts_with(kHttp2Preface)) {
    context_.counters.lose("ignored.http2");
    return false;
  }
  return true;
}

// Seen from its start it is none of our business; joined midway it may have been.
void Connection::ignore(const TlsChunk& chunk, std::string_view what) {
  if (chunk.from_start) return context_.counters.note(what);
  context_.counters.lose("ignored.joined_midway");
}

void Connection::take(const TlsChunk& chunk) {
  last_activity_ = std::max(last_activity_, chunk.time);
  if (is_ignored_ || chunk.bytes.empty()) return;
  if (!role_known_ && !is_client(chunk)) {
    is_ignored_ = true;
    return;
  }
  Side& side = chunk.direction == Direction::kWrite ? writes_ : reads_;
  std::string_view bytes = chunk.bytes;
  const std::uint64_t expected =
      side.begun ? side.next_offset : (chunk.from_start ? 0 : chunk.offset);
  side.begun = true;
  if (chunk.offset < expected) {
    // Seen twice: only what is new counts.
    const std::uint64_t repeated = expected - chunk.offset;
    context_.counters.note("stream.repeated_bytes",
                           std::min<std::uint64_t>(repeated, bytes.size()));
    if (repeated >= bytes.size()) return;
    bytes.remove_prefix(static_cast<std::size_t>(repeated));
  }
  side.next_offset = chunk.offset + chunk.bytes.size();
  if (side.is_lost) return;
  if (chunk.offset > expected) step_over(side, chunk.offset - expected, chunk);
  take_bytes(side, bytes, chunk);
}

void Connection::step_over(Side& side, std::uint64_t size, const TlsChunk& chunk) {
  context_.counters.lose("stream.gaps");
  context_.counters.lose("stream.gap_bytes", size);
  if (!side.in_body || size > kMaxGapBytes)
    return lose(side, "stream.lost", "a hole in the middle of a message head");
  // Zeros stand for the lost bytes: inside a body they only count, in chunk framing they are an
  // error.
  static constexpr std::array<char, 4096> kHole{};
  while (size > 0 && !side.is_lost) {
    if (!side.in_body) return lose(side, "stream.lost", "a hole across the end of a message");
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(size, kHole.size()));
    size -= take_body(side, std::string_view(kHole.data(), piece), true, chunk);
  }
}

void Connection::take_bytes(Side& side, std::string_view bytes, const TlsChunk& chunk) {
  while (!bytes.empty() && !side.is_lost && !is_ignored_)
    bytes.remove_prefix(side.in_body ? take_body(side, bytes, false, chunk)
                                     : take_head(side, bytes, chunk));
}

std::size_t Connection::take_head(Side& side, std::string_view bytes, const TlsChunk& chunk) {
  // Bytes go into the buffer only while a head is incomplete; at most a head's limit is held.
  const std::size_t held = side.buffer.size();
  if (held == 0) side.message_time = chunk.time;
  if (!is_request_side(side) && exchanges_.empty()) {
    lose(side, "http.reply.unasked", "reply bytes without a request");
    return bytes.size();
  }
  const std::size_t room = codec::http1::kMaxHeadBytes + 1 - held;
  const std::string_view taken = bytes.substr(0, room);
  if (!side.charge.resize(held + taken.size())) {
    lose(side, "memory.head", "no memory left for message heads");
    return bytes.size();
  }
  side.buffer.append(taken);
  const std::string_view method =
      is_request_side(side) ? std::string_view() : std::string_view(exchanges_.front()->method());
  const auto head = side.heads.parse(side.buffer, method);
  if (!head) {
    lose(side, is_request_side(side) ? "http.request.malformed" : "http.reply.malformed",
         head.error().message);
    return bytes.size();
  }
  if (!*head) return taken.size();
  const std::size_t used = (*head)->size_bytes - held;
  const bool goes_on =
      is_request_side(side) ? begin_request(**head, chunk) : begin_reply(**head, chunk);
  const bool has_body = !(*head)->is_interim;
  if (goes_on && has_body) {
    side.body = BodyReader(**head);
    side.in_body = true;
  }
  side.buffer.clear();
  (void)side.charge.resize(0);
  if (side.in_body && side.body.done()) end_message(side, chunk);
  return used;
}

bool Connection::begin_request(const Head& head, const TlsChunk& chunk) {
  if (exchanges_.size() >= kMaxPipelined) {
    lose(writes_, "http.pipelined", "too many requests without a reply");
    return false;
  }
  exchanges_.push_back(std::make_unique<Exchange>(head, chunk, writes_.message_time, context_));
  sending_ = exchanges_.back().get();
  context_.counters.note("http.requests");
  if (!head.host.empty() && head.host != last_host_) {
    last_host_ = head.host;
    sending_->announce_host();
  }
  return true;
}

bool Connection::begin_reply(const Head& head, const TlsChunk& chunk) {
  if (head.is_interim) return true;
  if (head.body == BodyKind::kTunnel) {
    // WebSocket and the like: no HTTP follows in either direction.
    exchanges_.front()->begin_reply(head, reads_.message_time);
    exchanges_.front()->end(true, chunk.time);
    context_.counters.note("ignored.upgraded");
    is_ignored_ = true;
    return false;
  }
  exchanges_.front()->begin_reply(head, reads_.message_time);
  return true;
}

std::size_t Connection::take_body(Side& side, std::string_view bytes, bool is_hole,
                                  const TlsChunk& chunk) {
  const auto slice = side.body.next(bytes);
  if (!slice) {
    lose(side, is_request_side(side) ? "http.request.malformed" : "http.reply.malformed",
         slice.error().message);
    return bytes.size();
  }
  if (!slice->data.empty()) {
    if (is_request_side(side)) {
      if (sending_ != nullptr)
        is_hole ? sending_->skip_request(slice->data.size()) : sending_->take_request(slice->data);
    } else {
      Exchange& front = *exchanges_.front();
      is_hole ? front.skip_reply(slice->data.size()) : front.take_reply(slice->data, chunk.time);
    }
  }
  if (side.body.done()) end_message(side, chunk);
  return slice->consumed;
}

void Connection::end_message(Side& side, const TlsChunk& chunk) {
  side.in_body = false;
  if (is_request_side(side)) {
    if (sending_ != nullptr) sending_->end_request(true);
    sending_ = nullptr;
    if (reads_.is_lost) end_all(chunk.time);
    return;
  }
  exchanges_.front()->end(true, chunk.time);
  if (exchanges_.front().get() == sending_) sending_ = nullptr;  // answered before it was all sent
  exchanges_.pop_front();
}

void Connection::lose(Side& side, std::string_view cause, std::string_view why) {
  side.is_lost = true;
  side.buffer = {};
  (void)side.charge.resize(0);
  context_.counters.fail(cause, why);
  if (is_request_side(side)) {
    // The reply to what was understood may still come; of the request there is no more to wait for.
    if (sending_ != nullptr) sending_->end_request(false);
    sending_ = nullptr;
    return;
  }
  end_all(last_activity_);
}

void Connection::end_all(BootTime time) {
  for (const auto& exchange : exchanges_) exchange->end(false, time);
  exchanges_.clear();
  sending_ = nullptr;
}

void Connection::close(BootTime time) {
  const bool ends_by_close = reads_.in_body && reads_.body.finish().has_value();
  if (ends_by_close && !exchanges_.empty()) exchanges_.front()->end(true, time);
  end_all(time);
  is_ignored_ = true;
}

}  // namespace aispm::sensor
