// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/translate/translation.hpp"

#include "sdk/core/codec/llm.hpp"

namespace aispm::gateway::translate {

using codec::Api;
using codec::Framing;

bool is_translatable(Api client) {
  return client == Api::kOpenAiChat || client == Api::kAnthropicMessages ||
         client == Api::kOllamaChat || client == Api::kOpenAiResponses;
}

namespace {

Result<Conversation> read_request(Api client, std::string_view body) {
  switch (client) {
    case Api::kAnthropicMessages:
      return read_anthropic(body);
    case Api::kOllamaChat:
      return read_ollama(body);
    case Api::kOpenAiResponses:
      return read_responses(body);
    default:
      return read_openai(body);
  }
}

}  // namespace

std::optional<Api> api_of(Dialect provider) {
  switch (provider) {
    case Dialect::kOpenAi:
      return Api::kOpenAiChat;
    case Dialect::kAnthropic:
      return Api::kAnthropicMessages;
    case Dialect::kOllama:
      return Api::kOllamaChat;
    default:
      return std::nullopt;
  }
}

Translation::Translation(Api client, Target target, Names names)
    : client_(client), target_(std::move(target)), names_(std::move(names)) {}

std::string_view Translation::path() const {
  switch (target_.api) {
    case Api::kAnthropicMessages:
      return "/v1/messages";
    case Api::kOllamaChat:
      return "/api/chat";
    default:
      return "/v1/chat/completions";
  }
}

Result<std::string> Translation::request(std::string_view body) const {
  AISPM_TRY(const Conversation conversation, read_request(client_, body));
  switch (target_.api) {
    case Api::kAnthropicMessages:
      return write_anthropic(conversation, target_);
    case Api::kOllamaChat:
      return write_ollama(conversation, target_);
    default:
      return write_openai(conversation, target_);
  }
}

std::optional<Framing> Translation::open_reply(std::string_view content_type, bool streams) {
  const auto framing = codec::find_framing(target_.api, content_type, streams);
  streams_ = framing.has_value();
  if (!framing) return std::nullopt;
  framer_.emplace(*framing);
  reader_ = make_stream_reader(target_.api);
  writer_ = make_stream_writer(client_, names_);
  return client_ == Api::kOllamaChat ? Framing::kLines : Framing::kSse;
}

std::string_view Translation::content_type() const {
  if (!streams_) return "application/json";
  return client_ == Api::kOllamaChat ? "application/x-ndjson" : "text/event-stream; charset=utf-8";
}

Result<std::string> Translation::reply(int status, std::string_view body) const {
  codec::JsonTree tree;
  if (const auto read = tree.read(body, codec::kMaxJsonDepth); !read) {
    if (status >= 400) return std::string(body);
    return fail(read.error());
  }
  if (const auto failure = read_failure(tree)) return write_failure(client_, status, *failure);
  if (status >= 400) return std::string(body);
  AISPM_TRY(const Answer answer, read_reply(target_.api, body));
  return write_reply(client_, answer, names_);
}

Result<> Translation::feed(std::string_view bytes, std::string& out) {
  framer_->feed(bytes);
  while (!is_over_) {
    AISPM_TRY(const auto event, framer_->next());
    if (framer_->dropped_lines() > 0) return fail(Errc::kTooLarge, "a line is longer than 1 MiB");
    if (!event) return {};
    AISPM_CHECK(take(*event, out));
  }
  return {};
}

Result<> Translation::finish(std::string& out) {
  if (is_over_) return {};
  AISPM_TRY(const auto last, framer_->finish());
  if (last && last->has_data) AISPM_CHECK(take(*last, out));
  if (is_over_) return {};
  // Some servers leave out their last word; an answer that has its reason is whole. Anthropic's
  // own are not among them.
  if (target_.api == Api::kAnthropicMessages || !is_begun_)
    return fail(Errc::kInvalid, "it ended early");
  return end(out);
}

Result<> Translation::take(const codec::SseEvent& event, std::string& out) {
  AISPM_CHECK(reader_->read(event));
  if (reader_->failure()) {
    writer_->fail(*reader_->failure(), out);
    is_over_ = true;
    return {};
  }
  if (reader_->started() && !is_begun_) {
    writer_->begin(reader_->answer(), out);
    is_begun_ = true;
  }
  for (const Said& said : reader_->answer().said) writer_->say(said, out);
  if (reader_->ended()) return end(out);
  return {};
}

Result<> Translation::end(std::string& out) {
  AISPM_CHECK(reader_->close());
  writer_->end(reader_->answer(), out);
  is_over_ = true;
  return {};
}

}  // namespace aispm::gateway::translate
