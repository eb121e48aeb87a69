// SPDX-License-Identifier: Apache-2.0
// Every LLM API and content coding, cut at every boundary, and WebSocket sessions.
#include <gmock/gmock.h>

#include "sdk/core/common/crypto.hpp"
#include "tests/unit/correlate/plaintext.hpp"

namespace aispm::sensor {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

struct ApiCase {
  std::string api;
  std::string target;
  std::string request;
  std::string type;
  std::string reply;
  std::string model;
  std::uint64_t output_tokens = 0;
  std::string text;  // of the reply; empty: it has none
};

std::vector<ApiCase> api_cases() {
  const std::string json = "application/json";
  return {
      {"openai.responses", "/v1/responses", R"({"model":"gpt-5","input":"hi"})", json,
       R"({"id":"resp_1","object":"response","model":"gpt-5","status":"completed","output":[{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"hello"}]}],"usage":{"input_tokens":2,"output_tokens":3}})",
       "gpt-5", 3, "hello"},
      {"openai.embeddings", "/v1/embeddings", R"({"model":"text-embedding-3-small","input":"hi"})",
       json,
       R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":1,"total_tokens":1}})",
       "text-embedding-3-small", 0, ""},
      {"gemini.generate_content", "/v1beta/models/gemini-2.5-pro:generateContent",
       R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})", json,
       R"({"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":3}})",
       "gemini-2.5-pro", 3, "hello"},
      {"gemini.generate_content", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
       R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})", "text/event-stream",
       "data: "
       "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hel\"}]}}]}\n\n"
       "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"lo\"}]},"
       "\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":1,"
       "\"candidatesTokenCount\":3}}\n\n",
       "gemini-2.5-pro", 3, "hello"},
      {"ollama.chat", "/api/chat",
       R"({"model":"llama3","messages":[{"role":"user","content":"hi"}]})", "application/x-ndjson",
       "{\"model\":\"llama3\",\"message\":{\"role\":\"assistant\",\"content\":\"hel\"},\"done\":"
       "false}\n"
       "{\"model\":\"llama3\",\"message\":{\"role\":\"assistant\",\"content\":\"lo\"},\"done\":"
       "false}\n"
       "{\"model\":\"llama3\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,"
       "\"done_reason\":\"stop\",\"prompt_eval_count\":1,\"eval_count\":3}\n",
       "llama3", 3, "hello"},
      {"aws.bedrock.converse", "/model/anthropic.claude-v2/converse",
       R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})", json,
       R"({"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":3,"totalTokens":4}})",
       "anthropic.claude-v2", 3, "hello"},
  };
}

TEST(EveryApi, BecomesACallInAnyPieces) {
  for (const ApiCase& one : api_cases()) {
    const std::string request = post(one.target, one.request);
    const std::string reply = ok(one.reply, "Content-Type: " + one.type + "\r\n");
    for (const std::size_t step :
         {std::size_t{1}, std::size_t{2}, std::size_t{17}, std::size_t{16384}}) {
      Recorder recorder;
      Plaintext tls;
      recorder.take_exchange(tls, request, reply, step);
      ASSERT_THAT(recorder.calls(), SizeIs(1)) << one.target;
      const model::LlmCall call = recorder.calls()[0].call;
      EXPECT_EQ(call.api, one.api);
      EXPECT_EQ(call.request_model, one.model) << one.target;
      EXPECT_EQ(call.output_tokens, one.output_tokens) << one.target;
      if (!one.text.empty()) {
        EXPECT_EQ(call.reply_sha256, sha256_hex(one.text)) << one.target;
      }
      EXPECT_FALSE(call.partial) << one.target << " " << step;
      EXPECT_EQ(recorder.correlator.held_bytes(), 0U);
    }
  }
}

// Everybody may have such a path: only the body makes it a model's.
TEST(EveryApi, OnACommonPathNeedsItsBody) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/api/chat", R"({"room":"lobby","say":"hi"})")));
  recorder.correlator.take(tls.reply(ok("{}")));
  EXPECT_THAT(recorder.calls(), IsEmpty());
  EXPECT_THAT(recorder.requests(), IsEmpty());
}

