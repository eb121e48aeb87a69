// SPDX-License-Identifier: Apache-2.0
// Error forms, header policy, routes, keys and sticky verdicts: what stands at the gateway's edges.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "gateway/proxy/agent_events.hpp"
#include "gateway/proxy/header_policy.hpp"
#include "gateway/proxy/key_store.hpp"
#include "gateway/proxy/route.hpp"
#include "gateway/proxy/sticky.hpp"
#include "gateway/proxy/wire_error.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::gateway {
namespace {

using codec::http1::Header;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const Refusal kDenied{.kind = RefusalKind::kPolicy,
                      .message = "AISPM: rule \"r\"",
                      .decision = "deny",
                      .case_id = "case-7"};

TEST(WireError, OfAPolicyIsTheProvidersOwnFormAndForbidsRetries) {
  const std::string chat = error_reply(Dialect::kOpenAi, kDenied, true);
  EXPECT_THAT(chat, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(chat, HasSubstr("x-should-retry: false\r\n"));
  EXPECT_THAT(chat, HasSubstr("x-aispm-decision: deny\r\n"));
  EXPECT_THAT(chat, HasSubstr("x-aispm-case: case-7\r\n"));
  EXPECT_THAT(
      chat,
      HasSubstr(
          R"({"error":{"message":"AISPM: rule \"r\"","type":"invalid_request_error","param":null,"code":"aispm_deny"}})"));
  const std::string messages = error_reply(Dialect::kAnthropic, kDenied, true);
  EXPECT_THAT(
      messages,
      HasSubstr(
          R"({"type":"error","error":{"type":"invalid_request_error","message":"AISPM: rule \"r\"","details":{"error_code":"aispm_deny"}},"request_id":"case-7"})"));
}

TEST(WireError, IsUnderstoodByOurOwnParserInEveryFormOfEveryDialect) {
  for (int kind = 0; kind <= static_cast<int>(RefusalKind::kForbidden); ++kind) {
    const Refusal refusal{.kind = static_cast<RefusalKind>(kind),
                          .message = "why\n",
                          .decision = "deny",
                          .case_id = "c"};
    for (const auto& [dialect, api] : {std::pair{Dialect::kOpenAi, codec::Api::kOpenAiChat},
                                       {Dialect::kAnthropic, codec::Api::kAnthropicMessages},
                                       {Dialect::kOllama, codec::Api::kOllamaChat},
                                       {Dialect::kGemini, codec::Api::kGeminiGenerate}}) {
      const auto reply = codec::parse_reply(api, error_body(dialect, refusal));
      ASSERT_TRUE(reply) << reply.error().message;
      ASSERT_TRUE(reply->error) << kind;
      EXPECT_EQ(reply->error->message, "why\n");
    }
  }
}

TEST(WireError, ForGeminiIsGooglesWithTheCaseInItsDetails) {
  EXPECT_THAT(
      error_reply(Dialect::kGemini, kDenied, true),
      HasSubstr(
          R"({"error":{"code":400,"message":"AISPM: rule \"r\"","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"aispm_deny","domain":"aispm","metadata":{"case_id":"case-7"}}]}})"));
  EXPECT_THAT(error_body(Dialect::kGemini, make_refusal(RefusalKind::kUnauthenticated, "who")),
              HasSubstr(R"("code":401,"message":"AISPM: who","status":"UNAUTHENTICATED")"));
}

TEST(WireError, OfAnUpstreamMayBeTriedAgain) {
  const Refusal dead{
      .kind = RefusalKind::kUpstream, .message = "down", .decision = {}, .case_id = {}};
  EXPECT_THAT(error_reply(Dialect::kOpenAi, dead, false), Not(HasSubstr("x-should-retry")));
  EXPECT_THAT(error_reply(Dialect::kOpenAi, dead, false), StartsWith("HTTP/1.1 502 "));
}

