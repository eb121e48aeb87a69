// SPDX-License-Identifier: Apache-2.0
// From the kernel's bytes to the events about language models.
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/report/convert.hpp"
#include "tests/unit/sensor/pipeline_fixture.hpp"

namespace aispm::sensor {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view kPrompt = "the prompt of this test";
constexpr std::string_view kReply = "the reply of this test";

std::string request() {
  const std::string body = R"({"model":"gpt-4o","messages":[{"role":"user","content":")" +
                           std::string(kPrompt) + "\"}]}";
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nAuthorization: Bearer "
         "sk-not-to-be-seen\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string reply() {
  const std::string body =
      R"({"id":"chatcmpl-1","model":"gpt-4o-2024","choices":[{"index":0,"message":{"role":"assistant","content":")" +
      std::string(kReply) +
      R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}})";
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

class PipelineLlmTest : public PipelineTest {
 protected:
  using PipelineTest::PipelineTest;
  void start(const std::string& path = "python3\0bin\0usr\0"s) {
    take(records::exec(path, "python3\0agent.py\0"s));
  }
  void send(std::string_view text, std::size_t cut) {
    take(records::tls(text.substr(0, cut), AISPM_TLS_WRITE, 0));
    take(records::tls(text.substr(cut), AISPM_TLS_WRITE, cut));
  }
  void exchange() {
    send(request(), 40);
    take(records::tls(reply(), AISPM_TLS_READ, 0));
  }
  std::string all_json() const {
    std::string text;
    for (const model::Event& event : sink_.events) text += report::to_json(event).value();
    return text;
  }
};

TEST_F(PipelineLlmTest, ReportsACallWithProcessProviderModelAndHashes) {
  start();
  exchange();
  ASSERT_THAT(of<model::LlmCall>(), SizeIs(1));
  const auto [event, call] = of<model::LlmCall>()[0];
  EXPECT_EQ(event.source, model::Source::kSensor);
  EXPECT_EQ(event.process->id, (model::ProcessId{records::kPid, {records::kStart}}));
  EXPECT_EQ(event.process->exe, "/usr/bin/python3");
  EXPECT_EQ(event.process->user, "user1000");
  EXPECT_EQ(call.provider, "openai");
  EXPECT_EQ(call.api, "openai.chat");
  EXPECT_EQ(call.host, "api.openai.com");
  EXPECT_EQ(call.request_model, "gpt-4o");
  EXPECT_EQ(call.response_model, "gpt-4o-2024");
  EXPECT_EQ(call.status, 200U);
  EXPECT_EQ(call.input_tokens, 7U);
  EXPECT_EQ(call.output_tokens, 3U);
  EXPECT_EQ(call.prompt_sha256, sha256_hex(kPrompt));
  EXPECT_EQ(call.reply_sha256, sha256_hex(kReply));
  EXPECT_FALSE(call.partial);
  EXPECT_EQ(health().counters["llm.calls"], 1U);
}

TEST_F(PipelineLlmTest, ReportsTheUseBeforeTheReplyComes) {
  start();
  send(request(), 40);
  ASSERT_FALSE(of<model::AiUse>().empty());
  const auto [event, use] = of<model::AiUse>().back();
  EXPECT_EQ(event.process->exe, "/usr/bin/python3");
  EXPECT_EQ(use.provider, "openai");
  EXPECT_EQ(use.model, "gpt-4o");
  EXPECT_EQ(use.host, "api.openai.com");
  EXPECT_EQ(use.confidence, 1);
  EXPECT_FALSE(use.sanctioned);
  EXPECT_THAT(of<model::LlmCall>(), IsEmpty());
}

TEST_F(PipelineLlmTest, CallsARegisteredProgramsUseSanctioned) {
  start("approved\0opt\0"s);
  send(request(), 40);
  ASSERT_FALSE(of<model::AiUse>().empty());
  for (const auto& [event, use] : of<model::AiUse>()) EXPECT_TRUE(use.sanctioned);
}

TEST_F(PipelineLlmTest, LetsNoPromptReplyOrKeyOut) {
  start();
  exchange();
  const std::string text = all_json();
  ASSERT_THAT(text, HasSubstr("gpt-4o"));
  EXPECT_THAT(text, Not(HasSubstr(kPrompt)));
  EXPECT_THAT(text, Not(HasSubstr(kReply)));
  EXPECT_THAT(text, Not(HasSubstr("sk-not-to-be-seen")));
}

