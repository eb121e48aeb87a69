// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/correlator.hpp"

#include <gmock/gmock.h>

#include "sdk/core/common/crypto.hpp"
#include "tests/unit/correlate/plaintext.hpp"

namespace aispm::sensor {
namespace {

using Kind = Observation::Kind;
using ::testing::ElementsAre;

TEST(Correlator, ReportsRequestThenCall) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  ASSERT_EQ(recorder.seen.size(), 2U);
  EXPECT_EQ(recorder.seen[0].kind, Kind::kHost);
  EXPECT_EQ(recorder.seen[0].call.host, "api.openai.com");
  EXPECT_EQ(recorder.seen[1].kind, Kind::kRequest);
  EXPECT_EQ(recorder.seen[1].call.request_model, "gpt-4o");
  recorder.correlator.take(tls.reply(ok(kAnswer)));
  ASSERT_EQ(recorder.calls().size(), 1U);
  const Observation call = recorder.calls()[0];
  EXPECT_EQ(call.party.actor.id, tls.key.process);
  EXPECT_EQ(call.party.actor.comm, "python3");
  EXPECT_EQ(call.call.api, "openai.chat");
  EXPECT_EQ(call.call.host, "api.openai.com");
  EXPECT_EQ(call.call.request_model, "gpt-4o");
  EXPECT_EQ(call.call.response_model, "gpt-4o-2024");
  EXPECT_EQ(call.call.response_id, "chatcmpl-1");
  EXPECT_EQ(call.call.status, 200U);
  EXPECT_EQ(call.call.input_tokens, 7U);
  EXPECT_EQ(call.call.output_tokens, 3U);
  EXPECT_EQ(call.call.finish_reason, "stop");
  EXPECT_THAT(call.call.tools_offered, ElementsAre("look"));
  EXPECT_THAT(call.call.tools_called, ElementsAre("look"));
  EXPECT_EQ(call.call.prompt_sha256, sha256_hex("hi"));
  EXPECT_EQ(call.call.reply_sha256, sha256_hex("hello"));
  EXPECT_EQ(call.call.prompt_text, "");
  EXPECT_EQ(call.call.reply_text, "");
  EXPECT_EQ(call.call.request_bytes, kAsk.size());
  EXPECT_EQ(call.call.response_bytes, kAnswer.size());
  EXPECT_EQ(call.call.first_byte_us, 1000U);
  EXPECT_EQ(call.call.duration_us, 1000U);
  EXPECT_FALSE(call.call.partial);
  EXPECT_FALSE(call.call.stream);
}

TEST(Correlator, TellsWhatAClientSaysOfItself) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(
      "GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: claude-cli/2.1 " + std::string(400, 'x') +
      "\r\nAnthropic-Version: 1\r\n" + std::string(80, 'n') + ": long\r\n\r\n"));
  ASSERT_EQ(recorder.seen.size(), 1U);
  const ClientWords& words = recorder.seen[0].client;
  EXPECT_TRUE(words.user_agent.starts_with("claude-cli/2.1 x"));
  EXPECT_EQ(words.user_agent.size(), ClientWords::kMaxUserAgentBytes);
  EXPECT_THAT(words.headers, ElementsAre("Host", "User-Agent", "Anthropic-Version"));
}

TEST(Correlator, KeepsTextOnlyWhenAsked) {
  Correlator::Options options;
  options.keep_text = true;
  Recorder recorder(options);
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(tls.reply(ok(kAnswer)));
  EXPECT_EQ(recorder.calls().at(0).call.prompt_text, "hi");
  EXPECT_EQ(recorder.calls().at(0).call.reply_text, "hello");
}

TEST(Correlator, ReadsAStreamInAnyPieces) {
  const std::string request = post("/v1/chat/completions", kAsk);
  const std::string reply =
      chunked(kStream, "Content-Type: text/event-stream; charset=utf-8\r\n", 37);
  for (const std::size_t step :
       {std::size_t{1}, std::size_t{3}, std::size_t{50}, std::size_t{16384}}) {
    Recorder recorder;
    Plaintext tls;
    recorder.take_exchange(tls, request, reply, step);
    ASSERT_EQ(recorder.calls().size(), 1U) << step;
    const model::LlmCall call = recorder.calls()[0].call;
    EXPECT_TRUE(call.stream);
    EXPECT_EQ(call.response_id, "c9");
    EXPECT_EQ(call.finish_reason, "stop");
    EXPECT_EQ(call.output_tokens, 3U);
    EXPECT_EQ(call.reply_sha256, sha256_hex("hello"));
    EXPECT_FALSE(call.partial);
    EXPECT_EQ(recorder.requests().size(), 1U);
    EXPECT_EQ(recorder.correlator.held_bytes(), 0U);
  }
}