TEST(HeaderPolicy, KeepsCredentialsCookiesAndForwardingHeadersHere) {
  const std::vector<Header> headers = {
      {"Authorization", "Bearer a"}, {"X-Api-Key", "b"},          {"Cookie", "c"},
      {"X-Forwarded-For", "d"},      {"X-Custom-Host", "e"},      {"OpenAI-Organization", "f"},
      {"OpenAI-Beta", "g"},          {"Accept-Encoding", "gzip"}, {"traceparent", "h"}};
  std::string out;
  append_request_headers(Dialect::kOpenAi, headers, out);
  EXPECT_EQ(out, "OpenAI-Beta: g\r\n");
}

TEST(HeaderPolicy, GivesAnthropicTheVersionItDemands) {
  std::string out;
  append_request_headers(Dialect::kAnthropic, {}, out);
  EXPECT_EQ(out, "anthropic-version: 2023-06-01\r\n");
  out.clear();
  append_request_headers(Dialect::kAnthropic,
                         std::vector<Header>{{"Anthropic-Version", "2024-01-01"}}, out);
  EXPECT_EQ(out, "Anthropic-Version: 2024-01-01\r\n");
}

TEST(HeaderPolicy, ShowsClientsRateLimitsAndIdsButNoCookies) {
  const std::vector<Header> headers = {
      {"Set-Cookie", "a"}, {"X-Request-Id", "r"},       {"x-ratelimit-remaining-tokens", "5"},
      {"Server", "s"},     {"Location", "http://evil"}, {"Content-Length", "9"}};
  std::string out;
  append_reply_headers(headers, out);
  EXPECT_EQ(out, "X-Request-Id: r\r\nx-ratelimit-remaining-tokens: 5\r\n");
}

std::string key_of(const std::string& headers) {
  codec::http1::HeadParser parser(codec::http1::HeadParser::Role::kRequest);
  const std::string text = "GET / HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
  const auto head = parser.parse(text);
  EXPECT_TRUE(head && *head);
  return std::string(presented_key(**head));
}

TEST(PresentedKey, ComesFromEitherHeaderButNotFromTwoThatDiffer) {
  EXPECT_EQ(key_of("Authorization: Bearer k\r\n"), "k");
  EXPECT_EQ(key_of("X-Api-Key: k\r\n"), "k");
  EXPECT_EQ(key_of("X-Api-Key: k\r\nAuthorization: bearer k\r\n"), "k");
  EXPECT_EQ(key_of("X-Api-Key: k\r\nAuthorization: Bearer other\r\n"), "");
  EXPECT_EQ(key_of("X-Goog-Api-Key: k\r\n"), "k");
  EXPECT_EQ(key_of("X-Goog-Api-Key: k\r\nX-Api-Key: k\r\n"), "k");
  EXPECT_EQ(key_of("X-Goog-Api-Key: k\r\nX-Api-Key: other\r\n"), "");
  EXPECT_EQ(key_of("X-Goog-Api-Key: k\r\nAuthorization: Bearer other\r\n"), "");
  EXPECT_EQ(key_of("Authorization: Basic k\r\n"), "");
  EXPECT_EQ(key_of(""), "");
}

TEST(TraceParent, IsTakenOnlyInItsStrictForm) {
  TraceParent parent;
  const std::string good = "00-" + std::string(32, 'a') + "-" + std::string(16, 'b') + "-01";
  ASSERT_TRUE(parse_traceparent(good, parent));
  EXPECT_EQ(parent.trace_id, std::string(32, 'a'));
  EXPECT_FALSE(
      parse_traceparent("00-" + std::string(32, '0') + "-" + std::string(16, 'b') + "-01", parent));
  EXPECT_FALSE(parse_traceparent("01" + good.substr(2), parent));
  EXPECT_FALSE(parse_traceparent(good + "x", parent));
}

struct Path {
  const char* method;
  const char* target;
  RouteKind kind;
};

