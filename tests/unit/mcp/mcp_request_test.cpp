// SPDX-License-Identifier: Apache-2.0
// MCP-001, MCP-010: what clients of the MCP endpoint may say, in both eras, and what they are told.
#include "gateway/mcp/mcp_request.hpp"

#include <gmock/gmock.h>

#include "gateway/mcp/mcp_reply.hpp"
#include "gateway/mcp/server_message.hpp"

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;

struct Post {
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  McpReading read() const {
    std::string text = "POST /mcp HTTP/1.1\r\nhost: gw\r\n";
    for (const auto& [name, value] : headers) text.append(name + ": ").append(value + "\r\n");
    text += "content-length: " + std::to_string(body.size()) + "\r\n\r\n";
    codec::http1::HeadParser parser(codec::http1::HeadParser::Role::kRequest);
    auto head = parser.parse(text);
    EXPECT_TRUE(head && *head);
    return read_mcp_post(take_mcp_head(**head), body);
  }
};

Post post(std::string body, std::vector<std::pair<std::string, std::string>> more = {}) {
  Post made{{{"content-type", "application/json; charset=utf-8"},
             {"accept", "application/json, text/event-stream"}},
            std::move(body)};
  made.headers.insert(made.headers.end(), more.begin(), more.end());
  return made;
}

std::string call(std::string_view arguments, std::string_view more = "") {
  return R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a__b","arguments":)" +
         std::string(arguments) + std::string(more) + "}}";
}

constexpr char kMeta[] =
    R"(,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"url":{}}}})";

std::vector<std::pair<std::string, std::string>> stateless(std::string method = "tools/call",
                                                           std::string name = "a__b") {
  return {{"mcp-protocol-version", "2026-07-28"}, {"mcp-method", method}, {"mcp-name", name}};
}

TEST(McpPost, OfASessionIsRead) {
  const McpReading reading =
      post(call(R"({"x": 1})"), {{"mcp-protocol-version", "2025-11-25"}}).read();
  ASSERT_FALSE(reading.refusal) << reading.refusal->message;
  EXPECT_FALSE(reading.message.is_stateless);
  EXPECT_EQ(reading.message.id, "7");
  EXPECT_EQ(reading.message.target, "a__b");
  EXPECT_EQ(reading.message.arguments, R"({"x": 1})");
}

TEST(McpPost, WithoutAVersionIsTakenFor20250326) {
  const McpReading reading = post(call("{}")).read();
  ASSERT_FALSE(reading.refusal);
  EXPECT_EQ(reading.message.version, "2025-03-26");
}

TEST(McpPost, TakesNullForWhatIsNotGiven) {
  const McpReading reading = post(call("null", R"(,"_meta":{"progressToken":null})")).read();
  ASSERT_FALSE(reading.refusal) << reading.refusal->message;
  EXPECT_EQ(reading.message.arguments, "{}");
  EXPECT_EQ(reading.message.progress_token, "");
  const auto has_cursor = [](const std::string& cursor) {
    const McpReading list =
        post(R"({"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":)" + cursor + "}}")
            .read();
    EXPECT_FALSE(list.refusal);
    return list.message.has_cursor;
  };
  EXPECT_FALSE(has_cursor("null"));
  EXPECT_FALSE(has_cursor(R"("")"));
  EXPECT_TRUE(has_cursor(R"("2")"));
  EXPECT_TRUE(post(call("[]")).read().refusal);
}

TEST(McpVersions, OfSessionsAreAnsweredWithThemselves) {
  for (const std::string_view spoken : {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}) {
    EXPECT_EQ(agree_on_mcp_version(spoken), spoken);
    const McpReading reading =
        post(call("{}"), {{"mcp-protocol-version", std::string(spoken)}}).read();
    ASSERT_FALSE(reading.refusal) << spoken;
    EXPECT_EQ(reading.message.version, spoken);
  }
  EXPECT_EQ(agree_on_mcp_version("2024-10-07"), "2025-11-25");
}

