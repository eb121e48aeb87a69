// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/proxy/translate/translation.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/codec/sse.hpp"

// GW-012: streamed replies, event by event.
namespace aispm::gateway::translate {
namespace {

using codec::Api;
using codec::serialise_sse;
using testing::HasSubstr;

constexpr Api kChat = Api::kOpenAiChat;
constexpr Api kMessages = Api::kAnthropicMessages;
constexpr Api kOllama = Api::kOllamaChat;
constexpr Api kResponses = Api::kOpenAiResponses;
constexpr Api kGemini = Api::kGeminiGenerate;
constexpr Api kProviders[] = {kChat, kMessages, kOllama, kGemini};
constexpr Api kClients[] = {kChat, kMessages, kOllama, kResponses, kGemini};

std::string chunk(const std::string& delta, const std::string& reason = "null") {
  return serialise_sse("", R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m",)"
                           R"("choices":[{"index":0,"delta":)" +
                               delta + R"(,"finish_reason":)" + reason + "}]}");
}
std::string event(const std::string& type, const std::string& rest) {
  return serialise_sse(type, R"({"type":")" + type + "\"" + rest + "}");
}
const std::string kStart =
    event("message_start",
          R"(,"message":{"id":"m1","type":"message","role":"assistant","model":"m","content":[],)"
          R"("usage":{"input_tokens":4,"cache_read_input_tokens":3,"output_tokens":1}})");
std::string block(int index, const std::string& content) {
  return event("content_block_start",
               R"(,"index":)" + std::to_string(index) + R"(,"content_block":)" + content);
}
std::string piece(std::int64_t index, const std::string& delta) {
  return event("content_block_delta",
               R"(,"index":)" + std::to_string(index) + R"(,"delta":)" + delta);
}
std::string stop(int index) {
  return event("content_block_stop", R"(,"index":)" + std::to_string(index));
}
const std::string kMessagesEnd =
    event("message_delta", R"(,"delta":{"stop_reason":"tool_use","stop_sequence":null},)"
                           R"("usage":{"output_tokens":5})") +
    event("message_stop", "");

// The same turn in all three: a thought, two pieces of text, one call of a tool, usage.
const std::string kChatStream =
    chunk(R"({"role":"assistant","content":""})") + chunk(R"({"reasoning_content":"Hm."})") +
    ": alive\n\n" + chunk(R"({"content":"Grü"})") + chunk(R"({"content":"ße 😀\n"})") +
    chunk(
        R"({"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":""}}]})") +
    chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]})") +
    chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"\"b\"}"}}]})") +
    chunk("{}", R"("tool_calls")") +
    serialise_sse(
        "", R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],)"
            R"("usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,)"
            R"("prompt_tokens_details":{"cached_tokens":3}}})") +
    serialise_sse("", "[DONE]");
const std::string kMessagesStream =
    kStart + block(0, R"({"type":"thinking","thinking":"","signature":""})") +
    piece(0, R"({"type":"thinking_delta","thinking":"Hm."})") +
    piece(0, R"({"type":"signature_delta","signature":"c2ln"})") + stop(0) + event("ping", "") +
    block(1, R"({"type":"text","text":""})") + piece(1, R"({"type":"text_delta","text":"Grü"})") +
    piece(1, R"({"type":"text_delta","text":"ße 😀\n"})") + stop(1) +
    block(2, R"({"type":"tool_use","id":"t1","name":"f","input":{}})") +
    piece(2, R"({"type":"input_json_delta","partial_json":"{\"a\":"})") +
    piece(2, R"({"type":"input_json_delta","partial_json":"\"b\"}"})") + stop(2) + kMessagesEnd;