class Routes : public ::testing::TestWithParam<Path> {};
TEST_P(Routes, AreTheseAndNoOthers) {
  EXPECT_EQ(find_route(GetParam().method, GetParam().target, false).kind, GetParam().kind);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Routes,
    ::testing::Values(
        Path{"POST", "/v1/chat/completions", RouteKind::kLlm},
        Path{"POST", "/v1/messages?beta=true", RouteKind::kLlm},
        Path{"POST", "/v1/messages?beta=secret", RouteKind::kBadQuery},
        Path{"POST", "/v1/messages?x", RouteKind::kBadQuery},
        Path{"GET", "/v1/messages", RouteKind::kBadMethod},
        Path{"GET", "/v1/models", RouteKind::kModels},
        Path{"GET", "/v1/models/gpt-4o", RouteKind::kModels},
        Path{"GET", "/v1/models/meta-llama%2FLlama-3-8b", RouteKind::kModels},
        Path{"GET", "/v1/models/meta-llama/Llama-3-8b", RouteKind::kModels},
        Path{"GET", "/v1/models/a%2F..%2Fb", RouteKind::kNotFound},
        Path{"GET", "/v1/models/a//b", RouteKind::kNotFound},
        Path{"GET", "/v1/models/a%2fb%2f", RouteKind::kNotFound},
        Path{"GET", "/v1/models/a%20b", RouteKind::kNotFound},
        Path{"POST", "/v1/models/a/g:generateContent", RouteKind::kBadMethod},
        Path{"GET", "/v1/models/../admin", RouteKind::kNotFound},
        Path{"GET", "/v1/models?limit=5", RouteKind::kModels},
        Path{"GET", "/v1/models?limit=%41", RouteKind::kBadQuery},
        Path{"DELETE", "/v1/models/x", RouteKind::kBadMethod},
        Path{"POST", "/v1/responses", RouteKind::kLlm},
        Path{"GET", "/v1/responses/resp_1", RouteKind::kNotFound},
        Path{"POST", "/v1/embeddings", RouteKind::kLlm},
        Path{"POST", "/v1/moderations", RouteKind::kLlm},
        Path{"POST", "/v1/messages/count_tokens?beta=true", RouteKind::kLlm},
        Path{"POST", "/v1/completions", RouteKind::kLlm},
        Path{"POST", "/v1/fim/completions", RouteKind::kNotFound},
        Path{"POST", "/api/chat", RouteKind::kLlm}, Path{"POST", "/api/generate", RouteKind::kLlm},
        Path{"POST", "/api/embed", RouteKind::kLlm},
        Path{"POST", "/api/embeddings", RouteKind::kLlm},
        Path{"GET", "/api/chat", RouteKind::kBadMethod},
        Path{"GET", "/api/tags", RouteKind::kModels},
        Path{"GET", "/api/version", RouteKind::kModels}, Path{"GET", "/api/ps", RouteKind::kModels},
        Path{"POST", "/api/show", RouteKind::kModels},
        Path{"GET", "/api/show", RouteKind::kBadMethod},
        Path{"POST", "/api/pull", RouteKind::kNotFound},
        Path{"DELETE", "/api/delete", RouteKind::kNotFound},
        Path{"POST", "/v1/chat/completions/", RouteKind::kNotFound},
        Path{"POST", "http://evil/v1/messages", RouteKind::kNotFound},
        Path{"POST", "/v1beta/models/g:generateContent", RouteKind::kLlm},
        Path{"POST", "/v1/models/g:generateContent", RouteKind::kLlm},
        Path{"POST", "/v1beta/models/g:streamGenerateContent?alt=sse", RouteKind::kLlm},
        Path{"POST", "/v1beta/models/g:streamGenerateContent", RouteKind::kLlm},
        Path{"POST", "/v1beta/models/g:generateContent?alt=sse", RouteKind::kBadQuery},
        Path{"POST", "/v1beta/models/g:generateContent?key=k", RouteKind::kBadQuery},
        Path{"POST", "/v1beta/models/g:streamGenerateContent?%24alt=json%3Benum-encoding%3Dint",
             RouteKind::kLlm},
        Path{"GET", "/v1beta/models?pageSize=50&$alt=json;enum-encoding=int", RouteKind::kModels},
        Path{"POST", "/v1beta/models/g:generateContent?%24alt=media", RouteKind::kBadQuery},
        Path{"POST", "/v1/messages?%24alt=json%3Benum-encoding%3Dint", RouteKind::kBadQuery},
        Path{"POST", "/v1beta/models/g:countTokens", RouteKind::kLlm},
        Path{"POST", "/v1beta/models/g:embedContent", RouteKind::kLlm},
        Path{"POST", "/v1beta/models/g:batchEmbedContents", RouteKind::kLlm},
        Path{"POST", "/v1beta/models/g:predict", RouteKind::kBadMethod},
        Path{"POST", "/v1beta/models/:generateContent", RouteKind::kBadMethod},
        Path{"POST", "/v1beta/models/a%20b:generateContent", RouteKind::kNotFound},
        Path{"POST", "/v1beta/models/a/b:generateContent", RouteKind::kNotFound},
        Path{"GET", "/v1beta/models/g:generateContent", RouteKind::kBadMethod},
        Path{"GET", "/v1beta/models?pageSize=5&pageToken=a_b", RouteKind::kModels},
        Path{"GET", "/v1beta/models/g", RouteKind::kModels},
        Path{"POST", "/v1beta/cachedContents", RouteKind::kNotFound},
        Path{"POST", "/upload/v1beta/files", RouteKind::kNotFound},
        Path{"HEAD", "/", RouteKind::kRoot}, Path{"GET", "/", RouteKind::kRoot},
        Path{"POST", "/", RouteKind::kBadMethod}, Path{"GET", "/healthz", RouteKind::kHealth},
        Path{"POST", "/aispm/v1/agent-events", RouteKind::kAgentEvents}));

