// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/agent_exchange.hpp"

#include <utility>

#include "sdk/core/codec/mcp_http.hpp"

namespace aispm::sensor {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kEventStream = "text/event-stream";
constexpr std::uint16_t kAccepted = 202;
constexpr std::uint16_t kFirstError = 400;

}  // namespace

std::optional<AgentExchange::Role> AgentExchange::role_of(const RequestHead& head) {
  if (head.method == "GET") {
    if (codec::is_agent_card_path(head.target)) return Role::kCard;
    if (head.accept.find(kEventStream) != std::string_view::npos) return Role::kListen;
    return std::nullopt;
  }
  if (head.method != "POST") return std::nullopt;
  if (!head.content_type.empty() && !is_media_type(head.content_type, kJson)) return std::nullopt;
  return Role::kPost;
}

AgentExchange::AgentExchange(Role role, const RequestHead& head, const Party& party, BootTime begun,
                             Context context)
    : Exchange(head.method),
      role_(role),
      context_(context),
      party_(party),
      begun_(begun),
      host_(head.host),
      session_(head.mcp_session),
      charge_(context.budget) {
  if (role_ == Role::kPost) decoded_.emplace(head.content_encoding);
}

AgentTalk::Flow AgentExchange::flow(Sender sender, BootTime time, std::uint64_t bytes) const {
  return {party_, sender, time, bytes, session_, is_partial_};
}

bool AgentExchange::keep(std::string_view piece) {
  if (given_up_) return false;
  const std::size_t size = body_.size() + piece.size();
  if (size > codec::kMaxRpcBytes || !charge_.resize(size)) {
    if (may_be_rpc()) context_.counters.lose("rpc.too_large");
    given_up_ = true;
    drop_body();
    return false;
  }
  body_.append(piece);
  return true;
}

void AgentExchange::drop_body() {
  body_ = {};
  (void)charge_.resize(0);
}

// JSON-RPC shows early, in whatever order its members come.
bool AgentExchange::may_be_rpc() const {
  const std::string_view start = std::string_view(body_).substr(0, kRpcHintBytes);
  const std::size_t first = start.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || (start[first] != '{' && start[first] != '[')) return false;
  return start.find("\"jsonrpc\"") != std::string_view::npos ||
         start.find("\"method\"") != std::string_view::npos ||
         (body_.size() < kRpcHintBytes && body_.find("\"result\"") != std::string::npos);
}

void AgentExchange::take_request(std::string_view bytes) {
  if (role_ != Role::kPost || given_up_ || request_ended_) return;
  decoded_->feed(bytes, [this](std::string_view piece) { (void)keep(piece); });
  const bool is_unread = decoded_->state() != DecodedBody::State::kOk;
  const bool is_other = body_.size() >= kRpcHintBytes && !may_be_rpc();
  if (!is_unread && !is_other) return;
  given_up_ = true;
  drop_body();
}

void AgentExchange::skip_request(std::uint64_t) {
  if (role_ != Role::kPost || given_up_ || request_ended_) return;
  // A message with a hole cannot be read; that there was one is worth a count only where it showed.
  if (may_be_rpc()) context_.counters.lose("rpc.request_gap");
  given_up_ = true;
  drop_body();
}

void AgentExchange::end_request(bool is_whole, BootTime) {
  if (request_ended_) return;
  request_ended_ = true;
  if (role_ != Role::kPost) return;
  if (is_whole && !given_up_ && may_be_rpc()) take_messages(body_, Sender::kClient, begun_);
  drop_body();
}

void AgentExchange::take_messages(std::string_view text, Sender sender, BootTime time) {
  if (text.find("\"jsonrpc\"") == std::string_view::npos) return;
  const auto messages = codec::parse_agent_messages(text);
  if (!messages) {
    // Only where MCP or A2A was spoken before it is more than somebody's own JSON.
    if (!ids_.empty() || talk(time).is_known())
      context_.counters.fail("rpc.malformed", messages.error().message);
    return;
  }
  AgentTalk& current = talk(time);
  const std::uint64_t bytes = text.size() / messages->size();
  for (const codec::AgentMessage& message : *messages) {
    current.take(message, flow(sender, time, bytes), context_);
    if (sender == Sender::kClient && message.kind == codec::RpcKind::kRequest)
      ids_.push_back(message.id);
  }
}

