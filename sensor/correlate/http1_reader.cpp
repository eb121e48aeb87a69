// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/http1_reader.hpp"

#include <algorithm>
#include <array>

#include "sdk/core/codec/websocket.hpp"
#include "sensor/correlate/websocket_reader.hpp"

namespace aispm::sensor {

using codec::http1::BodyKind;
using codec::http1::BodyReader;
using codec::http1::Head;
using codec::http1::HeadParser;

Http1Reader::Http1Reader(const Party& party, Context context)
    : party_(party),
      context_(context),
      requests_(HeadParser::Role::kRequest, context.budget),
      replies_(HeadParser::Role::kReply, context.budget) {}

bool Http1Reader::has_pending() const {
  if (upgraded_) return upgraded_->has_pending();
  return std::any_of(exchanges_.begin(), exchanges_.end(),
                     [](const auto& exchange) { return exchange->is_pending(); });
}

void Http1Reader::take(Sender sender, std::string_view bytes, BootTime time) {
  Side& side = side_of(sender);
  while (!bytes.empty() && !side.is_lost && !is_tunnel_)
    bytes.remove_prefix(side.in_body ? take_body(side, bytes, false, time)
                                     : take_head(side, bytes, time));
  if (upgraded_ && !bytes.empty()) upgraded_->take(sender, bytes, time);
}

void Http1Reader::skip(Sender sender, std::uint64_t size, BootTime time) {
  if (upgraded_) return upgraded_->skip(sender, size, time);
  Side& side = side_of(sender);
  if (side.is_lost || is_tunnel_) return;
  if (!side.in_body || size > kMaxGapBytes)
    return lose(side, "stream.lost", "a hole in the middle of a message head", time);
  // Zeros stand for the lost bytes: inside a body they only count, in chunk framing they are an
  // error.
  static constexpr std::array<char, 4096> kHole{};
  while (size > 0 && !side.is_lost) {
    if (!side.in_body) return lose(side, "stream.lost", "a hole across the end of a message", time);
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(size, kHole.size()));
    size -= take_body(side, std::string_view(kHole.data(), piece), true, time);
  }
}

std::size_t Http1Reader::take_head(Side& side, std::string_view bytes, BootTime time) {
  // Bytes go into the buffer only while a head is incomplete; at most a head's limit is held.
  const std::size_t held = side.buffer.size();
  if (held == 0) side.message_time = time;
  if (!is_request_side(side) && exchanges_.empty()) {
    lose(side, "http.reply.unasked", "reply bytes without a request", time);
    return bytes.size();
  }
  const std::size_t room = codec::http1::kMaxHeadBytes + 1 - held;
  const std::string_view taken = bytes.substr(0, room);
  if (!side.charge.resize(held + taken.size())) {
    lose(side, "memory.head", "no memory left for message heads", time);
    return bytes.size();
  }
  side.buffer.append(taken);
  const std::string_view method =
      is_request_side(side) ? std::string_view() : std::string_view(exchanges_.front()->method());
  const auto head = side.heads.parse(side.buffer, method);
  if (!head) {
    lose(side, is_request_side(side) ? "http.request.malformed" : "http.reply.malformed",
         head.error().message, time);
    return bytes.size();
  }
  if (!*head) return taken.size();
  const std::size_t used = (*head)->size_bytes - held;
  const bool goes_on = is_request_side(side) ? begin_request(**head) : begin_reply(**head, time);
  if (goes_on && !(*head)->is_interim) {
    side.body = BodyReader(**head);
    side.in_body = true;
  }
  side.buffer.clear();
  (void)side.charge.resize(0);
  if (side.in_body && side.body.done()) end_message(side, time);
  return used;
}

bool Http1Reader::begin_request(const Head& head) {
  if (exchanges_.size() >= kMaxPipelined) {
    lose(requests_, "http.pipelined", "too many requests without a reply", requests_.message_time);
    return false;
  }
  exchanges_.push_back(make_exchange(request_head(head), party_, requests_.message_time, context_));
  sending_ = exchanges_.back().get();
  context_.counters.note("http.requests");
  note_upgrade(head);
  if (!head.host.empty() && head.host != last_host_) {
    last_host_ = head.host;
    announce_host(head.host, client_words(head.headers), party_, requests_.message_time, context_);
  }
  return true;
}