TEST(FoundRoute, IsOpenAisAlsoBehindAVendorsPrefix) {
  EXPECT_EQ(without_vendor("/openai/v1/chat/completions?x=y"), "/v1/chat/completions?x=y");
  for (const char* other : {"/v1/models", "/openai/deployments/d/chat/completions", "/openai/v1",
                            "/openai", "/", "", "/x/openai/v1/models"})
    EXPECT_EQ(without_vendor(other), other);
}

TEST(FoundRoute, SaysWhatABaseUrlLacks) {
  EXPECT_THAT(std::string(path_objection("/chat/completions")), HasSubstr("ends in /v1"));
  EXPECT_THAT(std::string(path_objection("/v1/v1/messages")), HasSubstr("does not end in /v1"));
  EXPECT_EQ(path_objection("/v1/files"), "nothing is served at this path");
}

TEST(FoundRoute, SaysTheApiAndInWhoseFormErrorsAre) {
  const Route counts = find_route("POST", "/v1/messages/count_tokens", false);
  EXPECT_EQ(counts.api, codec::Api::kAnthropicCountTokens);
  EXPECT_EQ(counts.dialect, Dialect::kAnthropic);
  EXPECT_EQ(find_route("POST", "/v1/responses", true).dialect, Dialect::kOpenAi);
  EXPECT_EQ(find_route("POST", "/api/generate", false).api, codec::Api::kOllamaGenerate);
  EXPECT_EQ(find_route("POST", "/api/embed", false).api, codec::Api::kOllamaEmbed);
  EXPECT_EQ(find_route("POST", "/api/embed", false).dialect, Dialect::kOllama);
  EXPECT_EQ(find_route("POST", "/api/pull", false).dialect, Dialect::kOllama);
  const Route stream = find_route("POST", "/v1beta/models/g-2.5:streamGenerateContent", false);
  EXPECT_EQ(stream.api, codec::Api::kGeminiGenerate);
  EXPECT_EQ(stream.dialect, Dialect::kGemini);
  EXPECT_EQ(stream.model, "g-2.5");
  EXPECT_TRUE(stream.streams);
  EXPECT_EQ(find_route("POST", "/v1beta/cachedContents", false).dialect, Dialect::kGemini);
  EXPECT_THAT(std::string(query_objection("?alt=sse&key=k")), HasSubstr("x-goog-api-key"));
  EXPECT_THAT(std::string(query_objection("?monkey=k")), Not(HasSubstr("x-goog-api-key")));
}