const std::string kOllamaStream =
    R"({"model":"m","created_at":"x","message":{"role":"assistant","content":"","thinking":"Hm."},"done":false})"
    "\n"
    R"({"model":"m","created_at":"x","message":{"role":"assistant","content":"Grü"},"done":false})"
    "\n"
    R"({"model":"m","created_at":"x","message":{"role":"assistant","content":"ße 😀\n"},"done":false})"
    "\n"
    R"({"model":"m","created_at":"x","message":{"role":"assistant","content":"","tool_calls":[{"id":"t1","function":{"name":"f","arguments":{"a":"b"}}}]},"done":false})"
    "\n"
    R"({"model":"m","created_at":"x","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":5})"
    "\n";

std::string document(const std::string& parts, const std::string& rest = "") {
  return serialise_sse("", R"({"candidates":[{"content":{"parts":[)" + parts +
                               R"(],"role":"model"},"index":0)" + rest +
                               R"(,"modelVersion":"m","responseId":"g1"})");
}
const std::string kGeminiStream =
    document(R"({"text":"Hm.","thought":true})", "}]") + document(R"({"text":"Grü"})", "}]") +
    document(R"({"text":"ße 😀\n"})", "}]") +
    document(
        R"({"functionCall":{"id":"t1","name":"f","args":{"a":"b"}},"thoughtSignature":"c2ln"})",
        R"(,"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,)"
        R"("cachedContentTokenCount":3,"candidatesTokenCount":4,"thoughtsTokenCount":1})");

const std::string& stream_of(Api provider) {
  if (provider == kGemini) return kGeminiStream;
  return provider == kChat ? kChatStream : provider == kMessages ? kMessagesStream : kOllamaStream;
}
std::string_view type_of(Api api) {
  return api == kOllama ? "application/x-ndjson" : "text/event-stream";
}

struct Told {
  std::string out;
  std::string error;
  bool is_refused = false;  // at once, not only for want of an end
};

