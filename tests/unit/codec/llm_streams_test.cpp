// SPDX-License-Identifier: Apache-2.0
// Streamed replies of every dialect and framing besides chat and messages.
#include <gmock/gmock.h>

#include "sdk/core/codec/llm.hpp"
#include "sdk/core/codec/reply_framer.hpp"
#include "sdk/core/common/crypto.hpp"
#include "tests/unit/codec/eventstream_wire.hpp"

namespace aispm::codec {
namespace {

using testing_support::aws_chunk;
using testing_support::aws_event;
using testing_support::event_message;

// Reads a whole stream that arrives in pieces of `step` bytes; the error's text, else "".
std::string follow(StreamReply& reply, ReplyFramer& framer, std::string_view stream,
                   std::size_t step) {
  const auto read = [&](const SseEvent& piece) -> std::string {
    const auto event = reply.read(piece);
    if (!event) return event.error().message;
    for (const ReplyText& delta : (*event)->deltas)
      EXPECT_EQ(
          json_unescape((*event)->document.substr(delta.span.begin, delta.span.size())).value(),
          delta.text);
    return "";
  };
  while (!stream.empty()) {
    framer.feed(stream.substr(0, step));
    stream.remove_prefix(std::min(step, stream.size()));
    for (;;) {
      const auto piece = framer.next();
      if (!piece) return piece.error().message;
      if (!*piece) break;
      if (std::string error = read(**piece); !error.empty()) return error;
    }
  }
  const auto last = framer.finish();
  if (!last) return last.error().message;
  return *last ? read(**last) : "";
}

struct StreamCase {
  const char* name;
  Api api;
  Framing framing;
  std::string stream;
  std::string model;
  std::string id;
  std::string finish;
  std::uint64_t input = 0;
  std::uint64_t output = 0;
  std::string text = {};
  std::vector<std::string> calls = {};  // "id name arguments"
};

std::string sse(std::string_view type, std::string_view members) {
  return "event: " + std::string(type) + "\ndata: {\"type\":\"" + std::string(type) + "\"," +
         std::string(members) + "}\n\n";
}

const std::string kResponses =
    sse("response.created",
        R"("response":{"id":"resp_1","model":"gpt-5","status":"in_progress","instructions":"x"})") +
    sse("response.output_item.added",
        R"("output_index":0,"item":{"type":"message","content":[]})") +
    sse("response.output_text.delta",
        R"("output_index":0,"content_index":0,"delta":"Hel","logprobs":[],"obfuscation":"zz")") +
    sse("response.output_text.delta", R"("output_index":0,"content_index":0,"delta":"l\u006f")") +
    sse("response.output_text.done", R"("output_index":0,"content_index":0,"text":"Hello")") +
    sse("response.output_item.done",
        R"("output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"Hello"}]})") +
    sse("response.output_item.added",
        R"("output_index":1,"item":{"type":"function_call","id":"fc","call_id":"c1","name":"f","arguments":""})") +
    sse("response.function_call_arguments.delta", R"("output_index":1,"delta":"{\"a\"")") +
    sse("response.function_call_arguments.delta", R"("output_index":1,"delta":":1}")") +
    sse("response.function_call_arguments.done", R"("output_index":1,"arguments":"{\"a\":1}")") +
    sse("response.completed",
        R"("response":{"id":"resp_1","object":"response","model":"gpt-5","status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"}],"usage":{"input_tokens":9,"output_tokens":4}})");

std::vector<StreamCase> cases() {
  std::string socket;  // the same events as messages of a socket, one a line
  for (std::size_t at = 0; (at = kResponses.find("data: ", at)) != std::string::npos; ++at)
    socket += kResponses.substr(at + 6, kResponses.find('\n', at) - at - 5);
  return {
      {"responses",
       Api::kOpenAiResponses,
       Framing::kSse,
       kResponses,
       "gpt-5",
       "resp_1",
       "completed",
       9,
       4,
       "Hello",
       {"c1 f {\"a\":1}"}},
      {"socket",
       Api::kOpenAiRealtime,
       Framing::kLines,
       socket,
       "gpt-5",
       "resp_1",
       "completed",
       9,
       4,
       "Hello",
       {"c1 f {\"a\":1}"}},
      {"realtime", Api::kOpenAiRealtime, Framing::kLines,
       R"({"type":"session.created","event_id":"e","session":{"model":"gpt-realtime"}})"
       "\n"
       R"({"type":"response.output_audio.delta","output_index":0,"delta":"QUJD"})"
       "\n"
       R"({"type":"response.output_audio_transcript.delta","output_index":0,"content_index":0,"delta":"Hi"})"
       "\n"
       R"({"type":"response.done","response":{"id":"r","status":"completed","usage":{"input_tokens":3,"output_tokens":2},"output":[{"type":"message","content":[{"type":"output_audio","transcript":"Hi"}]}]}})"
       "\n",
       "gpt-realtime", "r", "completed", 3, 2, "Hi"},
      {"completions", Api::kOpenAiCompletions, Framing::kSse,
       "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"text\":\"on\",\"index\":0}]}\n\n"
       "data: {\"choices\":[{\"text\":\"e\",\"index\":0,\"finish_reason\":\"stop\"}],\"usage\":{"
       "\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
       "m", "c", "stop", 1, 2, "one"},
      {"gemini sse",
       Api::kGeminiGenerate,
       Framing::kSse,
       "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hel\"}],\"role\":\"model\"}}],"
       "\"modelVersion\":\"g\",\"responseId\":\"r\"}\r\n\r\n"
       "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"lo\"},{\"functionCall\":{"
       "\"name\":\"f\",\"args\":{}}}]}}]}\r\n\r\n"
       "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"g\","
       "\"args\":{\"x\":1}}}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
       "\"promptTokenCount\":5,\"candidatesTokenCount\":3}}\r\n\r\n",
       "g",
       "r",
       "STOP",
       5,
       3,
       "Hello",
       {" f {}", " g {\"x\":1}"}},
      {"gemini array", Api::kGeminiGenerate, Framing::kArray,
       "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hel\"}]}}]}\n,\r\n"
       "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"lo\"}]},\"finishReason\":\"STOP\"}],"
       "\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":3},\"modelVersion\":"
       "\"g\"}]\n",
       "g", "", "STOP", 5, 3, "Hello"},
      {"ollama chat",
       Api::kOllamaChat,
       Framing::kLines,
       "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"Hel\"},\"done\":false}\n"
       "{\"model\":\"l\",\"message\":{\"content\":\"lo\",\"tool_calls\":[{\"function\":{\"name\":"
       "\"f\",\"arguments\":{\"a\":1}}}]},\"done\":false}\n"
       "{\"model\":\"l\",\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":"
       "\"g\",\"arguments\":{}}}]},\"done\":false}\n"
       "{\"model\":\"l\",\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\","
       "\"prompt_eval_count\":8,\"eval_count\":2}\n",
       "l",
       "",
       "stop",
       8,
       2,
       "Hello",
       {" f {\"a\":1}", " g {}"}},
      {"ollama generate", Api::kOllamaGenerate, Framing::kLines,
       "{\"model\":\"l\",\"response\":\"hi\",\"done\":false}\n{\"model\":\"l\",\"response\":\"\","
       "\"done\":true,\"done_reason\":\"length\",\"prompt_eval_count\":1,\"eval_count\":2}",
       "l", "", "length", 1, 2, "hi"},
      {"llama.cpp", Api::kLlamaCppCompletion, Framing::kSse,
       "data: {\"content\":\"he\",\"stop\":false}\n\ndata: {\"content\":\"y\",\"stop\":false}\n\n"
       "data: {\"content\":\"\",\"stop\":true,\"stop_type\":\"eos\",\"model\":\"q\","
       "\"tokens_evaluated\":4,\"tokens_predicted\":2}\n\n",
       "q", "", "eos", 4, 2, "hey"},
      {"converse",
       Api::kBedrockConverse,
       Framing::kEventStream,
       aws_event("messageStart", R"({"role":"assistant","p":"ab"})") +
           aws_event("contentBlockDelta",
                     R"({"contentBlockIndex":0,"delta":{"text":"Hel"},"p":"a"})") +
           aws_event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"lo"}})") +
           aws_event("contentBlockStop", R"({"contentBlockIndex":0})") +
           aws_event(
               "contentBlockStart",
               R"({"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"f"}}})") +
           aws_event("contentBlockDelta",
                     R"({"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"a\""}}})") +
           aws_event("contentBlockDelta",
                     R"({"contentBlockIndex":1,"delta":{"toolUse":{"input":":1}"}}})") +
           aws_event("messageStop", R"({"stopReason":"tool_use"})") +
           aws_event(
               "metadata",
               R"({"usage":{"inputTokens":6,"outputTokens":7,"totalTokens":13},"metrics":{"latencyMs":5}})"),
       "",
       "",
       "tool_use",
       6,
       7,
       "Hello",
       {"t f {\"a\":1}"}},
      {"invoke claude", Api::kBedrockInvoke, Framing::kEventStream,
       aws_chunk(
           R"({"type":"message_start","message":{"id":"m1","model":"claude","content":[],"usage":{"input_tokens":4,"output_tokens":1}}})") +
           aws_chunk(
               R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})") +
           aws_chunk(
               R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}})") +
           aws_chunk(R"({"type":"content_block_stop","index":0})") +
           aws_chunk(
               R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}})") +
           aws_chunk(
               R"({"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":3}})"),
       "claude", "m1", "end_turn", 4, 3, "hi"},
      {"invoke titan", Api::kBedrockInvoke, Framing::kEventStream,
       aws_chunk(
           R"({"outputText":"hi","index":0,"completionReason":"FINISH","amazon-bedrock-invocationMetrics":{"inputTokenCount":2,"outputTokenCount":1}})"),
       "", "", "FINISH", 2, 1, "hi"},
      {"invoke nova", Api::kBedrockInvoke, Framing::kEventStream,
       aws_chunk(R"({"contentBlockDelta":{"delta":{"text":"hi"},"contentBlockIndex":0}})") +
           aws_chunk(R"({"messageStop":{"stopReason":"end_turn"}})") +
           aws_chunk(R"({"metadata":{"usage":{"inputTokens":2,"outputTokens":1}}})"),
       "", "", "end_turn", 2, 1, "hi"},
  };
}

