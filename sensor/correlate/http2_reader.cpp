// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/http2_reader.hpp"

#include <algorithm>
#include <utility>

namespace aispm::sensor {

using codec::http2::Event;
using codec::http2::Side;

namespace {

Side side_of(Sender sender) { return sender == Sender::kClient ? Side::kClient : Side::kServer; }

constexpr std::uint16_t kFirstFinalStatus = 200;

}  // namespace

Http2Reader::Http2Reader(const Party& party, Context context, bool from_start)
    : party_(party), context_(context), observer_(from_start), charge_(context.budget) {}

void Http2Reader::take(Sender sender, std::string_view bytes, BootTime time) {
  if (is_closed_ || observer_.is_lost(side_of(sender))) return;
  // An error comes as an event, too.
  (void)observer_.feed(side_of(sender), bytes,
                       [&](const Event& event) { take_event(event, time); });
  charge(time);
}

void Http2Reader::skip(Sender sender, std::uint64_t size, BootTime time) {
  if (is_closed_ || observer_.is_lost(side_of(sender))) return;
  observer_.skip(side_of(sender), size, [&](const Event& event) { take_event(event, time); });
  charge(time);
}

void Http2Reader::charge(BootTime time) {
  if (charge_.resize(observer_.held_bytes())) return;
  context_.counters.lose("memory.head");
  close(time);
}

void Http2Reader::take_event(const Event& event, BootTime time) {
  switch (event.kind) {
    case Event::Kind::kHead:
      begin_stream(event, time);
      break;
    case Event::Kind::kData:
    case Event::Kind::kGap:
      take_body(event, time);
      break;
    case Event::Kind::kEnd:
      if (event.from == Side::kServer) {
        end_stream(event.stream, true, time);
      } else if (const auto found = streams_.find(event.stream); found != streams_.end()) {
        found->second->end_request(true, time);
        if (observer_.is_lost(Side::kServer)) end_stream(event.stream, false, time);
      }
      break;
    case Event::Kind::kDropped:
      context_.counters.lose("http2.streams_dropped");
      [[fallthrough]];
    case Event::Kind::kReset:
      end_stream(event.stream, false, time);
      break;
    case Event::Kind::kLost:
      lose(event, time);
      break;
    case Event::Kind::kTrailers:
    case Event::Kind::kPromise:
      break;
  }
}

void Http2Reader::begin_stream(const Event& event, BootTime time) {
  const codec::http2::Head& head = *event.head;
  if (event.from == Side::kServer) {
    const auto found = streams_.find(event.stream);
    if (found == streams_.end() || head.status < kFirstFinalStatus) return;
    found->second->begin_reply({head.status, head.content_type(), head.content_encoding()}, time);
    return;
  }
  if (head.method().empty() || head.path().empty())
    return context_.counters.lose("http2.head_unknown");
  RequestHead request;
  request.method = head.method();
  request.target = head.path();
  request.host = head.authority();
  request.content_type = head.content_type();
  request.content_encoding = head.content_encoding();
  request.accept = head.value("accept");
  request.mcp_session = head.value("mcp-session-id");
  end_stream(event.stream, false, time);  // an id that comes again
  streams_[event.stream] = make_exchange(request, party_, time, context_);
  context_.counters.note("http.requests");
  if (request.host.empty() || request.host == last_host_) return;
  last_host_ = request.host;
  announce_host(request.host, client_words(head.fields), party_, time, context_);
}

void Http2Reader::take_body(const Event& event, BootTime time) {
  const auto found = streams_.find(event.stream);
  if (found == streams_.end()) return;
  Exchange& exchange = *found->second;
  const bool is_hole = event.kind == Event::Kind::kGap;
  if (event.from == Side::kClient)
    return is_hole ? exchange.skip_request(event.lost_bytes) : exchange.take_request(event.data);
  is_hole ? exchange.skip_reply(event.lost_bytes) : exchange.take_reply(event.data, time);
}

void Http2Reader::end_stream(std::uint32_t id, bool is_whole, BootTime time) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::unique_ptr<Exchange> exchange = std::move(found->second);
  streams_.erase(found);
  exchange->end(is_whole, time);
}

void Http2Reader::lose(const Event& event, BootTime time) {
  context_.counters.fail(
      event.from == Side::kClient ? "http2.request_side_lost" : "http2.reply_side_lost", event.why);
  if (event.from == Side::kServer) return end_all(time);
  // Replies to what was understood may still come; of requests there is no more to wait for.
  for (const auto& [id, exchange] : streams_) exchange->end_request(false, time);
}

bool Http2Reader::has_pending() const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [](const auto& stream) { return stream.second->is_pending(); });
}

void Http2Reader::end_all(BootTime time) {
  for (auto& [id, exchange] : std::exchange(streams_, {})) exchange->end(false, time);
}

void Http2Reader::close(BootTime time) {
  is_closed_ = true;
  end_all(time);
  (void)charge_.resize(0);
}

}  // namespace aispm::sensor
