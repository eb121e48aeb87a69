// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/llm_exchange.hpp"

#include <utility>

namespace aispm::sensor {

LlmExchange::LlmExchange(codec::ApiRoute route, const RequestHead& head, const Party& party,
                         BootTime begun, Context context)
    : Exchange(head.method),
      context_(context),
      party_(party),
      route_(std::move(route)),
      begun_(begun),
      request_body_(head.content_encoding),
      charge_(context.budget) {
  call_.host = host_text(head.host);
  call_.api = codec::name_of(route_.api);
  call_.request_model = route_.model;
  if (request_body_.state() == DecodedBody::State::kUnreadable) {
    if (!route_.is_common_path) context_.counters.lose("request.encoded");
    request_partial_ = true;
  }
}

void LlmExchange::take_request(std::string_view bytes) {
  if (request_ended_) return;
  call_.request_bytes += bytes.size();
  if (request_partial_) return;
  request_body_.feed(bytes, [this](std::string_view piece) { keep(piece); });
  if (request_body_.state() == DecodedBody::State::kBroken && !request_partial_) {
    context_.counters.lose("request.encoding_broken");
    request_partial_ = true;
  }
}

void LlmExchange::keep(std::string_view piece) {
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
}

void LlmExchange::skip_request(std::uint64_t size) {
  if (request_ended_) return;
  call_.request_bytes += size;
  request_partial_ = true;
}

void LlmExchange::end_request(bool is_whole, BootTime) {
  if (request_ended_) return;
  request_ended_ = true;
  read_request(is_whole);
  body_ = {};
  (void)charge_.resize(0);
  if (!is_other_) announce(Observation::Kind::kRequest, call_);
}

void LlmExchange::read_request(bool is_whole) {
  if (!is_whole || request_partial_) {
    is_other_ = route_.is_common_path;
    call_.partial = true;
    return;
  }
  const auto request = codec::parse_request(route_, body_);
  if (request) return begin_call(*request);
  if (route_.is_common_path) {
    is_other_ = true;
    return context_.counters.note("ignored.other_body");
  }
  call_.partial = true;
  context_.counters.fail("request.malformed", request.error().message);
}

void LlmExchange::begin_call(const codec::LlmRequest& request) {
  call_.request_model = request.model;
  call_.stream = request.stream;
  call_.tools_offered = request.tools_offered;
  call_.prompt_sha256 = codec::prompt_sha256(request);
  if (context_.keep_text) call_.prompt_text = codec::prompt_text(request);
}

void LlmExchange::begin_reply(const ReplyHead& head, BootTime time) {
  // A reply before the request ended may still be a model's.
  if (is_other_) return;
  call_.status = head.status;
  call_.first_byte_us = microseconds(begun_, time);
  reply_ = std::make_unique<ReplyReader>(route_.api, head, call_.stream || route_.streams,
                                         context_.keep_text, context_.budget, context_.counters);
}

void LlmExchange::take_reply(std::string_view bytes, BootTime) {
  if (!reply_) return;
  call_.response_bytes += bytes.size();
  reply_->feed(bytes);
}

void LlmExchange::skip_reply(std::uint64_t size) {
  if (!reply_) return;
  call_.response_bytes += size;
  reply_->skip(size);
}

void LlmExchange::end(bool is_whole, BootTime time) {
  if (ended_) return;
  end_request(false, time);  // no effect when the request was complete
  ended_ = true;
  if (reply_) {
    reply_->finish(is_whole, call_);
    call_.duration_us = microseconds(begun_, time);
    reply_.reset();
  }
  if (is_other_) return;
  announce(Observation::Kind::kCall, std::move(call_));
}

void LlmExchange::announce(Observation::Kind kind, model::LlmCall call) {
  Observation seen = make_observation(kind, party_, begun_);
  seen.api = route_.api;
  seen.call = std::move(call);
  context_.sink(std::move(seen));
}

}  // namespace aispm::sensor