TEST(OtherStreams, SayTheSameAtEveryStep) {
  for (const StreamCase& one : cases()) {
    for (const std::size_t step :
         {std::size_t{1}, std::size_t{2}, std::size_t{13}, std::size_t{100}, SIZE_MAX}) {
      SCOPED_TRACE(std::string(one.name) + " " + std::to_string(step));
      StreamReply reply(one.api);
      ReplyFramer framer(one.framing);
      ASSERT_EQ(follow(reply, framer, one.stream, step), "");
      EXPECT_EQ(reply.model(), one.model);
      EXPECT_EQ(reply.id(), one.id);
      EXPECT_EQ(reply.finish_reason(), one.finish);
      EXPECT_EQ(reply.usage().value_or(Usage{}).input_tokens, one.input);
      EXPECT_EQ(reply.usage().value_or(Usage{}).output_tokens, one.output);
      EXPECT_EQ(reply.text(), one.text);
      EXPECT_EQ(reply.sha256(), sha256_hex(one.text));
      EXPECT_TRUE(reply.ended());
      EXPECT_FALSE(reply.error().has_value());
      std::vector<std::string> calls;
      for (const ToolCall& call : reply.tool_calls())
        calls.push_back(call.id + " " + call.name + " " + call.arguments);
      EXPECT_EQ(calls, one.calls);
      EXPECT_EQ(framer.held_bytes(), 0U);
    }
  }
}

