// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/agent_message.hpp"

#include <gmock/gmock.h>

#include "sdk/core/codec/mcp_http.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;

AgentMessage parse(std::string_view text) {
  auto messages = parse_agent_messages(text);
  if (!messages) {
    ADD_FAILURE() << messages.error().message << " in " << text;
    return {};
  }
  EXPECT_EQ(messages->size(), 1U);
  // Every part is where its span says.
  for (const TextPart& part : messages->front().parts)
    EXPECT_EQ(json_unescape(text.substr(part.span.begin, part.span.size())).value(), part.text);
  return std::move(messages->front());
}

auto is_part(Surface surface, std::string_view text) {
  return AllOf(Field(&TextPart::surface, surface), Field(&TextPart::text, text));
}

TEST(AgentMessages, ReadsTheHandshakeOfASession) {
  const auto ask = parse(
      R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{}},"clientInfo":{"name":"agent","version":"1.2"}}})");
  EXPECT_EQ(ask.protocol, AgentProtocol::kMcp);
  EXPECT_EQ(ask.kind, RpcKind::kRequest);
  EXPECT_EQ(ask.id, "0");
  EXPECT_EQ(ask.protocol_version, "2025-06-18");
  EXPECT_EQ(ask.client.name, "agent");
  EXPECT_EQ(ask.client.version, "1.2");
  const auto answer = parse(
      R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"files","version":"0.9"},"instructions":"Use with care"}})");
  EXPECT_EQ(answer.protocol, AgentProtocol::kMcp);
  EXPECT_EQ(answer.kind, RpcKind::kResult);
  EXPECT_EQ(answer.server.name, "files");
  EXPECT_EQ(answer.protocol_version, "2025-06-18");
  EXPECT_THAT(answer.parts, Contains(is_part(Surface::kToolDescription, "Use with care")));
}

TEST(AgentMessages, ReadsTheStatelessEra) {
  const auto ask = parse(
      R"({"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"read","arguments":{"path":"/etc/hosts"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"3"}}}})");
  EXPECT_EQ(ask.protocol_version, "2026-07-28");
  EXPECT_EQ(ask.client.name, "c");
  EXPECT_EQ(ask.id, "\"a\"");
  EXPECT_EQ(ask.target, "read");
  const auto found = parse(
      R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","supportedVersions":["2025-11-25","2026-07-28"],"capabilities":{},"ttlMs":5,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"2"}}}})");
  EXPECT_EQ(found.protocol, AgentProtocol::kMcp);
  EXPECT_EQ(found.protocol_version, "2026-07-28");
  EXPECT_EQ(found.server.name, "s");
  EXPECT_EQ(found.result_type, "complete");
  const auto more = parse(
      R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"Which?"}}},"requestState":"x"}})");
  EXPECT_EQ(more.result_type, "input_required");
  EXPECT_THAT(more.parts, Contains(is_part(Surface::kToolResult, "Which?")));
}

TEST(AgentMessages, HashesArgumentsWhateverTheirSpelling) {
  const std::string_view text =
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"run","arguments":{"cmd":"ls \u00e9","n":[1,2]}}})";
  const auto call = parse(text);
  EXPECT_EQ(call.target, "run");
  EXPECT_EQ(text.substr(call.arguments.begin, call.arguments.size()),
            R"({"cmd":"ls \u00e9","n":[1,2]})");
  EXPECT_EQ(call.arguments_sha256, sha256_hex("{\"cmd\":\"ls \xC3\xA9\",\"n\":[1,2]}"));
  EXPECT_THAT(call.parts, Contains(is_part(Surface::kToolArguments, "ls \xC3\xA9")));
  const auto same = parse(
      "{\"params\":{\"arguments\":{ \"n\" : [ 1 , 2 ],\"cmd\":\"ls \xC3\xA9\"},\"name\":\"run\"},"
      "\"method\":\"tools/call\",\"id\":7,\"jsonrpc\":\"2.0\"}");
  EXPECT_EQ(same.arguments_sha256, call.arguments_sha256);
  const auto other = parse(
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"run","arguments":{"cmd":"ls e","n":[1,2]}}})");
  EXPECT_NE(other.arguments_sha256, call.arguments_sha256);
}