TEST(McpPost, WithoutSessionsIsReadWhenHeadersAndBodyAgree) {
  const McpReading reading = post(call("{}", kMeta), stateless()).read();
  ASSERT_FALSE(reading.refusal) << reading.refusal->message;
  EXPECT_TRUE(reading.message.is_stateless);
  EXPECT_TRUE(reading.message.asks_by_url);
}

struct Refused {
  const char* name;
  Post post;
  int status;
  int code;
};

class McpPostRefusals : public ::testing::TestWithParam<Refused> {};

TEST_P(McpPostRefusals, SayStatusAndCode) {
  const McpReading reading = GetParam().post.read();
  ASSERT_TRUE(reading.refusal);
  EXPECT_EQ(reading.refusal->status, GetParam().status) << reading.refusal->message;
  EXPECT_EQ(reading.refusal->code, GetParam().code) << reading.refusal->message;
}

std::string nested(std::size_t depth) {
  std::string open;
  std::string close;
  for (std::size_t i = 1; i < depth; ++i) {
    open += "{\"a\":";
    close += "}";
  }
  return open + "{}" + close;
}

INSTANTIATE_TEST_SUITE_P(
    , McpPostRefusals,
    ::testing::Values(
        Refused{"ContentType",
                {{{"content-type", "text/plain"}, {"accept", "*/*"}}, call("{}")},
                415,
                mcp_code::kInvalidRequest},
        Refused{
            "Accept",
            {{{"content-type", "application/json"}, {"accept", "application/json"}}, call("{}")},
            406,
            mcp_code::kInvalidRequest},
        Refused{"NoJson", post("{"), 400, mcp_code::kParse},
        Refused{"RepeatedKey", post(R"({"jsonrpc":"2.0","id":1,"id":2,"method":"ping"})"), 400,
                mcp_code::kParse},
        Refused{"Batch", post("[" + call("{}") + "]"), 400, mcp_code::kInvalidRequest},
        Refused{"NullId", post(R"({"jsonrpc":"2.0","id":null,"method":"ping"})"), 400,
                mcp_code::kInvalidRequest},
        Refused{"NoTool", post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call"})"), 400,
                mcp_code::kInvalidParams},
        Refused{"ArgumentsAreAList", post(call("[]")), 400, mcp_code::kInvalidParams},
        Refused{"Depth11", post(call(nested(11))), 400, mcp_code::kInvalidParams},
        Refused{"UnknownVersion", post(call("{}"), {{"mcp-protocol-version", "1999-01-01"}}), 400,
                mcp_code::kUnsupportedVersion},
        Refused{"HeaderWithoutMeta", post(call("{}"), stateless()), 400, mcp_code::kInvalidParams},
        Refused{"MetaWithoutHeader", post(call("{}", kMeta)), 400, mcp_code::kHeaderMismatch},
        Refused{"VersionsDiffer", post(call("{}", kMeta), {{"mcp-protocol-version", "2025-11-25"}}),
                400, mcp_code::kHeaderMismatch},
        Refused{"OtherMethod", post(call("{}", kMeta), stateless("tools/list")), 400,
                mcp_code::kHeaderMismatch},
        Refused{"OtherName", post(call("{}", kMeta), stateless("tools/call", "a__c")), 400,
                mcp_code::kHeaderMismatch},
        Refused{"AnswerWithoutSession",
                post(R"({"jsonrpc":"2.0","id":1,"result":{}})",
                     {{"mcp-protocol-version", "2026-07-28"}}),
                400, mcp_code::kInvalidRequest}),
    [](const auto& one) { return one.param.name; });

TEST(McpPost, TakesTenLevelsOfArguments) { EXPECT_FALSE(post(call(nested(10))).read().refusal); }

TEST(McpPost, KeepsWhatIsToldTheServer) {
  const auto with = [](const std::string& meta) {
    return post(
               R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","_meta":)" +
               meta + "}}")
        .read();
  };
  EXPECT_EQ(
      with(R"({"progressToken":1,"traceparent":"00-a","io.modelcontextprotocol/x":{},"v/w":[1]})")
          .message.meta,
      R"({"traceparent":"00-a","v/w":[1]})");
  EXPECT_EQ(with(R"({"progressToken":1})").message.meta, "");
  EXPECT_EQ(with("null").message.meta, "");
  for (const std::string& much :
       {"{\"a\":\"" + std::string(kMaxMcpMeta, 'a') + "\"}", "{\"a\":" + nested(10) + "}"}) {
    const auto refusal = with(much).refusal;
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->code, mcp_code::kInvalidParams);
  }
}