bool Http1Reader::begin_reply(const Head& head, BootTime time) {
  if (head.is_interim) return true;
  exchanges_.front()->begin_reply(reply_head(head), replies_.message_time);
  if (head.body != BodyKind::kTunnel) return true;
  begin_tunnel(head, time);
  return false;
}

void Http1Reader::note_upgrade(const Head& request) {
  upgrade_.reset();
  if (!codec::http1::equal_name(request.upgrade, "websocket")) return;
  const auto route = codec::find_route(request.method, request.target);
  if (!route || route->api != codec::Api::kOpenAiRealtime) return;
  upgrade_ = route;
  upgrade_host_ = request.host;
}

// No HTTP follows in either direction.
void Http1Reader::begin_tunnel(const Head& reply, BootTime time) {
  exchanges_.front()->end(true, time);
  exchanges_.pop_front();
  sending_ = nullptr;
  is_tunnel_ = true;
  if (!upgrade_ || !codec::http1::equal_name(reply.upgrade, "websocket"))
    return context_.counters.note("ignored.upgraded");
  const auto extensions = codec::websocket::read_extensions(
      reply.find("sec-websocket-extensions").value_or(std::string_view()));
  if (!extensions)
    return context_.counters.fail("websocket.extensions", extensions.error().message);
  upgraded_ =
      std::make_unique<WebSocketReader>(*upgrade_, upgrade_host_, *extensions, party_, context_);
}

std::size_t Http1Reader::take_body(Side& side, std::string_view bytes, bool is_hole,
                                   BootTime time) {
  const auto slice = side.body.next(bytes);
  if (!slice) {
    lose(side, is_request_side(side) ? "http.request.malformed" : "http.reply.malformed",
         slice.error().message, time);
    return bytes.size();
  }
  if (!slice->data.empty()) {
    if (is_request_side(side)) {
      if (sending_ != nullptr)
        is_hole ? sending_->skip_request(slice->data.size()) : sending_->take_request(slice->data);
    } else {
      Exchange& front = *exchanges_.front();
      is_hole ? front.skip_reply(slice->data.size()) : front.take_reply(slice->data, time);
    }
  }
  if (side.body.done()) end_message(side, time);
  return slice->consumed;
}

void Http1Reader::end_message(Side& side, BootTime time) {
  side.in_body = false;
  if (is_request_side(side)) {
    if (sending_ != nullptr) sending_->end_request(true, time);
    sending_ = nullptr;
    if (replies_.is_lost) end_all(time);
    return;
  }
  exchanges_.front()->end(true, time);
  if (exchanges_.front().get() == sending_) sending_ = nullptr;  // answered before it was all sent
  exchanges_.pop_front();
}

void Http1Reader::lose(Side& side, std::string_view cause, std::string_view why, BootTime time) {
  side.is_lost = true;
  side.buffer = {};
  (void)side.charge.resize(0);
  context_.counters.fail(cause, why);
  if (is_request_side(side)) {
    // The reply to what was understood may still come; of the request there is no more to wait for.
    if (sending_ != nullptr) sending_->end_request(false, time);
    sending_ = nullptr;
    return;
  }
  end_all(time);
}

void Http1Reader::end_all(BootTime time) {
  for (const auto& exchange : exchanges_) exchange->end(false, time);
  exchanges_.clear();
  sending_ = nullptr;
}

void Http1Reader::close(BootTime time) {
  if (upgraded_) return upgraded_->close(time);
  const bool ends_by_close = replies_.in_body && replies_.body.finish().has_value();
  if (ends_by_close && !exchanges_.empty()) exchanges_.front()->end(true, time);
  end_all(time);
  is_tunnel_ = true;
}

}  // namespace aispm::sensor