TEST(AgentMessages, ReadsResultsAndErrors) {
  const auto good = parse(
      R"({"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"done"}],"isError":false}})");
  EXPECT_EQ(good.protocol, AgentProtocol::kMcp);
  EXPECT_FALSE(good.is_error);
  EXPECT_EQ(good.result_sha256.size(), 64U);
  EXPECT_THAT(good.parts, ElementsAre(is_part(Surface::kToolResult, "done")));
  const auto bad = parse(
      R"({"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"no"}],"isError":true}})");
  EXPECT_TRUE(bad.is_error);
  const auto error = parse(
      R"({"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"Unknown tool","data":{"hint":"look"}}})");
  EXPECT_EQ(error.kind, RpcKind::kError);
  EXPECT_TRUE(error.is_error);
  EXPECT_EQ(error.error_code, -32602);
  EXPECT_EQ(error.error_message, "Unknown tool");
  EXPECT_THAT(error.parts, Contains(is_part(Surface::kToolResult, "look")));
}

constexpr std::string_view kTools =
    R"({"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"read","title":"Read","description":"Reads a file","inputSchema":{"type":"object","properties":{"path":{"type":"string","description":"Where"}}},"annotations":{"readOnlyHint":true},"_meta":{"x":1}},{"name":"write","inputSchema":{"type":"object"}}],"nextCursor":"p2"}})";

TEST(AgentMessages, HashesToolDefinitionsStably) {
  const auto list = parse(kTools);
  ASSERT_TRUE(list.tools.has_value());
  EXPECT_TRUE(list.tools->has_more);
  ASSERT_EQ(list.tools->tools.size(), 2U);
  const ToolDefinition& read = list.tools->tools[0];
  EXPECT_EQ(read.name, "read");
  EXPECT_EQ(
      read.description_sha256,
      sha256_hex(
          R"({"annotations":{"readOnlyHint":true},"description":"Reads a file","name":"read","title":"Read"})"));
  EXPECT_EQ(
      read.schema_sha256,
      sha256_hex(
          R"({"inputSchema":{"properties":{"path":{"description":"Where","type":"string"}},"type":"object"}})"));
  EXPECT_THAT(list.parts, Contains(is_part(Surface::kToolDescription, "Reads a file")));
  EXPECT_THAT(list.parts, Contains(is_part(Surface::kToolDescription, "Where")));
}

TEST(AgentMessages, EachChangeOfAToolShowsInOneHash) {
  const std::string before(kTools);
  const auto changed = [&](std::string_view from, std::string_view to) {
    std::string text = before;
    text.replace(text.find(from), from.size(), to);
    return parse(text).tools->tools[0];
  };
  const ToolDefinition old = parse(before).tools->tools[0];
  const ToolDefinition description = changed("Reads a file", "Reads a file and mails it");
  EXPECT_NE(description.description_sha256, old.description_sha256);
  EXPECT_EQ(description.schema_sha256, old.schema_sha256);
  const ToolDefinition schema = changed("\"Where\"", "\"Where, and your key\"");
  EXPECT_EQ(schema.description_sha256, old.description_sha256);
  EXPECT_NE(schema.schema_sha256, old.schema_sha256);
  EXPECT_NE(changed("readOnlyHint\":true", "readOnlyHint\":false").description_sha256,
            old.description_sha256);
  const ToolDefinition meta = changed("\"x\":1", "\"x\":2");
  EXPECT_EQ(meta.description_sha256, old.description_sha256);
  EXPECT_EQ(meta.schema_sha256, old.schema_sha256);
}

TEST(AgentMessages, AListsIdentityIgnoresItsOrder) {
  ToolList one = *parse(kTools).tools;
  ToolList two = one;
  std::swap(two.tools[0], two.tools[1]);
  EXPECT_EQ(tool_list_sha256(one), tool_list_sha256(two));
  two.tools.pop_back();
  EXPECT_NE(tool_list_sha256(one), tool_list_sha256(two));
}