class PipelineWithTextTest : public PipelineLlmTest {
 protected:
  PipelineWithTextTest() : PipelineLlmTest(true) {}
};

TEST_F(PipelineWithTextTest, KeepsTextsWhenAskedButNeverTheKey) {
  start();
  exchange();
  ASSERT_THAT(of<model::LlmCall>(), SizeIs(1));
  EXPECT_THAT(of<model::LlmCall>()[0].second.prompt_text, HasSubstr(kPrompt));
  EXPECT_THAT(of<model::LlmCall>()[0].second.reply_text, HasSubstr(kReply));
  EXPECT_THAT(all_json(), Not(HasSubstr("sk-not-to-be-seen")));
}

// The collector refuses an event with more than 512 KiB of either.
TEST_F(PipelineWithTextTest, CutsLongTextsAndSaysSo) {
  start();
  const std::string body = R"({"model":"gpt-4o","messages":[{"role":"user","content":")" +
                           std::string(600'000, 'p') + "\"}]}";
  const std::string request =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: "
      "application/json\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  for (std::size_t at = 0; at < request.size(); at += AISPM_CHUNK_LEN)
    take(records::tls(request.substr(at, AISPM_CHUNK_LEN), AISPM_TLS_WRITE, at));
  take(records::tls(reply(), AISPM_TLS_READ, 0));
  ASSERT_THAT(of<model::LlmCall>(), SizeIs(1));
  const model::LlmCall call = of<model::LlmCall>()[0].second;
  EXPECT_THAT(call.prompt_text, SizeIs(256U << 10));
  EXPECT_TRUE(call.partial);
  EXPECT_EQ(call.request_model, "gpt-4o");
  EXPECT_EQ(call.request_bytes, body.size());
}

TEST_F(PipelineLlmTest, ReportsAnUnansweredCallBeforeTheExitOfItsProcess) {
  start();
  take(records::exit(0, 9));  // the control ring is read first
  send(request(), 40);
  pipeline_.end_batch();
  ASSERT_THAT(of<model::LlmCall>(), SizeIs(1));
  EXPECT_EQ(of<model::LlmCall>()[0].second.request_model, "gpt-4o");
  EXPECT_EQ(of<model::LlmCall>()[0].second.status, 0U) << "there was no reply";
  EXPECT_TRUE(std::holds_alternative<model::ProcessExit>(sink_.events.back().body));
}

TEST_F(PipelineLlmTest, ReportsACallInFlightWhenTheSensorEnds) {
  start();
  send(request(), 40);
  pipeline_.finish({10'000'000'000});
  ASSERT_THAT(of<model::LlmCall>(), SizeIs(1));
  EXPECT_EQ(of<model::LlmCall>()[0].second.request_model, "gpt-4o");
  EXPECT_EQ(of<model::LlmCall>()[0].second.status, 0U) << "there was no reply";
}

// Half a reply is not a reply.
TEST_F(PipelineLlmTest, CallsACallPartialWhoseReplyIsCut) {
  start();
  send(request(), 40);
  const std::string text = reply();
  take(records::tls(std::string_view(text).substr(0, text.size() - 30), AISPM_TLS_READ, 0));
  pipeline_.finish({10'000'000'000});
  ASSERT_THAT(of<model::LlmCall>(), SizeIs(1));
  EXPECT_EQ(of<model::LlmCall>()[0].second.status, 200U);
  EXPECT_TRUE(of<model::LlmCall>()[0].second.partial);
}

// A hole in the plaintext must not become a call that was never made.
TEST_F(PipelineLlmTest, InventsNoModelWhereTheRequestHasAHole) {
  start();
  const std::string text = request();
  take(records::tls(std::string_view(text).substr(0, 40), AISPM_TLS_WRITE, 0));
  take(records::tls(std::string_view(text).substr(60), AISPM_TLS_WRITE, 60));
  take(records::tls(reply(), AISPM_TLS_READ, 0));
  for (const auto& [event, call] : of<model::LlmCall>()) EXPECT_TRUE(call.partial);
  std::uint64_t losses = 0;
  for (const auto& [cause, count] : health().losses) losses += count;
  EXPECT_GT(losses, 0U);
}

}  // namespace
}  // namespace aispm::sensor