void AgentExchange::begin_reply(const ReplyHead& head, BootTime) {
  status_ = head.status;
  const bool expects = role_ == Role::kPost ? !ids_.empty() : head.status < kFirstError;
  if (!expects) return;
  if (is_media_type(head.content_type, kEventStream) && role_ != Role::kCard) {
    reply_ = Reply::kEvents;
  } else if (is_media_type(head.content_type, kJson) && role_ != Role::kListen) {
    reply_ = Reply::kJson;
  }
  given_up_ = false;
  decoded_.emplace(head.content_encoding);
  if (decoded_->state() != DecodedBody::State::kUnreadable) return;
  context_.counters.lose("rpc.encoded");
  reply_ = Reply::kNone;
}

void AgentExchange::take_reply(std::string_view bytes, BootTime time) {
  if (reply_ == Reply::kNone) return;
  decoded_->feed(bytes, [&](std::string_view piece) {
    if (reply_ == Reply::kJson) {
      (void)keep(piece);
    } else if (!charge_.resize(events_.pending().size() + piece.size())) {
      context_.counters.lose("memory.rpc");
      reply_ = Reply::kNone;
    } else {
      events_.feed(piece);
      take_events(time);
    }
  });
  if (decoded_->state() == DecodedBody::State::kBroken) {
    context_.counters.lose("rpc.encoding_broken");
    reply_ = Reply::kNone;
  }
}

void AgentExchange::take_events(BootTime time) {
  while (reply_ == Reply::kEvents) {
    const auto event = events_.next();
    if (!event) {
      context_.counters.fail("rpc.event_too_large", event.error().message);
      reply_ = Reply::kNone;
    } else if (!*event) {
      return;
    } else {
      take_event(**event, time);
    }
  }
}

void AgentExchange::take_event(const codec::SseEvent& event, BootTime time) {
  // The HTTP+SSE transport of 2024: the answers to POSTs come here.
  if (role_ == Role::kListen && codec::sse_endpoint(event)) return talk(time).set_transport("sse");
  if (event.has_data) take_messages(event.data, Sender::kServer, time);
}

void AgentExchange::skip_reply(std::uint64_t) {
  if (reply_ == Reply::kNone) return;
  is_partial_ = true;
  context_.counters.lose("rpc.reply_gap");
  if (reply_ == Reply::kEvents && !decoded_->is_encoded()) {
    events_.feed("\n\n");  // the stream goes on with the event after the hole
    return;
  }
  reply_ = Reply::kNone;
  drop_body();
}

void AgentExchange::read_json_reply(BootTime time) {
  if (role_ == Role::kPost) return take_messages(body_, Sender::kServer, time);
  if (const auto card = codec::parse_agent_card(body_))
    talk(time).take_card(*card, flow(Sender::kServer, time, body_.size()), context_);
}

void AgentExchange::end(bool is_whole, BootTime time) {
  end_request(false, time);  // no effect when the request was complete
  if (reply_ == Reply::kEvents) {
    if (auto last = events_.finish(); last && *last) take_event(**last, time);
  } else if (reply_ == Reply::kJson && is_whole && !given_up_) {
    read_json_reply(time);
  }
  drop_body();
  if (ids_.empty()) return;
  AgentTalk& current = talk(time);
  // Accepted: the answer comes on the stream that the client listens to.
  const bool is_elsewhere = is_whole && status_ == kAccepted;
  for (const std::string& id : std::exchange(ids_, {}))
    if (!is_elsewhere)
      current.end_request(id, status_ >= kFirstError, flow(Sender::kServer, time, 0), context_);
}

}  // namespace aispm::sensor
