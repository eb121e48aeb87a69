// SPDX-License-Identifier: Apache-2.0
// Where requests go at providers with paths of their own, Amazon's signatures, and Bedrock's bodies
// and streams.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/proxy/providers/aws_signature.hpp"
#include "gateway/proxy/providers/bedrock.hpp"
#include "gateway/proxy/providers/upstream_path.hpp"
#include "tests/unit/codec/eventstream_wire.hpp"

namespace aispm::gateway {
namespace {

using codec::Api;
using codec::testing_support::aws_chunk;
using codec::testing_support::event_message;
using ::testing::HasSubstr;
using ::testing::Not;

ProviderConfig at_base(Dialect dialect, std::string base) {
  ProviderConfig config;
  config.name = "p";
  config.dialect = dialect;
  config.base_path = std::move(base);
  return config;
}

std::string target(const ProviderConfig& config, std::string_view path, Api api,
                   std::string_view query = {}, bool is_list = false, bool streams = false) {
  const auto found = target_at(config, {.api = api,
                                        .is_list = is_list,
                                        .path = path,
                                        .query = query,
                                        .model = "gpt 4",
                                        .streams = streams});
  return found ? *found : "refused: " + found.error().message;
}

TEST(UpstreamPath, OfABaseIsWhatClientsWithThatBaseUrlSend) {
  const auto chat = Api::kOpenAiChat;
  EXPECT_EQ(target(at_base(Dialect::kOpenAi, "/api/v1"), "/v1/chat/completions", chat),
            "/api/v1/chat/completions");
  EXPECT_EQ(target(at_base(Dialect::kOpenAi, "/paas/v4"), "/v1/models", chat, "?limit=2", true),
            "/paas/v4/models?limit=2");
  EXPECT_EQ(target(at_base(Dialect::kAnthropic, "/anthropic"), "/v1/messages",
                   Api::kAnthropicMessages, "?beta=true"),
            "/anthropic/v1/messages?beta=true");
  EXPECT_EQ(target(at_base(Dialect::kAnthropic, "/x/v1"), "/v1/messages", Api::kAnthropicMessages),
            "/x/v1/messages");
  EXPECT_EQ(target(at_base(Dialect::kOllama, "/ollama"), "/api/chat", Api::kOllamaChat),
            "/ollama/api/chat");
}

TEST(UpstreamPath, OfAzureNamesTheDeployment) {
  ProviderConfig azure = at_base(Dialect::kOpenAi, "");
  azure.service = Service::kAzure;
  azure.deployments = {{"gpt 4", "my four"}};
  EXPECT_EQ(target(azure, "/v1/chat/completions", Api::kOpenAiChat), "/openai/v1/chat/completions");
  azure.api_version = "2024-10-21";
  EXPECT_EQ(target(azure, "/v1/chat/completions", Api::kOpenAiChat),
            "/openai/deployments/my%20four/chat/completions?api-version=2024-10-21");
  EXPECT_EQ(target(azure, "/v1/embeddings", Api::kOpenAiEmbeddings),
            "/openai/deployments/my%20four/embeddings?api-version=2024-10-21");
  EXPECT_EQ(target(azure, "/v1/completions", Api::kOpenAiCompletions),
            "/openai/deployments/my%20four/completions?api-version=2024-10-21");
  EXPECT_EQ(target(azure, "/v1/responses", Api::kOpenAiResponses),
            "/openai/responses?api-version=2024-10-21");
  EXPECT_EQ(target(azure, "/v1/models", Api::kOpenAiChat, "?limit=2", true),
            "/openai/models?api-version=2024-10-21");
  EXPECT_THAT(target(azure, "/v1/moderations", Api::kOpenAiModerations),
              HasSubstr("serves nothing at /v1/moderations"));
}

TEST(UpstreamPath, OfBedrockNamesTheModelAndWhetherItStreams) {
  ProviderConfig bedrock = at_base(Dialect::kAnthropic, "");
  bedrock.service = Service::kBedrock;
  bedrock.deployments = {{"gpt 4", "eu.anthropic.claude-v1:0"}};
  const auto messages = Api::kAnthropicMessages;
  EXPECT_EQ(target(bedrock, "/v1/messages", messages, "?beta=true"),
            "/model/eu.anthropic.claude-v1%3A0/invoke");
  EXPECT_EQ(target(bedrock, "/v1/messages", messages, "", false, true),
            "/model/eu.anthropic.claude-v1%3A0/invoke-with-response-stream");
  EXPECT_THAT(target(bedrock, "/v1/messages/count_tokens", Api::kAnthropicCountTokens),
              HasSubstr("refused"));
  EXPECT_THAT(target(bedrock, "/v1/models", messages, "", true), HasSubstr("refused"));
}

// The published test suite of Signature Version 4: get-vanilla, post-vanilla.
constexpr AwsCredentials kExample{.access_key_id = "AKIDEXAMPLE",
                                  .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                  .session_token = ""};
constexpr std::time_t kExampleTime = 1440938160;  // 2015-08-30 12:36:00 UTC

AwsRequest example(std::string_view method, std::string_view path = "/") {
  return {.method = method,
          .host = "example.amazonaws.com",
          .path = path,
          .body = "",
          .region = "us-east-1",
          .service = "service"};
}

// The client names the model: it must not walk through the provider's paths.
TEST(UpstreamPath, OfACloudIsRefusedToNamesThatLeadElsewhere) {
  for (const Service service : {Service::kAzure, Service::kBedrock}) {
    ProviderConfig config;
    config.service = service;
    config.api_version = "2024-10-21";
    const auto is_found = [&](std::string_view model) {
      return target_at(config, {.api = service == Service::kAzure ? Api::kOpenAiChat
                                                                  : Api::kAnthropicMessages,
                                .path = "/v1/x",
                                .query = {},
                                .model = model})
          .has_value();
    };
    for (const char* const model : {"", ".", ".."}) EXPECT_FALSE(is_found(model)) << model;
    for (const char* const model : {"...", "a..b", "../a", "gpt-4.1"})
      EXPECT_TRUE(is_found(model)) << model;
  }
}

TEST(AwsSignature, IsThatOfThePublishedVectors) {
  const std::string get = aws_signature_lines(example("GET"), kExample, kExampleTime);
  EXPECT_EQ(get,
            "x-amz-date: 20150830T123600Z\r\n"
            "authorization: AWS4-HMAC-SHA256 "
            "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date, "
            "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31\r\n");
  EXPECT_THAT(aws_signature_lines(example("POST"), kExample, kExampleTime),
              HasSubstr("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"));
}

TEST(AwsSignature, CoversPathBodyAndToken) {
  const std::string plain = aws_signature_lines(example("POST"), kExample, kExampleTime);
  AwsRequest other = example("POST", "/a");
  EXPECT_NE(aws_signature_lines(other, kExample, kExampleTime), plain);
  other = example("POST");
  other.body = "x";
  EXPECT_NE(aws_signature_lines(other, kExample, kExampleTime), plain);
  AwsCredentials lent = kExample;
  lent.session_token = "token";
  const std::string with_token = aws_signature_lines(example("POST"), lent, kExampleTime);
  EXPECT_THAT(with_token, HasSubstr("x-amz-security-token: token\r\n"));
  EXPECT_THAT(with_token, HasSubstr("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
}

TEST(BedrockBody, LosesWhatThePathSaysAndGainsTheVersion) {
  EXPECT_EQ(*bedrock_body(R"({"model":"m", "stream":true, "max_tokens": 5,
"messages":[{"role":"user","content":"a\"b"}]})",
                          "one, two"),
            R"({"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["one","two"],)"
            R"("max_tokens":5,"messages":[{"role":"user","content":"a\"b"}]})");
  EXPECT_EQ(*bedrock_body(R"({"anthropic_beta":["own"],"model":"m"})", "one"),
            R"({"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["own"]})");
  EXPECT_FALSE(bedrock_body("nonsense", ""));
}

