// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/exchange.hpp"

#include <algorithm>

namespace aispm::sensor {
namespace {

// Host text is the client's; it goes into events and keys.
constexpr std::size_t kMaxHostBytes = 253;

std::uint64_t microseconds(BootTime from, BootTime to) {
  return to > from ? (to.nanoseconds - from.nanoseconds) / 1000 : 0;
}

// "host", with ":port" when it is not 443 (LlmCall.host).
std::string host_text(std::string_view host) {
  if (host.ends_with(":443")) host.remove_suffix(4);
  std::string text(host.substr(0, kMaxHostBytes));
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return text;
}

}  // namespace

Exchange::Exchange(const codec::http1::Head& head, const TlsChunk& first, BootTime begun,
                   Context context)
    : context_(context),
      method_(head.method),
      api_(codec::find_api(head.method, head.target)),
      charge_(context.budget) {
  seen_.time = begun;
  seen_.actor = first.actor;
  seen_.key = first.key;
  seen_.socket = first.socket;
  seen_.call.host = host_text(head.host);
  if (!api_) return;
  seen_.api = *api_;
  seen_.call.api = codec::name_of(*api_);
  request_body_.emplace(head.content_encoding);
  if (request_body_->state() == DecodedBody::State::kUnreadable) {
    context_.counters.lose("request.encoded");
    request_partial_ = true;
  }
}

void Exchange::announce_host() {
  model::LlmCall call;
  call.host = seen_.call.host;
  announce(Observation::Kind::kHost, std::move(call));
}

void Exchange::take_request(std::string_view bytes) {
  if (!api_ || request_ended_) return;
  seen_.call.request_bytes += bytes.size();
  if (request_partial_) return;
  request_body_->feed(bytes, [this](std::string_view piece) {
    if (request_partial_) return;
    const std::size_t size = body_.size() + piece.size();
    if (size > kMaxKeptBodyBytes) {
      context_.counters.lose("request.too_large");
      request_partial_ = true;
    } else if (!charge_.resize(size)) {
      context_.counters.lose("memory.request");
      request_partial_ = true;
    } else {
      body_.append(piece);
    }
  });
  if (request_body_->state() == DecodedBody::State::kBroken && !request_partial_) {
    context_.counters.lose("request.encoding_broken");
    request_partial_ = true;
  }
}

void Exchange::skip_request(std::uint64_t size) {
  if (!api_ || request_ended_) return;
  seen_.call.request_bytes += size;
  request_partial_ = true;
}

void Exchange::end_request(bool is_whole) {
  if (!api_ || request_ended_) return;
  request_ended_ = true;
  read_request(is_whole);
  body_ = {};
  (void)charge_.resize(0);
  announce(Observation::Kind::kRequest, seen_.call);
}

void Exchange::read_request(bool is_whole) {
  if (!is_whole || request_partial_) {
    seen_.call.partial = true;
    return;
  }
  const auto request = codec::parse_request(*api_, body_);
  if (!request) {
    seen_.call.partial = true;
    context_.counters.fail("request.malformed", request.error().message);
    return;
  }
  seen_.call.request_model = request->model;
  seen_.call.stream = request->stream;
  seen_.call.tools_offered = request->tools_offered;
  seen_.call.prompt_sha256 = codec::prompt_sha256(*request);
  if (context_.keep_text) seen_.call.prompt_text = codec::prompt_text(*request);
}

void Exchange::begin_reply(const codec::http1::Head& head, BootTime time) {
  if (!api_) return;
  seen_.call.status = head.status;
  seen_.call.first_byte_us = microseconds(seen_.time, time);
  reply_ = std::make_unique<ReplyReader>(*api_, head, context_.keep_text, context_.budget,
                                         context_.counters);
}

void Exchange::take_reply(std::string_view bytes, BootTime) {
  if (!api_ || !reply_) return;
  seen_.call.response_bytes += bytes.size();
  reply_->feed(bytes);
}

void Exchange::skip_reply(std::uint64_t size) {
  if (!api_ || !reply_) return;
  seen_.call.response_bytes += size;
  reply_->skip(size);
}

void Exchange::end(bool is_whole, BootTime time) {
  if (!api_ || ended_) return;
  end_request(false);  // no effect when the request was complete
  ended_ = true;
  if (reply_) {
    reply_->finish(is_whole, seen_.call);
    seen_.call.duration_us = microseconds(seen_.time, time);
    reply_.reset();
  }
  announce(Observation::Kind::kCall, std::move(seen_.call));
}

void Exchange::announce(Observation::Kind kind, model::LlmCall call) {
  Observation observation;
  observation.kind = kind;
  observation.time = seen_.time;
  observation.actor = seen_.actor;
  observation.key = seen_.key;
  observation.socket = seen_.socket;
  if (api_) observation.api = *api_;
  observation.call = std::move(call);
  context_.sink(std::move(observation));
}

}  // namespace aispm::sensor