TEST(AgentMessages, KnowsWhoseWordsTheyAre) {
  const struct {
    AgentProtocol protocol;
    const char* text;
  } cases[] = {
      {AgentProtocol::kMcp, R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})"},
      {AgentProtocol::kMcp, R"({"jsonrpc":"2.0","method":"notifications/initialized"})"},
      {AgentProtocol::kMcp, R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})"},
      {AgentProtocol::kMcp,
       R"({"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"p"}})"},
      {AgentProtocol::kMcp,
       R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///x"}})"},
      {AgentProtocol::kMcp,
       R"({"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t"}})"},
      {AgentProtocol::kMcp,
       R"({"jsonrpc":"2.0","id":1,"method":"x/y","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})"},
      {AgentProtocol::kMcp, R"({"jsonrpc":"2.0","id":1,"result":{"resources":[]}})"},
      {AgentProtocol::kA2a, R"({"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"id":"t"}})"},
      {AgentProtocol::kA2a,
       R"({"jsonrpc":"2.0","id":1,"method":"message/stream","params":{"message":{}}})"},
      {AgentProtocol::kA2a, R"({"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t"}})"},
      {AgentProtocol::kA2a,
       R"({"jsonrpc":"2.0","id":1,"result":{"kind":"message","messageId":"m","parts":[]}})"},
      {AgentProtocol::kA2a,
       R"({"jsonrpc":"2.0","id":1,"result":{"statusUpdate":{"taskId":"t","status":{"state":"TASK_STATE_WORKING"}}}})"},
      // Language servers, nodes of a chain, browsers' debuggers.
      {AgentProtocol::kUnknown,
       R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":1,"rootUri":null,"capabilities":{}}})"},
      {AgentProtocol::kUnknown,
       R"({"jsonrpc":"2.0","id":1,"method":"textDocument/hover","params":{}})"},
      {AgentProtocol::kUnknown, R"({"jsonrpc":"2.0","id":1,"method":"eth_call","params":[]})"},
      {AgentProtocol::kUnknown, R"({"jsonrpc":"2.0","id":1,"method":"ping"})"},
      {AgentProtocol::kUnknown, R"({"jsonrpc":"2.0","id":1,"result":{}})"},
      {AgentProtocol::kUnknown, R"({"jsonrpc":"2.0","id":1,"result":"0x1"})"},
      {AgentProtocol::kUnknown,
       R"({"jsonrpc":"2.0","id":1,"result":{"contents":{"kind":"markdown","value":"hover"}}})"},
  };
  for (const auto& one : cases) EXPECT_EQ(parse(one.text).protocol, one.protocol) << one.text;
}

TEST(AgentMessages, ReadsSamplingAndElicitation) {
  const auto sampling = parse(
      R"({"jsonrpc":"2.0","id":4,"method":"sampling/createMessage","params":{"systemPrompt":"Be terse","messages":[{"role":"user","content":{"type":"text","text":"Summarise"}}],"maxTokens":9}})");
  EXPECT_THAT(sampling.parts, Contains(is_part(Surface::kSystem, "Be terse")));
  EXPECT_THAT(sampling.parts, Contains(is_part(Surface::kPrompt, "Summarise")));
  const auto question = parse(
      R"({"jsonrpc":"2.0","id":5,"method":"elicitation/create","params":{"message":"Your token?","requestedSchema":{"type":"object"}}})");
  EXPECT_THAT(question.parts, Contains(is_part(Surface::kToolResult, "Your token?")));
}