TEST(OtherStreams, GiveTheTextsThatRepeatAsRepeats) {
  StreamReply reply(Api::kOpenAiResponses);
  ReplyFramer framer(Framing::kSse);
  framer.feed(kResponses);
  std::string once;
  std::size_t repeats = 0;
  for (auto piece = framer.next(); piece && *piece; piece = framer.next()) {
    const auto event = reply.read(**piece);
    ASSERT_TRUE(event.has_value());
    for (const ReplyText& delta : (*event)->deltas) {
      if (delta.channel.kind != ChannelKind::kText) continue;
      if (delta.is_repeat) {
        EXPECT_EQ(delta.text, "Hello");
        ++repeats;
      } else {
        once += delta.text;
      }
    }
  }
  EXPECT_EQ(once, "Hello");
  EXPECT_EQ(repeats, 3U);  // output_text.done, output_item.done, response.completed
}

TEST(OtherStreams, TakeFromTheEndWhatTheDeltasWouldHaveSaid) {
  const std::size_t last = kResponses.rfind("event: ");
  StreamReply reply(Api::kOpenAiResponses);
  ReplyFramer framer(Framing::kSse);
  ASSERT_EQ(follow(reply, framer, kResponses.substr(last), SIZE_MAX), "");
  EXPECT_EQ(reply.text(), "Hello");
  ASSERT_EQ(reply.tool_calls().size(), 1U);
  EXPECT_EQ(reply.tool_calls()[0].arguments, "{\"a\":1}");
}

