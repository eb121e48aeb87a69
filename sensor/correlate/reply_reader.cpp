// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/reply_reader.hpp"

namespace aispm::sensor {
namespace {

using codec::http1::equal_name;

void set_usage(const std::optional<codec::Usage>& usage, model::LlmCall& call) {
  if (!usage) return;
  call.input_tokens = usage->input_tokens;
  call.output_tokens = usage->output_tokens;
}

void set_tools(const std::vector<codec::ToolCall>& tools, model::LlmCall& call) {
  for (const codec::ToolCall& tool : tools) call.tools_called.push_back(tool.name);
}

}  // namespace

void set_stream_facts(const codec::StreamReply& stream, bool keep_text, model::LlmCall& call) {
  call.stream = true;
  call.response_model = stream.model();
  call.response_id = stream.id();
  call.finish_reason = stream.finish_reason();
  set_usage(stream.usage(), call);
  set_tools(stream.tool_calls(), call);
  call.reply_sha256 = stream.sha256();
  if (keep_text) call.reply_text = stream.text();
  if (stream.is_cut()) call.partial = true;
}

DecodedBody::DecodedBody(std::string_view content_encoding) {
  auto decoder = codec::ContentDecoder::open(content_encoding);
  if (decoder) {
    decoder_.emplace(std::move(*decoder));
  } else {
    state_ = State::kUnreadable;
  }
}

void DecodedBody::feed(std::string_view bytes, const std::function<void(std::string_view)>& use) {
  if (state_ == State::kOk && !decoder_->feed(bytes, use)) state_ = State::kBroken;
}

ReplyReader::ReplyReader(codec::Api api, const ReplyHead& head, bool streams, bool keep_text,
                         ByteBudget& budget, CorrelateCounters& counters)
    : api_(api),
      keep_text_(keep_text),
      counters_(counters),
      charge_(budget),
      decoded_(head.content_encoding),
      stream_(api) {
  if (const auto framing = codec::find_framing(api, head.content_type, streams))
    events_.emplace(*framing, kMaxSensorEventBytes);
  if (decoded_.state() == DecodedBody::State::kUnreadable)
    give_up("reply.encoded", "content encoding not supported");
}

void ReplyReader::give_up(std::string_view cause, std::string_view why) {
  if (given_up_) return;
  given_up_ = partial_ = true;
  counters_.fail(cause, why);
}

void ReplyReader::feed(std::string_view bytes) {
  if (given_up_) return;
  decoded_.feed(bytes, [this](std::string_view piece) { take(piece); });
  if (decoded_.state() == DecodedBody::State::kBroken)
    give_up("reply.encoding_broken", "compressed body is broken or grows too much");
}

void ReplyReader::take(std::string_view bytes) {
  if (given_up_) return;
  if (events_) {
    if (!charge_.resize(stream_.kept_bytes() + events_->held_bytes() + bytes.size()))
      return give_up("memory.reply", "no memory left for replies");
    events_->feed(bytes);
    return take_events();
  }
  const std::size_t size = body_.size() + bytes.size();
  if (size > kMaxKeptBodyBytes) return give_up("reply.too_large", "body over the limit");
  if (!charge_.resize(size)) return give_up("memory.reply", "no memory left for replies");
  body_.append(bytes);
}

void ReplyReader::take_events() {
  for (;;) {
    const auto event = events_->next();
    if (!event) return give_up("reply.stream_broken", event.error().message);
    if (!*event) return;
    read_event(**event);
  }
}

void ReplyReader::read_event(const codec::SseEvent& event) {
  if (const auto read = stream_.read(event); !read) {
    partial_ = true;
    counters_.fail("reply.event_malformed", read.error().message);
  }
}

void ReplyReader::skip(std::uint64_t) {
  partial_ = true;
  if (given_up_) return;
  // Nothing compressed and no JSON document survives a hole; a stream goes on with the next event,
  // where its framing tells where that is.
  if (!events_ || decoded_.is_encoded() || !events_->skip())
    return give_up("reply.gap", "bytes of the body were lost");
}

void ReplyReader::finish(bool is_whole, model::LlmCall& call) {
  if (events_) {
    if (!given_up_) {
      if (const auto last = events_->finish(); last && *last) read_event(**last);
    }
    set_stream_facts(stream_, keep_text_, call);
  } else if (!given_up_) {
    finish_body(call);
  }
  if (partial_ || (!is_whole && !(events_ && stream_.ended()))) call.partial = true;
}

void ReplyReader::finish_body(model::LlmCall& call) {
  if (body_.empty()) return;
  const auto reply = codec::parse_reply(api_, body_);
  if (!reply) {
    // An error page of a proxy is no JSON: only a success that cannot be read is worth a count.
    if (call.status >= 200 && call.status < 300) {
      partial_ = true;
      counters_.fail("reply.malformed", reply.error().message);
    }
    return;
  }
  call.response_model = reply->model;
  call.response_id = reply->id;
  call.finish_reason = reply->finish_reason;
  set_usage(reply->usage, call);
  set_tools(reply->tool_calls, call);
  if (reply->error) return;
  call.reply_sha256 = codec::reply_sha256(*reply);
  if (keep_text_) call.reply_text = codec::reply_text(*reply);
}

}  // namespace aispm::sensor