TEST(KeyStore, FindsAgentsByTheHashOfTheirKey) {
  KeyStore keys;
  EXPECT_EQ(keys.find("aispm-one"), nullptr);
  keys.follow(
      {{.key_id = "k1", .key_sha256 = sha256_hex("aispm-one"), .agent_id = "bot", .tenant = "t"},
       {.key_id = "bad", .key_sha256 = "zz", .agent_id = "x", .tenant = ""}});
  ASSERT_NE(keys.find("aispm-one"), nullptr);
  EXPECT_EQ(keys.find("aispm-one")->agent_id, "bot");
  EXPECT_EQ(keys.find("aispm-two"), nullptr);
  EXPECT_EQ(keys.find(""), nullptr);
  EXPECT_EQ(keys.find(std::string(KeyStore::kMaxKeyBytes + 1, 'k')), nullptr);
}

TEST(KeyStore, ForgetsARevokedKeyButKeepsTheFiles) {
  const std::string path = ::testing::TempDir() + "aispm-keys-" + std::to_string(::getpid());
  std::ofstream(path) << "keys:\n  - sha256: " << sha256_hex("filed") << "\n    agent: offline\n";
  KeyStore keys;
  ASSERT_TRUE(keys.load_file(path));
  keys.follow({{.key_id = "k1", .key_sha256 = sha256_hex("one"), .agent_id = "bot", .tenant = ""}});
  keys.follow({});
  EXPECT_EQ(keys.find("one"), nullptr);
  ASSERT_NE(keys.find("filed"), nullptr);
  std::ofstream(path) << "keys:\n  - sha256: 12\n    agent: offline\n";
  EXPECT_FALSE(keys.load_file(path));
  EXPECT_NE(keys.find("filed"), nullptr);
  ::unlink(path.c_str());
}

TEST(KeyStore, RefusesAKeyThatTwoAgentsHave) {
  const std::string path = ::testing::TempDir() + "aispm-twice-" + std::to_string(::getpid());
  const std::string hash = sha256_hex("shared");
  std::ofstream(path) << "keys:\n  - {sha256: " << hash << ", agent: one}\n  - {sha256: " << hash
                      << ", agent: two}\n";
  KeyStore keys;
  EXPECT_FALSE(keys.load_file(path));
  EXPECT_EQ(keys.find("shared"), nullptr);
  ::unlink(path.c_str());
}

StickyVerdicts::Time at(int seconds) {
  return StickyVerdicts::Time{} + std::chrono::seconds(seconds);
}
model::Decision decision(const char* case_id) {
  model::Decision made;
  made.case_id = case_id;
  return made;
}

TEST(StickyVerdicts, GiveTheSameCaseToTheSameAgentUntilTheirTimeIsOver) {
  StickyVerdicts sticky(8, std::chrono::seconds(10));
  EXPECT_TRUE(sticky.empty());
  sticky.remember("a", "r", decision("c1"), at(0));
  EXPECT_EQ(sticky.find("a", "r", at(9))->case_id, "c1");
  EXPECT_FALSE(sticky.find("b", "r", at(9)));
  EXPECT_FALSE(sticky.find("a", "other", at(9)));
  EXPECT_FALSE(sticky.find("a", "r", at(10)));
  EXPECT_TRUE(sticky.empty());
}

TEST(StickyVerdicts, ForgetTheLeastRecentlyUsedBeyondTheirLimit) {
  StickyVerdicts sticky(2, std::chrono::seconds(10));
  sticky.remember("a", "1", decision("1"), at(0));
  sticky.remember("a", "2", decision("2"), at(0));
  EXPECT_TRUE(sticky.find("a", "1", at(1)));
  sticky.remember("a", "3", decision("3"), at(1));
  EXPECT_TRUE(sticky.find("a", "1", at(1)));
  EXPECT_FALSE(sticky.find("a", "2", at(1)));
  EXPECT_EQ(sticky.size(), 2U);
}