TEST(AgentMessages, ReadsA2a) {
  const auto ask = parse(
      R"({"jsonrpc":"2.0","id":"1","method":"SendMessage","params":{"message":{"role":"ROLE_USER","parts":[{"text":"Book a flight"}],"messageId":"m1","taskId":"t1"}}})");
  EXPECT_EQ(ask.protocol, AgentProtocol::kA2a);
  EXPECT_EQ(ask.target, "t1");
  EXPECT_EQ(ask.arguments_sha256.size(), 64U);
  EXPECT_THAT(ask.parts, Contains(is_part(Surface::kPrompt, "Book a flight")));
  const auto old = parse(
      R"({"jsonrpc":"2.0","id":1,"result":{"kind":"task","id":"t1","contextId":"c","status":{"state":"failed","message":{"parts":[{"kind":"text","text":"no seats"}]}}}})");
  EXPECT_EQ(old.target, "t1");
  EXPECT_EQ(old.result_type, "failed");
  EXPECT_TRUE(old.is_error);
  const auto now = parse(
      R"({"jsonrpc":"2.0","id":1,"result":{"task":{"id":"t1","status":{"state":"TASK_STATE_INPUT_REQUIRED"}}}})");
  EXPECT_EQ(now.result_type, "input_required");
  EXPECT_FALSE(now.is_error);
}

TEST(AgentMessages, ReadsABatchWithSpansInTheWholeText) {
  const std::string text =
      R"( [{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"k":"v\n"}}},
 {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}])";
  const auto messages = parse_agent_messages(text);
  ASSERT_TRUE(messages.has_value()) << messages.error().message;
  ASSERT_EQ(messages->size(), 2U);
  const AgentMessage& call = messages->front();
  EXPECT_EQ(text.substr(call.arguments.begin, call.arguments.size()), R"({"k":"v\n"})");
  for (const TextPart& part : call.parts)
    EXPECT_EQ(json_unescape(text.substr(part.span.begin, part.span.size())).value(), part.text);
  EXPECT_EQ((*messages)[1].kind, RpcKind::kNotification);
}

TEST(AgentMessages, RefusesWhatTwoReadersCouldReadDifferently) {
  const char* cases[] = {
      "",
      "[]",
      "[",
      "{}",
      "hello",
      R"({"jsonrpc":"1.0","id":1,"method":"tools/list"})",
      R"({"id":1,"method":"tools/list"})",
      R"({"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"})",
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}})",
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}})",
      R"({"jsonrpc":"2.0","id":1,"method":"a","result":{}})",
      R"({"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}})",
      R"({"jsonrpc":"2.0","id":1})",
      R"({"jsonrpc":"2.0","result":{}})",
      R"({"jsonrpc":"2.0","id":null,"result":{}})",
      R"({"jsonrpc":"2.0","id":{},"method":"a"})",
      R"({"jsonrpc":"2.0","id":true,"method":"a"})",
      R"({"jsonrpc":"2.0","id":1,"method":7})",
      R"({"jsonrpc":"2.0","id":1,"method":"a","params":"x"})",
      R"({"jsonrpc":"2.0","id":1,"error":{"code":"x","message":"y"}})",
      R"({"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":"y"}})",
      R"({"jsonrpc":"2.0","id":1,"error":{"code":1}})",
      R"({"jsonrpc":"2.0","id":1,"method":"a"} {"jsonrpc":"2.0","id":2,"method":"b"})",
      R"([{"jsonrpc":"2.0","id":1,"method":"a"},])",
      R"([{"jsonrpc":"2.0","id":1,"method":"a"})",
  };
  for (const char* text : cases) {
    const auto messages = parse_agent_messages(text);
    ASSERT_FALSE(messages.has_value()) << text;
    EXPECT_EQ(messages.error().code, Errc::kInvalid) << text;
  }
}

TEST(AgentMessages, HoldsItsLimits) {
  const auto code = [](const std::string& text) {
    const auto messages = parse_agent_messages(text);
    return messages ? Errc::kInternal : messages.error().code;
  };
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":")" + std::string(300, 'x') + R"(","method":"a"})"),
            Errc::kTooLarge);
  std::string batch = "[";
  for (std::size_t i = 0; i <= kMaxRpcBatch; ++i)
    batch += std::string(i > 0 ? "," : "") + R"({"jsonrpc":"2.0","method":"a"})";
  EXPECT_EQ(code(batch + "]"), Errc::kTooLarge);
  EXPECT_EQ(code(std::string(kMaxRpcBytes + 1, ' ')), Errc::kTooLarge);
  std::string deep;
  for (std::size_t i = 0; i < kMaxRpcDepth; ++i) deep += "[";
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"a","params":)" + deep), Errc::kInvalid);
}