Told tell(Api client, Api provider, std::string_view bytes, std::size_t step = SIZE_MAX) {
  Translation translation(client, {.api = provider, .model = "sent"},
                          {.id = "i", .model = "asked", .now = {}});
  EXPECT_TRUE(translation.open_reply(type_of(provider), true));
  Told told;
  while (!bytes.empty()) {
    if (auto fed = translation.feed(bytes.substr(0, step), told.out); !fed)
      return {told.out, fed.error().message, true};
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  if (auto finished = translation.finish(told.out); !finished)
    told.error = finished.error().message;
  return told;
}

// What a client makes of it, by the codec that also judges it.
struct Heard {
  std::string text;
  std::string reasoning;
  std::string tool;
  std::string tool_id;
  std::string arguments;
  std::string reason;
  std::string model;
  std::uint64_t input = 0;
  std::uint64_t output = 0;
  bool ended = false;
  bool operator==(const Heard&) const = default;
};

Heard hear(Api client, std::string_view bytes) {
  codec::ReplyFramer framer(client == kOllama ? codec::Framing::kLines : codec::Framing::kSse);
  codec::StreamReply reply(client);
  Heard heard;
  framer.feed(bytes);
  while (true) {
    auto next = framer.next();
    EXPECT_TRUE(next);
    if (!next || !*next) break;
    const auto read = reply.read(**next);
    EXPECT_TRUE(read) << (*next)->data;
    if (!read) break;
    EXPECT_FALSE((*read)->has_odd_call);
    for (const codec::ReplyText& delta : (*read)->deltas) {
      if (delta.is_repeat) continue;
      if (delta.channel.kind == codec::ChannelKind::kText) heard.text += delta.text;
      if (delta.channel.kind == codec::ChannelKind::kReasoning) heard.reasoning += delta.text;
      // Nothing else but Gemini's word for a call, beside its arguments.
      if (delta.channel.kind == codec::ChannelKind::kOther && !delta.is_key) {
        EXPECT_EQ(delta.text, "c2ln") << (*next)->data;
      }
    }
  }
  heard.reason = reply.finish_reason();
  heard.model = reply.model();
  heard.ended = reply.ended();
  if (reply.usage()) {
    heard.input = reply.usage()->input_tokens;
    heard.output = reply.usage()->output_tokens;
  }
  if (reply.tool_calls().size() != 1) return heard;
  const codec::ToolCall& call = reply.tool_calls().front();
  heard.tool = call.name;
  heard.tool_id = call.id;
  heard.arguments = call.arguments;
  return heard;
}

TEST(TranslatedStream, TellsEveryClientTheSame) {
  for (const Api provider : kProviders) {
    for (const Api client : kClients) {
      if (client == provider) continue;
      const Told told = tell(client, provider, stream_of(provider));
      EXPECT_EQ(told.error, "");
      Heard expected{.text = "Grüße 😀\n",
                     .reasoning = "Hm.",
                     .tool = "f",
                     .tool_id = "t1",
                     .arguments = R"({"a":"b"})",
                     .reason = "tool_calls",
                     .model = "m",
                     .input = 7,
                     .output = 5,
                     .ended = true};
      if (client == kMessages) expected.reason = "tool_use";
      if (client == kOllama) expected.reason = "stop";
      if (client == kResponses) expected.reason = "completed";
      if (client == kGemini) {
        expected.reason = "STOP";
        expected.ended = true;
      }
      EXPECT_EQ(hear(client, told.out), expected)
          << codec::name_of(provider) << " to " << codec::name_of(client) << "\n"
          << told.out;
    }
  }
}

TEST(TranslatedStream, IsTheSameHoweverItIsCut) {
  for (const Api provider : kProviders) {
    for (const Api client : kClients) {
      if (client == provider) continue;
      const std::string& bytes = stream_of(provider);
      const std::string whole = tell(client, provider, bytes).out;
      EXPECT_EQ(tell(client, provider, bytes, 1).out, whole);
      for (std::size_t split = 1; split < bytes.size(); ++split) {
        Translation translation(client, {.api = provider, .model = "sent"},
                                {.id = "i", .model = "asked", .now = {}});
        ASSERT_TRUE(translation.open_reply(type_of(provider), true));
        std::string out;
        ASSERT_TRUE(translation.feed(std::string_view(bytes).substr(0, split), out));
        ASSERT_TRUE(translation.feed(std::string_view(bytes).substr(split), out));
        ASSERT_TRUE(translation.finish(out));
        ASSERT_EQ(out, whole) << split;
      }
    }
  }
}

TEST(TranslatedStream, ThatIsCutAnywhereIsAnErrorAndHasNoEnd) {
  for (const Api provider : kProviders) {
    const Api client = provider == kChat ? kMessages : provider == kOllama ? kResponses : kChat;
    const std::string& bytes = stream_of(provider);
    // OpenAI's is whole once it has its reason.
    const std::size_t whole =
        provider == kChat ? bytes.find(R"("finish_reason":"tool_calls")") : bytes.size() - 3;
    for (std::size_t size = 0; size < whole; ++size) {
      const Told told = tell(client, provider, std::string_view(bytes).substr(0, size));
      ASSERT_NE(told.error, "") << size;
      ASSERT_FALSE(hear(client, told.out).ended) << size;
      ASSERT_EQ(hear(client, told.out).tool, "") << size;
    }
  }
}

TEST(TranslatedStream, WithoutDoneIsWholeWhenItHasItsReason) {
  const std::string bytes = chunk(R"({"content":"a"})") + chunk("{}", R"("stop")");
  const Told told = tell(kMessages, kChat, bytes);
  EXPECT_EQ(told.error, "");
  EXPECT_TRUE(hear(kMessages, told.out).ended);
}

TEST(TranslatedStream, WithHalfACharacterGoesOn) {
  const std::string bytes = chunk(R"({"content":"cut \ud83d"})") + chunk("{}", R"("stop")");
  const Told told = tell(kMessages, kChat, bytes);
  EXPECT_EQ(told.error, "");
  EXPECT_EQ(hear(kMessages, told.out).text, "cut \xEF\xBF\xBD");
}

TEST(TranslatedStream, KeepsSeveralCallsApart) {
  const auto call = [](int index, const std::string& rest) {
    return chunk(R"({"tool_calls":[{"index":)" + std::to_string(index) + rest + "}]}");
  };
  const std::string bytes = call(0, R"(,"id":"a","function":{"name":"f","arguments":"{\"x\":"})") +
                            call(1, R"(,"id":"b","function":{"name":"g","arguments":"{}"})") +
                            call(0, R"(,"function":{"arguments":"1}"})") +
                            chunk("{}", R"("tool_calls")") + serialise_sse("", "[DONE]");
  const Told told = tell(kMessages, kChat, bytes);
  EXPECT_EQ(told.error, "");
  EXPECT_THAT(told.out, HasSubstr(R"("type":"tool_use","id":"a","name":"f")"));
  EXPECT_THAT(told.out, HasSubstr(R"("partial_json":"{\"x\":1}")"));
  EXPECT_THAT(told.out, HasSubstr(R"("type":"tool_use","id":"b","name":"g")"));
}

// Nothing that cannot be followed is passed on or passed over.
struct Hostile {
  std::string what;
  Api provider;
  std::string bytes;
};

TEST(TranslatedStream, ThatCannotBeFollowedFailsClosed) {
  const std::string text = chunk(R"({"content":"a"})");
  const std::string open = kStart + block(0, R"({"type":"text","text":""})");
  const std::vector<Hostile> all = {
      {"a huge index", kChat,
       chunk(
           R"({"tool_calls":[{"index":4294967296,"id":"a","function":{"name":"f","arguments":"{}"}}]})")},
      {"another choice", kChat,
       serialise_sse("", R"({"choices":[{"index":1,"delta":{"content":"a"}}]})")},
      {"text behind the end", kChat, chunk("{}", R"("stop")") + text},
      {"a call behind the end", kChat,
       chunk("{}", R"("stop")") +
           chunk(R"({"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]})")},
      {"a repeated key", kChat, chunk(R"({"content":"a","content":"b"})")},
      {"an unknown member", kChat, chunk(R"({"audio":{"transcript":"a"}})")},
      {"arguments as an object", kChat,
       chunk(R"({"tool_calls":[{"index":0,"function":{"name":"f","arguments":{"a":1}}}]})")},
      {"arguments that are no object", kChat,
       chunk(R"({"tool_calls":[{"index":0,"function":{"name":"f","arguments":"[1]"}}]})") +
           chunk("{}", R"("tool_calls")") + serialise_sse("", "[DONE]")},
      {"an unknown reason", kChat, chunk("{}", R"("eos")")},
      {"no JSON", kChat, "data: {\n\n"},
      {"an end before the beginning", kChat, serialise_sse("", "[DONE]")},
      {"an end without a reason", kChat, text + serialise_sse("", "[DONE]")},
      {"an unknown event", kMessages, kStart + event("content_block_magic", R"(,"text":"a")")},
      {"a wrong event line", kMessages, serialise_sse("ping", R"({"type":"message_stop"})")},
      {"an event before the first", kMessages, block(0, R"({"type":"text","text":"a"})")},
      {"two beginnings", kMessages, kStart + kStart},
      {"an unknown block", kMessages, kStart + block(0, R"({"type":"server_tool_use","id":"a"})")},
      {"a block within a block", kMessages, open + block(1, R"({"type":"text","text":"a"})")},
      {"a piece of another block", kMessages,
       open + piece(4294967295, R"({"type":"text_delta","text":"a"})")},
      {"a piece of another kind", kMessages,
       open + piece(0, R"({"type":"input_json_delta","partial_json":"a"})")},
      {"an unknown piece", kMessages,
       open + piece(0, R"({"type":"citations_delta","citation":{}})")},
      {"an end within a block", kMessages, open + kMessagesEnd},
      {"a reason nobody knows", kMessages,
       kStart + event("message_delta", R"(,"delta":{"stop_reason":"pause_turn"})")},
      {"a call that is cut", kMessages,
       kStart + block(0, R"({"type":"tool_use","id":"t","name":"f","input":{}})") +
           piece(0, R"({"type":"input_json_delta","partial_json":"{"})") + stop(0) + kMessagesEnd},
      {"a call twice over", kMessages,
       kStart + block(0, R"({"type":"tool_use","id":"t","name":"f","input":{"a":1}})") +
           piece(0, R"({"type":"input_json_delta","partial_json":"{}"})")},
      {"a piece without a message", kOllama, "{\"model\":\"m\"}\n"},
      {"an unknown member of a message", kOllama,
       "{\"message\":{\"content\":\"a\",\"images\":[\"AAAA\"]},\"done\":false}\n"},
      {"a reason of another kind", kOllama,
       "{\"message\":{\"content\":\"a\"},\"done\":true,\"done_reason\":\"load\"}\n"},
  };
  for (const Hostile& one : all) {
    const Api client = one.provider == kMessages ? kChat : kMessages;
    const Told told = tell(client, one.provider, one.bytes);
    EXPECT_TRUE(told.is_refused) << one.what;
    EXPECT_FALSE(hear(client, told.out).ended) << one.what;
    EXPECT_EQ(hear(client, told.out).tool, "") << one.what;
  }
}

// As Gemini's OpenAI-compatible endpoint and some proxies send parallel calls.
TEST(TranslatedStream, TellsCallsUnderOneIndexByTheirIds) {
  const auto call = [](const std::string& id, const std::string& name) {
    return chunk(R"({"tool_calls":[{"index":0,"id":")" + id + R"(","function":{"name":")" + name +
                 R"(","arguments":"{}"}}]})");
  };
  const Told told =
      tell(kMessages, kChat,
           call("t1", "f") + call("t2", "g") + chunk("{}", R"("tool_calls")") +
               serialise_sse("", R"({"usage":{"prompt_tokens":7}})") + serialise_sse("", "[DONE]"));
  EXPECT_EQ(told.error, "");
  for (const char* const word : {R"("id":"t1","name":"f")", R"("id":"t2","name":"g")"})
    EXPECT_THAT(told.out, HasSubstr(word));
}