TEST(AgentEvents, BearTheAgentOfTheConnectionWhateverTheyClaim) {
  const EventStamp stamp{
      .agent_id = "alice/a", .session_id = "s", .tenant = "t", .host_id = "h", .trace_id = "tr"};
  const auto read = read_events(
      R"({"events":[{"agent_id":"root/x","session_id":"other","agent_ready":{"name":"n"}},{"agentLog":{"level":"info","message":"m"}}]})",
      EventAuthor::kAgent, stamp);
  ASSERT_TRUE(read) << read.error().message;
  const auto& events = read->events;
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events.front().agent_id, "alice/a");
  EXPECT_EQ(events.front().session_id, "s");
  EXPECT_EQ(events.front().source, model::Source::kSdk);
  EXPECT_EQ(read->unknown.fields, 0U);
}

TEST(AgentEvents, MayNotSpeakForTheSandbox) {
  const std::string body = R"({"events":[{"sandbox_exit":{"exit_code":0}}]})";
  EXPECT_FALSE(read_events(body, EventAuthor::kAgent, {}));
  const auto events = read_events(body, EventAuthor::kRun, {});
  ASSERT_TRUE(events);
  EXPECT_EQ(events->events.front().source, model::Source::kSandbox);
}

// A newer aispm-run must not be kept from starting agents by an older gateway.
TEST(AgentEvents, LeaveOutAndCountWhatANewerReporterSays) {
  const auto read = read_events(
      R"({"later":1,"events":[
        {"sandbox_start":{"profile":"p","future":{"a":[1]},"mechanisms":["x"]},"novel":true},
        {"sandboxDenial":{"kind":"KIND_TELEPATHY","target":"t","firstTime":"2026-01-01T00:00:00Z"}},
        {"sandbox_teleport":{"to":"elsewhere"}},
        {"agent_log":{"level":"info","message":"m","fields":{"colour":"red"}}}]})",
      EventAuthor::kRun, {});
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->events.size(), 3U);
  const auto& start = std::get<model::SandboxStart>(read->events[0].body);
  EXPECT_EQ(start.profile, "p");
  EXPECT_EQ(start.mechanisms, std::vector<std::string>{"x"});
  EXPECT_EQ(std::get<model::SandboxDenial>(read->events[1].body).target, "t");
  EXPECT_EQ(std::get<model::AgentLog>(read->events[2].body).fields.at("colour"), "red");
  EXPECT_EQ(read->unknown.fields, 5U);  // later, future, novel, KIND_TELEPATHY, sandbox_teleport
  EXPECT_EQ(read->unknown.events, 1U);
}

TEST(AgentEvents, NameTheFirstUnknownFieldWithinALimit) {
  const auto read = read_events(
      R"({"events":[{"agent_log":{"message":"m",")" + std::string(1000, 'x') + R"(":1}}]})",
      EventAuthor::kRun, {});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->unknown.first.starts_with("AgentLog.xxx")) << read->unknown.first;
  EXPECT_EQ(read->unknown.first.size(), UnknownFields::kMaxNameBytes);
}

class BadEvents : public ::testing::TestWithParam<const char*> {};
TEST_P(BadEvents, AreRefusedAsAWhole) {
  EXPECT_FALSE(read_events(GetParam(), EventAuthor::kRun, {}));
}
INSTANTIATE_TEST_SUITE_P(Table, BadEvents,
                         ::testing::Values("", "[]", "{}", R"({"events":{}})", R"({"events":[1]})",
                                           R"({"events":[{}]})", R"({"events":[{"llm_call":{}}]})",
                                           R"({"events":[{"agent_log":{"message":{}}}]})",
                                           R"({"events":[{"agent_log":{}},{"process_exec":{}}]})"));

}  // namespace
}  // namespace aispm::gateway