TEST(AgentCards, ReadsBothGenerations) {
  EXPECT_TRUE(is_agent_card_path("/.well-known/agent-card.json"));
  EXPECT_TRUE(is_agent_card_path("/a/b/.well-known/agent.json?x=1"));
  EXPECT_FALSE(is_agent_card_path("/.well-known/openid-configuration"));
  const auto old = parse_agent_card(
      R"({"name":"Booker","description":"Books","url":"https://b.example/a2a","version":"2","protocolVersion":"0.3.0","provider":{"organization":"B","url":"https://b.example"},"skills":[{"id":"flight","name":"Flights","description":"Books flights","tags":[]}]})");
  ASSERT_TRUE(old.has_value()) << old.error().message;
  EXPECT_EQ(old->agent.name, "Booker");
  EXPECT_EQ(old->protocol_version, "0.3.0");
  EXPECT_EQ(old->url, "https://b.example/a2a");
  EXPECT_EQ(old->provider, "B");
  ASSERT_EQ(old->skills.size(), 1U);
  EXPECT_EQ(old->skills[0].name, "flight");
  const std::string body =
      R"({"name":"Booker","version":"2","supportedInterfaces":[{"url":"https://b.example/1","protocolBinding":"JSONRPC","protocolVersion":"1.0"},{"url":"grpc","protocolBinding":"GRPC"}],"skills":[],"signatures":[{"protected":"x"}]})";
  const auto now = parse_agent_card(body);
  ASSERT_TRUE(now.has_value());
  EXPECT_EQ(now->url, "https://b.example/1");
  EXPECT_EQ(now->protocol_version, "1.0");
  std::string resigned = body;
  resigned.replace(resigned.find("\"x\""), 3, "\"y\"");
  EXPECT_EQ(parse_agent_card(resigned)->sha256, now->sha256);
  for (const char* bad :
       {"{}", "[]", R"({"name":"x"})", R"({"skills":[]})", R"({"name":"x","skills":{}})"})
    EXPECT_FALSE(parse_agent_card(bad).has_value()) << bad;
}

TEST(McpHttp, HeadersMustSayWhatTheBodySays) {
  const auto call = parse(
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
      "call\",\"params\":{\"name\":\"caf\xC3\xA9\","
      "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}}");
  McpHeaders headers;
  take_mcp_header("MCP-Protocol-Version", "2026-07-28", headers);
  take_mcp_header("mcp-method", "tools/call", headers);
  take_mcp_header("Mcp-Name", "=?base64?Y2Fmw6k=?=", headers);
  EXPECT_TRUE(headers_match(headers, call));
  McpHeaders other = headers;
  other.name = "=?base64?Y2Fmw6k?=";
  EXPECT_FALSE(headers_match(other, call));
  other.name = "cafe";
  EXPECT_FALSE(headers_match(other, call));
  other = headers;
  other.method = "tools/list";
  EXPECT_FALSE(headers_match(other, call));
  other = headers;
  other.protocol_version = "2025-11-25";
  EXPECT_FALSE(headers_match(other, call));
  EXPECT_FALSE(headers_match({}, call));
  const auto old = parse(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
  EXPECT_TRUE(headers_match({}, old));
  EXPECT_TRUE(headers_match({.protocol_version = "2025-06-18"}, old));
  EXPECT_FALSE(headers_match({.method = "tools/call"}, old));
}

TEST(McpHttp, FindsTheEndpointOfTheOldTransport) {
  SseParser parser;
  parser.feed("event: endpoint\ndata: /messages?session=1\n\nevent: message\ndata: {}\n\n");
  const auto first = parser.next();
  EXPECT_EQ(sse_endpoint(**first), "/messages?session=1");
  const auto second = parser.next();
  EXPECT_EQ(sse_endpoint(**second), std::nullopt);
}

}  // namespace
}  // namespace aispm::codec