TEST(BedrockError, IsAnthropicsAndKeepsItsWords) {
  EXPECT_EQ(bedrock_error(429, R"({"message":"Too many"})"),
            R"({"type":"error","error":{"type":"rate_limit_error","message":"Too many"}})");
  EXPECT_EQ(
      bedrock_error(500, "<html>"),
      R"({"type":"error","error":{"type":"api_error","message":"Bedrock answered with status 500"}})");
}

TEST(BedrockStream, GivesAnthropicsEventsHoweverItIsCut) {
  const std::string start = R"({"type":"message_start","message":{"id":"m"}})";
  const std::string stop = R"({"type":"message_stop"})";
  const std::string wire = aws_chunk(start) + aws_chunk(stop);
  const std::string wanted =
      codec::serialise_sse("message_start", start) + codec::serialise_sse("message_stop", stop);
  for (std::size_t step = 1; step <= wire.size(); ++step) {
    BedrockStream stream;
    std::string out;
    for (std::size_t at = 0; at < wire.size(); at += step)
      ASSERT_TRUE(stream.feed(std::string_view(wire).substr(at, step), out)) << step;
    ASSERT_EQ(out, wanted) << step;
  }
}

TEST(BedrockStream, TellsExceptionsAsErrorEvents) {
  BedrockStream stream;
  std::string out;
  const std::string wire =
      event_message({{":message-type", "exception"}, {":exception-type", "throttlingException"}},
                    R"({"message":"slow down"})");
  ASSERT_TRUE(stream.feed(wire, out));
  EXPECT_THAT(out, HasSubstr("event: error\n"));
  EXPECT_THAT(out, HasSubstr(R"({"type":"rate_limit_error","message":"slow down"})"));
}

TEST(BedrockStream, FailsOnWhatItCannotRead) {
  std::string out;
  std::string broken = aws_chunk(R"({"type":"ping"})");
  broken[broken.size() / 2] ^= 1;
  BedrockStream damaged;
  EXPECT_FALSE(damaged.feed(broken, out));
  for (const char* inner : {"", "nonsense"}) {
    BedrockStream stream;
    EXPECT_FALSE(stream.feed(aws_chunk(inner), out)) << inner;
  }
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace aispm::gateway