TEST(OtherStreams, RecogniseErrors) {
  const struct {
    Api api;
    Framing framing;
    std::string stream;
    const char* type;
    const char* code;
    const char* message;
  } errors[] = {
      {Api::kOpenAiResponses, Framing::kSse,
       sse("error", R"("code":"rate_limit","message":"slow")"), "error", "rate_limit", "slow"},
      {Api::kOpenAiResponses, Framing::kSse,
       sse("response.failed",
           R"("response":{"status":"failed","error":{"code":"server_error","message":"m"}})"),
       "", "server_error", "m"},
      {Api::kGeminiGenerate, Framing::kArray,
       R"([{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}])", "INVALID_ARGUMENT",
       "400", "m"},
      {Api::kOllamaChat, Framing::kLines, "{\"error\":\"no such model\"}\n", "", "",
       "no such model"},
      {Api::kBedrockConverse, Framing::kEventStream,
       event_message({{":exception-type", "throttlingException"}, {":message-type", "exception"}},
                     R"({"message":"slow down"})"),
       "throttlingException", "", "slow down"},
      {Api::kBedrockInvoke, Framing::kEventStream,
       event_message(
           {{":exception-type", "modelStreamErrorException"}, {":message-type", "exception"}},
           R"({"message":"m"})"),
       "modelStreamErrorException", "", "m"},
      {Api::kBedrockConverse, Framing::kEventStream,
       event_message({{":error-code", "InternalError"},
                      {":error-message", "gone"},
                      {":message-type", "error"}},
                     ""),
       "error", "InternalError", "gone"},
  };
  for (const auto& one : errors) {
    SCOPED_TRACE(one.stream);
    StreamReply reply(one.api);
    ReplyFramer framer(one.framing);
    ASSERT_EQ(follow(reply, framer, one.stream, 3), "");
    ASSERT_TRUE(reply.error().has_value());
    EXPECT_EQ(reply.error()->type, one.type);
    EXPECT_EQ(reply.error()->code, one.code);
    EXPECT_EQ(reply.error()->message, one.message);
  }
}

TEST(OtherStreams, RefuseWhatIsNotTheProtocol) {
  const struct {
    Api api;
    Framing framing;
    std::string stream;
  } bad[] = {
      {Api::kOpenAiResponses, Framing::kSse, "event: a\ndata: {\"type\":\"b\"}\n\n"},
      {Api::kOpenAiResponses, Framing::kSse, "data: {\"type\":\"a\",\"type\":\"b\"}\n\n"},
      {Api::kOllamaChat, Framing::kLines, "not json\n"},
      {Api::kGeminiGenerate, Framing::kArray, "[{\"candidates\":[]}"},
      {Api::kGeminiGenerate, Framing::kArray, "{\"candidates\":[]}"},
      {Api::kBedrockInvoke, Framing::kEventStream, aws_event("chunk", R"({"bytes":"?"})")},
      {Api::kBedrockInvoke, Framing::kEventStream, aws_event("chunk", R"({"p":"x"})")},
      {Api::kBedrockConverse, Framing::kEventStream, aws_event("messageStop", "{}").substr(0, 30)},
  };
  for (const auto& one : bad) {
    StreamReply reply(one.api);
    ReplyFramer framer(one.framing);
    EXPECT_NE(follow(reply, framer, one.stream, SIZE_MAX), "") << one.stream;
  }
}

TEST(FindFraming, FollowsTheContentType) {
  EXPECT_EQ(find_framing(Api::kOpenAiChat, "text/event-stream; charset=utf-8", true),
            Framing::kSse);
  EXPECT_EQ(find_framing(Api::kOllamaChat, "application/x-ndjson", true), Framing::kLines);
  EXPECT_EQ(find_framing(Api::kBedrockConverse, "application/vnd.amazon.eventstream", true),
            Framing::kEventStream);
  EXPECT_EQ(find_framing(Api::kGeminiGenerate, "application/json; charset=UTF-8", true),
            Framing::kArray);
  EXPECT_EQ(find_framing(Api::kGeminiGenerate, "application/json", false), std::nullopt);
  EXPECT_EQ(find_framing(Api::kOpenAiChat, "application/json", true), std::nullopt);
}

TEST(ReplyFramer, StepsOverAHoleWhereTheFramingAllows) {
  const auto texts = [](Api api, Framing framing, std::string_view before, std::string_view after) {
    StreamReply reply(api);
    ReplyFramer framer(framing);
    framer.feed(before);
    for (auto piece = framer.next(); piece && *piece; piece = framer.next())
      (void)reply.read(**piece);
    EXPECT_TRUE(framer.skip());
    framer.feed(after);
    for (auto piece = framer.next(); piece && *piece; piece = framer.next())
      (void)reply.read(**piece);
    return reply.text();
  };
  EXPECT_EQ(texts(Api::kOpenAiChat, Framing::kSse,
                  "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"cho",
                  "ntent\":\"b\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"c\"}}]}\n\n"),
            "ac");
  EXPECT_EQ(texts(Api::kOllamaGenerate, Framing::kLines, "{\"response\":\"a\"}\n{\"resp",
                  "\"b\"}\n{\"response\":\"c\"}\n"),
            "ac");
  const std::string one = aws_event("contentBlockDelta", R"({"delta":{"text":"a"}})");
  EXPECT_EQ(texts(Api::kBedrockConverse, Framing::kEventStream, one + one.substr(0, 20),
                  one.substr(40) + one + one),
            "aaa");
  EXPECT_FALSE(ReplyFramer(Framing::kArray).skip());
}

}  // namespace
}  // namespace aispm::codec