TEST(Correlator, ReadsAnthropic) {
  Recorder recorder;
  Plaintext tls;
  const std::string_view body =
      R"({"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})";
  recorder.correlator.take(tls.write(
      "POST /v1/messages?beta=true HTTP/1.1\r\nHost: API.anthropic.com:443\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n"));
  EXPECT_TRUE(recorder.requests().empty());
  recorder.correlator.take(tls.write(body));
  recorder.correlator.take(tls.reply(ok(
      R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x-1","content":[{"type":"text","text":"yo"}],"stop_reason":"end_turn","usage":{"input_tokens":4,"output_tokens":2}})")));
  const model::LlmCall call = recorder.calls().at(0).call;
  EXPECT_EQ(call.api, "anthropic.messages");
  EXPECT_EQ(call.host, "api.anthropic.com");
  EXPECT_EQ(call.response_model, "claude-x-1");
  EXPECT_EQ(call.finish_reason, "end_turn");
}

TEST(Correlator, UndoesCompression) {
  for (const auto& [name, window] :
       {std::pair{"gzip", 31}, std::pair{"deflate", 15}, std::pair{"deflate", -15}}) {
    Recorder recorder;
    Plaintext tls;
    const std::string encoding = "Content-Encoding: " + std::string(name) + "\r\n";
    recorder.correlator.take(
        tls.write(post("/v1/chat/completions", deflated(kAsk, window), encoding)));
    recorder.correlator.take(tls.reply(
        chunked(deflated(kStream, window), encoding + "Content-Type: text/event-stream\r\n", 11)));
    const model::LlmCall call = recorder.calls().at(0).call;
    EXPECT_EQ(call.request_model, "gpt-4o") << name << window;
    EXPECT_EQ(call.reply_sha256, sha256_hex("hello")) << name << window;
    EXPECT_FALSE(call.partial) << name << window;
  }
}

TEST(Correlator, PairsPipelinedRequestsAndOtherTraffic) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write("GET /v1/files HTTP/1.1\r\nHost: api.openai.com\r\n\r\n" +
                                     post("/v1/chat/completions", kAsk) +
                                     post("/v1/batches", "{}") +
                                     post("/v1/chat/completions", kAsk)));
  EXPECT_EQ(recorder.requests().size(), 2U);
  EXPECT_EQ(recorder.of(Kind::kHost).size(), 1U);
  recorder.correlator.take(tls.reply(
      ok("{\"data\":[]}") + "HTTP/1.1 100 Continue\r\n\r\n" + ok(kAnswer) + ok("{}") +
      "HTTP/1.1 429 Too Many\r\nContent-Length: 26\r\n\r\n{\"error\":{\"message\":\"slow\"}}"));
  ASSERT_EQ(recorder.calls().size(), 2U);
  EXPECT_EQ(recorder.calls()[0].call.status, 200U);
  EXPECT_EQ(recorder.calls()[1].call.status, 429U);
}

TEST(Correlator, FollowsAKeptAliveConnection) {
  Recorder recorder;
  Plaintext tls;
  for (int i = 0; i < 3; ++i) {
    recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
    recorder.correlator.take(tls.reply(ok(kAnswer)));
  }
  EXPECT_EQ(recorder.calls().size(), 3U);
  EXPECT_EQ(recorder.of(Kind::kHost).size(), 1U);
}

TEST(Correlator, KeepsConnectionsOfOneProcessApart) {
  Recorder recorder;
  Plaintext one(10, 1);
  Plaintext two(10, 2);
  const std::string request = post("/v1/chat/completions", kAsk);
  recorder.correlator.take(one.write(request.substr(0, 40)));
  recorder.correlator.take(two.write(request.substr(0, 90)));
  recorder.correlator.take(one.write(request.substr(40)));
  recorder.correlator.take(two.write(request.substr(90)));
  recorder.correlator.take(two.reply(ok(kAnswer)));
  EXPECT_EQ(recorder.requests().size(), 2U);
  ASSERT_EQ(recorder.calls().size(), 1U);
  EXPECT_EQ(recorder.calls()[0].party.key.ssl, 2U);
}