TEST(McpPost, TakesHalfACharacterForNone) {
  const McpReading reading =
      post(
          R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":"cut \ud83d"}}})")
          .read();
  ASSERT_FALSE(reading.refusal);
  EXPECT_EQ(reading.message.arguments, R"({"x":"cut \ufffd"})");
}

TEST(McpPost, TakesAHeaderInBase64) {
  EXPECT_FALSE(
      post(call("{}", kMeta), stateless("tools/call", "=?base64?YV9fYg==?=")).read().refusal);
}

TEST(McpOrigin, OfThisMachineOrListedMaySpeak) {
  const std::vector<std::string> allowed = {"https://ide.example"};
  EXPECT_TRUE(is_mcp_origin_allowed(std::nullopt, allowed));
  EXPECT_TRUE(is_mcp_origin_allowed("http://localhost:3000", allowed));
  EXPECT_TRUE(is_mcp_origin_allowed("http://[::1]:3000", allowed));
  EXPECT_TRUE(is_mcp_origin_allowed("https://ide.example", allowed));
  EXPECT_FALSE(is_mcp_origin_allowed("https://localhost.evil.example", allowed));
  EXPECT_FALSE(is_mcp_origin_allowed("http://127.0.0.1.evil.example:80", allowed));
  EXPECT_FALSE(is_mcp_origin_allowed("null", allowed));
}

TEST(McpReplies, HaveATypeOnlyWithoutSessions) {
  McpMessage to;
  to.id = "1";
  EXPECT_EQ(mcp_result(to, R"({"a":1})"), R"({"jsonrpc":"2.0","id":1,"result":{"a":1}})");
  to.is_stateless = true;
  EXPECT_EQ(mcp_result(to, R"({"a":1})"),
            R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","a":1}})");
  EXPECT_EQ(mcp_result(to, "{ }"),
            R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"complete" }})");
}

TEST(McpServerMessages, AreKnownByTheIdThatWasAsked) {
  using Kind = ServerMessage::Kind;
  const auto kind = [](std::string_view text) {
    auto read = read_server_message(text, "3");
    return read ? std::optional(read->kind) : std::nullopt;
  };
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":3,"result":{}})"), Kind::kResult);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":"3","result":{}})"), Kind::kOther);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"no"}})"), Kind::kError);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":3,"method":"sampling/createMessage"})"), Kind::kRequest);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","method":"notifications/progress"})"), Kind::kOther);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":3,"result":{"resultType":"task"}})"), std::nullopt);
  EXPECT_EQ(kind(R"({"jsonrpc":"2.0","id":3,"result":[]})"), std::nullopt);
}

TEST(McpServerMessages, MayBeQuestions) {
  const auto asked = read_server_message(
      R"({"jsonrpc":"2.0","id":3,"result":{"resultType":"input_required","requestState":"s"}})",
      "3");
  ASSERT_TRUE(asked);
  EXPECT_TRUE(asked->needs_input);
  const auto whole =
      read_server_message(R"({"jsonrpc":"2.0","id":3,"result":{"resultType":"complete"}})", "3");
  ASSERT_TRUE(whole);
  EXPECT_FALSE(whole->needs_input);
}

TEST(McpServerMessages, GrantServersNothingUnlessItIsSaid) {
  EXPECT_THAT(server_hello("1", {}), HasSubstr("\"capabilities\":{}"));
  EXPECT_THAT(server_hello("1", {.sampling = true}),
              HasSubstr("\"capabilities\":{\"sampling\":{}}"));
  EXPECT_THAT(server_denial("\"x\"", "sampling/createMessage"), HasSubstr("-32601"));
}

}  // namespace
}  // namespace aispm::gateway
