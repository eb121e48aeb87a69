// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/translate/translation.hpp"

#include "sdk/core/codec/llm.hpp"

namespace aispm::gateway::translate {

using codec::Api;
using codec::Framing;

bool is_translatable(Api client) {
  return client == Api::kOpenAiChat || client == Api::kAnthropicMessages ||
         client == Api::kOllamaChat || client == Api::kOpenAiResponses ||
         client == Api::kGeminiGenerate;
}

namespace {

// A model's name as one segment of a path: what is not plain is escaped.
std::string segment(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : name) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' || c == '~';
    const auto byte = static_cast<unsigned char>(c);
    if (is_plain)
      out.push_back(c);
    else
      out.append({'%', kDigits[byte >> 4U], kDigits[byte & 15U]});
  }
  return out;
}

Result<Conversation> read_request(Api client, std::string_view body) {
  switch (client) {
    case Api::kAnthropicMessages:
      return read_anthropic(body);
    case Api::kOllamaChat:
      return read_ollama(body);
    case Api::kOpenAiResponses:
      return read_responses(body);
    case Api::kGeminiGenerate:
      return read_gemini(body);
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
    case Dialect::kGemini:
      return Api::kGeminiGenerate;
    default:
      return std::nullopt;
  }
}

Translation::Translation(Api client, Target target, Names names)
    : client_(client), target_(std::move(target)), names_(std::move(names)) {}

std::string Translation::path() const {
  switch (target_.api) {
    case Api::kAnthropicMessages:
      return "/v1/messages";
    case Api::kOllamaChat:
      return "/api/chat";
    case Api::kGeminiGenerate:
      return "/v1beta/models/" + segment(target_.model) +
             (asks_stream_ ? ":streamGenerateContent" : ":generateContent");
    default:
      return "/v1/chat/completions";
  }
}

std::string_view Translation::query() const {
  return target_.api == Api::kGeminiGenerate && asks_stream_ ? "?alt=sse" : std::string_view{};
}

Result<std::string> Translation::request(std::string_view body) {
  AISPM_TRY(Conversation conversation, read_request(client_, body));
  if (client_ == Api::kGeminiGenerate) conversation.stream = target_.streams;
  asks_stream_ = conversation.stream;
  names_.tools.clear();
  for (const Tool& tool : conversation.tools)
    if (!tool.own_name.empty()) names_.tools.push_back(tool);
  switch (target_.api) {
    case Api::kAnthropicMessages:
      return write_anthropic(conversation, target_);
    case Api::kOllamaChat:
      return write_ollama(conversation, target_);
    case Api::kGeminiGenerate:
      return write_gemini(conversation, target_);
    default:
      return write_openai(conversation, target_);
  }
}

std::optional<Framing> Translation::open_reply(std::string_view content_type, bool streams) {
  const auto found = codec::find_framing(target_.api, content_type, streams);
  const bool is_binary = target_.is_bedrock && found == Framing::kEventStream;
  const auto framing = is_binary ? Framing::kSse : found;
  streams_ = framing.has_value();
  if (!framing) return std::nullopt;
  framer_.emplace(*framing);
  reader_ = make_stream_reader(target_.api);
  writer_ = make_stream_writer(client_, names_);
  if (client_ == Api::kGeminiGenerate && names_.as_array) return Framing::kArray;
  return client_ == Api::kOllamaChat ? Framing::kLines : Framing::kSse;
}

std::string_view Translation::content_type() const {
  if (!streams_ || (client_ == Api::kGeminiGenerate && names_.as_array)) return "application/json";
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