TEST(Correlator, EndsAReplyThatGoesOnUntilClose) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(tls.reply("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" +
                                     std::string(kStream)));
  EXPECT_TRUE(recorder.calls().empty());
  recorder.correlator.take(tls.close());
  ASSERT_EQ(recorder.calls().size(), 1U);
  EXPECT_FALSE(recorder.calls()[0].call.partial);
  EXPECT_EQ(recorder.calls()[0].call.finish_reason, "stop");
  EXPECT_EQ(recorder.correlator.connections(), 0U);
}

TEST(Correlator, ReportsACallWithoutReplyAsStatusZero) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(tls.close());
  ASSERT_EQ(recorder.calls().size(), 1U);
  EXPECT_EQ(recorder.calls()[0].call.status, 0U);
  EXPECT_EQ(recorder.calls()[0].call.request_model, "gpt-4o");
}

TEST(Correlator, ReportsWhatAnEndedProcessLeftOpen) {
  Recorder recorder;
  Plaintext mine(10, 1);
  Plaintext other(11, 1);
  for (Plaintext* tls : {&mine, &other})
    recorder.correlator.take(tls->write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.end_process(mine.key.process, BootTime{mine.now});
  EXPECT_EQ(recorder.calls().size(), 1U);
  EXPECT_EQ(recorder.correlator.connections(), 1U);
}

TEST(Correlator, ReportsASilentCallAfterItsTimeout) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  const BootTime sent{tls.now};
  recorder.correlator.expire(BootTime{sent.nanoseconds + 599'000'000'000});
  EXPECT_TRUE(recorder.calls().empty());
  recorder.correlator.expire(BootTime{sent.nanoseconds + 601'000'000'000});
  EXPECT_EQ(recorder.calls().size(), 1U);
  EXPECT_EQ(recorder.count("reply.timeout"), 1U);
  EXPECT_EQ(recorder.correlator.connections(), 0U);
}

TEST(Correlator, ForgetsAnIdleConnectionLater) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  recorder.correlator.take(tls.reply(ok("{}")));
  recorder.correlator.expire(BootTime{tls.now + 3599'000'000'000});
  EXPECT_EQ(recorder.correlator.connections(), 1U);
  recorder.correlator.expire(BootTime{tls.now + 3601'000'000'000});
  EXPECT_EQ(recorder.correlator.connections(), 0U);
}

TEST(Correlator, TellsAReplyThatCameBeforeTheRequestWasSent) {
  Recorder recorder;
  Plaintext tls;
  const std::string request = post("/v1/chat/completions", kAsk);
  recorder.correlator.take(tls.write(request.substr(0, request.size() - 10)));
  recorder.correlator.take(tls.reply("HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n"));
  ASSERT_EQ(recorder.calls().size(), 1U);
  EXPECT_EQ(recorder.calls()[0].call.status, 413U);
  EXPECT_TRUE(recorder.calls()[0].call.partial);
  EXPECT_EQ(recorder.requests().size(), 1U);
  recorder.correlator.take(tls.write(request.substr(request.size() - 10)));
  recorder.correlator.take(tls.write(request));
  recorder.correlator.take(tls.reply(ok(kAnswer)));
  EXPECT_EQ(recorder.calls().size(), 2U);
}

TEST(Correlator, ReadsTheServersSideInAnyPieces) {
  const std::string request = post("/v1/chat/completions", kAsk);
  const std::string reply = chunked(kStream, "Content-Type: text/event-stream\r\n", 37);
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{16384}}) {
    Recorder recorder;
    Plaintext server;
    for (std::size_t i = 0; i < request.size(); i += step)
      recorder.correlator.take(server.reply(std::string_view(request).substr(i, step)));
    for (std::size_t i = 0; i < reply.size(); i += step)
      recorder.correlator.take(server.write(std::string_view(reply).substr(i, step)));
    EXPECT_TRUE(recorder.calls().empty()) << "the client's end may still be read";
    recorder.correlator.expire(BootTime{server.now + 3000 * kMillisecond});
    ASSERT_EQ(recorder.calls().size(), 1U) << step;
    EXPECT_TRUE(recorder.calls()[0].party.is_server);
    EXPECT_EQ(recorder.calls()[0].call.request_model, "gpt-4o");
    EXPECT_EQ(recorder.calls()[0].call.reply_sha256, sha256_hex("hello"));
  }
}

}  // namespace
}  // namespace aispm::sensor