TEST(TranslatedStream, IsEndedByTooManyBytesOfCalls) {
  const std::string half(600U << 10, ' ');
  std::string bytes;
  for (int i = 0; i < 8; ++i)
    bytes += chunk(R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":")" +
                   half + R"("}}]})");
  EXPECT_THAT(tell(kMessages, kChat, bytes).error, HasSubstr("4 MiB"));
}

TEST(TranslatedStream, TellsAnErrorInTheClientsForm) {
  const std::string error =
      serialise_sse("", R"({"error":{"message":"broken","type":"server_error","code":"x"}})");
  EXPECT_THAT(tell(kMessages, kChat, error).out,
              HasSubstr("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
                        "\"message\":\"broken\""));
  EXPECT_EQ(tell(kOllama, kChat, error).out, "{\"error\":\"broken\"}\n");
  EXPECT_EQ(
      tell(kResponses, kOllama, "{\"error\":\"broken\"}\n").out,
      serialise_sse(
          "error",
          R"({"type":"error","sequence_number":0,"code":null,"message":"broken","param":null,)"
          R"("error":{"message":"broken","type":"server_error","param":null,"code":null}})"));
  const std::string overloaded =
      event("error", R"(,"error":{"type":"overloaded_error","message":"busy"})");
  EXPECT_EQ(
      tell(kChat, kMessages, overloaded).out,
      serialise_sse(
          "",
          R"({"error":{"message":"busy","type":"overloaded_error","param":null,"code":null}})"));
}

}  // namespace
}  // namespace aispm::gateway::translate