std::string ws_frame(std::string_view text, bool is_client) {
  std::string out = "\x81";
  const char mask_bit = is_client ? '\x80' : '\0';
  if (text.size() < 126) {
    out += static_cast<char>(static_cast<char>(text.size()) | mask_bit);
  } else {
    out += static_cast<char>(126 | mask_bit);
    out += static_cast<char>(text.size() >> 8);
    out += static_cast<char>(text.size());
  }
  if (!is_client) return out + std::string(text);
  const std::string mask = "abcd";
  out += mask;
  for (std::size_t i = 0; i < text.size(); ++i) out += static_cast<char>(text[i] ^ mask[i % 4]);
  return out;
}

const std::string kUpgrade =
    "GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nConnection: Upgrade\r\nUpgrade: "
    "websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n";
const std::string kUpgraded =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
constexpr std::string_view kCreate = R"({"type":"response.create","model":"gpt-5","input":"hi"})";
constexpr std::string_view kCreated =
    R"({"type":"response.created","response":{"id":"resp_1","model":"gpt-5","status":"in_progress","output":[]}})";
constexpr std::string_view kDelta =
    R"({"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"hello"})";
constexpr std::string_view kCompleted =
    R"({"type":"response.completed","response":{"id":"resp_1","model":"gpt-5","status":"completed","output":[],"usage":{"input_tokens":2,"output_tokens":3}}})";

TEST(WebSocketReader, MakesEachResponseACallInAnyPieces) {
  const std::string asked = ws_frame(kCreate, true);
  const std::string answered =
      ws_frame(kCreated, false) + ws_frame(kDelta, false) + ws_frame(kCompleted, false);
  for (const std::size_t step : {std::size_t{1}, std::size_t{11}, std::size_t{16384}}) {
    Recorder recorder;
    Plaintext tls;
    recorder.correlator.take(tls.write(kUpgrade));
    recorder.correlator.take(tls.reply(kUpgraded));
    for (int round = 0; round < 2; ++round) {
      for (std::size_t i = 0; i < asked.size(); i += step)
        recorder.correlator.take(tls.write(std::string_view(asked).substr(i, step)));
      for (std::size_t i = 0; i < answered.size(); i += step)
        recorder.correlator.take(tls.reply(std::string_view(answered).substr(i, step)));
    }
    ASSERT_THAT(recorder.calls(), SizeIs(2)) << step;
    const model::LlmCall call = recorder.calls()[1].call;
    EXPECT_EQ(call.api, "openai.realtime");
    EXPECT_EQ(call.host, "api.openai.com");
    EXPECT_EQ(call.request_model, "gpt-5");
    EXPECT_EQ(call.prompt_sha256, sha256_hex("hi"));
    EXPECT_EQ(call.reply_sha256, sha256_hex("hello"));
    EXPECT_EQ(call.output_tokens, 3U);
    EXPECT_FALSE(call.partial);
    recorder.correlator.take(tls.close());
    EXPECT_EQ(recorder.correlator.held_bytes(), 0U);
  }
}

TEST(WebSocketReader, ReportsWhatTheCloseCutOff) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(kUpgrade));
  recorder.correlator.take(
      tls.reply(kUpgraded + ws_frame("{\"type\":\"session.created\"}", false)));
  recorder.correlator.take(tls.write(ws_frame(kCreate, true)));
  recorder.correlator.take(tls.reply(ws_frame(kCreated, false)));
  recorder.correlator.take(tls.close());
  ASSERT_THAT(recorder.calls(), SizeIs(1));
  EXPECT_TRUE(recorder.calls()[0].call.partial);
}

TEST(WebSocketReader, InventsNothingAfterAHole) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(kUpgrade));
  recorder.correlator.take(tls.reply(kUpgraded));
  tls.lose_written(3);
  recorder.correlator.take(tls.write(ws_frame(kCreate, true)));
  recorder.correlator.take(tls.close());
  EXPECT_THAT(recorder.requests(), IsEmpty());
  EXPECT_EQ(recorder.count("stream.lost"), 1U);
}

TEST(Correlator, HoldsItsLimitOfConnections) {
  Recorder recorder;
  for (std::uint32_t i = 0; i < 4096 + 100; ++i) {
    Plaintext tls(100 + i);
    recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk).substr(0, 60)));
  }
  EXPECT_EQ(recorder.correlator.connections(), 4096U);
  EXPECT_EQ(recorder.count("connections.evicted"), 100U);
  recorder.correlator.close_all(BootTime{1});
  EXPECT_EQ(recorder.correlator.held_bytes(), 0U);
}

}  // namespace
}  // namespace aispm::sensor
