// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/websocket_reader.hpp"

#include <utility>

#include "sdk/core/common/crypto.hpp"
#include "sensor/correlate/reply_reader.hpp"

namespace aispm::sensor {
namespace {

constexpr std::uint32_t kSwitchingProtocols = 101;

}  // namespace

WebSocketReader::WebSocketReader(codec::ApiRoute route, std::string_view host,
                                 codec::websocket::Extensions extensions, const Party& party,
                                 Context context)
    : route_(std::move(route)),
      host_(host_text(host)),
      party_(party),
      context_(context),
      client_(codec::websocket::Sender::kClient, extensions, kMaxKeptBodyBytes),
      server_(codec::websocket::Sender::kServer, extensions, kMaxKeptBodyBytes),
      model_(route_.model),
      charge_(context.budget) {}

void WebSocketReader::take(Sender sender, std::string_view bytes, BootTime time) {
  codec::websocket::Reader& side = side_of(sender);
  if (side.is_lost()) return;
  const auto fed =
      side.feed(bytes, [&](const Message& message) { take_message(sender, message, time); });
  if (!fed) {
    context_.counters.fail("websocket.malformed", fed.error().message);
    if (sender == Sender::kServer) end_all(time);
  }
  charge(time);
}

void WebSocketReader::skip(Sender sender, std::uint64_t size, BootTime time) {
  codec::websocket::Reader& side = side_of(sender);
  if (side.is_lost()) return;
  if (side.skip(size)) return;
  context_.counters.fail("stream.lost", "a hole outside of a frame's payload");
  if (sender == Sender::kServer) end_all(time);
}

void WebSocketReader::charge(BootTime time) {
  std::size_t held = client_.held_bytes() + server_.held_bytes() + prompt_.size();
  for (const auto& call : calls_) held += call->reply.kept_bytes();
  if (charge_.resize(held)) return;
  context_.counters.lose("memory.reply");
  close(time);
}

void WebSocketReader::take_message(Sender sender, const Message& message, BootTime time) {
  if (message.kind != Message::Kind::kText) return;
  context_.counters.note("websocket.messages");
  if (!message.is_whole) {
    context_.counters.lose("websocket.broken_messages");
    if (sender == Sender::kClient) {
      prompt_is_partial_ = true;
    } else if (!calls_.empty()) {
      calls_.front()->call.partial = true;
    }
    return;
  }
  sender == Sender::kClient ? take_client(message.data, time) : take_server(message.data, time);
}

void WebSocketReader::take_client(std::string_view text, BootTime time) {
  const auto request = codec::parse_request(route_, text);
  if (!request) {
    prompt_is_partial_ = true;
    return context_.counters.fail("request.malformed", request.error().message);
  }
  prompt_bytes_ += text.size();
  if (request->model != route_.model && !request->model.empty()) model_ = request->model;
  if (!request->tools_offered.empty()) tools_ = request->tools_offered;
  add_prompt(codec::prompt_text(*request));
  if (request->message_type == "response.create") begin_call(time);
}

void WebSocketReader::add_prompt(std::string_view text) {
  if (text.empty()) return;
  if (prompt_.size() + text.size() + 1 > kMaxPromptBytes) {
    context_.counters.lose("request.too_large");
    prompt_is_partial_ = true;
    return;
  }
  if (!prompt_.empty()) prompt_ += '\n';
  prompt_ += text;
}

void WebSocketReader::begin_call(BootTime time) {
  if (calls_.size() >= kMaxCalls) return context_.counters.lose("http.pipelined");
  auto call = std::make_unique<Call>(route_.api);
  call->begun = time;
  call->call.api = codec::name_of(route_.api);
  call->call.host = host_;
  call->call.status = kSwitchingProtocols;
  call->call.stream = true;
  call->call.request_model = model_;
  call->call.tools_offered = tools_;
  call->call.request_bytes = std::exchange(prompt_bytes_, 0);
  call->call.partial = std::exchange(prompt_is_partial_, false);
  const std::string prompt = std::exchange(prompt_, {});
  if (!call->call.partial) call->call.prompt_sha256 = sha256_hex(prompt);
  if (context_.keep_text) call->call.prompt_text = prompt;
  announce(Observation::Kind::kRequest, *call);
  calls_.push_back(std::move(call));
}

void WebSocketReader::take_server(std::string_view text, BootTime time) {
  codec::SseEvent event;
  event.data = text;
  event.has_data = true;
  if (calls_.empty()) {
    // A voice session: the server answers when the user stops to speak.
    codec::StreamReply probe(route_.api);
    const auto read = probe.read(event);
    if (!read || (*read)->type != codec::StreamEvent::Type::kStart) return;
    begin_call(time);
  }
  if (calls_.empty()) return;
  Call& call = *calls_.front();
  call.call.response_bytes += text.size();
  if (!std::exchange(call.has_reply, true))
    call.call.first_byte_us = microseconds(call.begun, time);
  if (const auto read = call.reply.read(event); !read) {
    call.call.partial = true;
    context_.counters.fail("reply.event_malformed", read.error().message);
  }
  if (call.reply.ended()) end_call(true, time);
}

void WebSocketReader::end_call(bool is_whole, BootTime time) {
  const std::unique_ptr<Call> call = std::move(calls_.front());
  calls_.pop_front();
  set_stream_facts(call->reply, context_.keep_text, call->call);
  call->call.duration_us = microseconds(call->begun, time);
  if (!is_whole) call->call.partial = true;
  announce(Observation::Kind::kCall, *call);
}

void WebSocketReader::end_all(BootTime time) {
  while (!calls_.empty()) end_call(false, time);
}

void WebSocketReader::announce(Observation::Kind kind, const Call& call) {
  Observation seen = make_observation(kind, party_, call.begun);
  seen.api = route_.api;
  seen.call = call.call;
  context_.sink(std::move(seen));
}

void WebSocketReader::close(BootTime time) {
  end_all(time);
  prompt_ = {};
  (void)charge_.resize(0);
}

}  // namespace aispm::sensor
