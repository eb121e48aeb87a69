// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/tool_definitions.hpp"

#include <gmock/gmock.h>

namespace aispm::codec {
namespace {

using testing::HasSubstr;

ToolDefinition listed(const std::string& json) {
  const auto tools = read_tool_list(json);
  if (!tools || tools->size() != 1) {
    ADD_FAILURE() << (tools ? "not one tool" : tools.error().message);
    return {};
  }
  return tools->front();
}

TEST(ToolDefinitions, OneToolIsTheSameInAllDialects) {  // MCP-015
  const ToolDefinition wanted = listed(
      R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"mail","description":"Reads mail","inputSchema":{"type":"object","a":1}}]}})");
  const std::vector<std::string> requests = {
      R"({"tools":[{"type":"function","function":{"name":"mail","description":"Reads mail","parameters":{"a":1,"type":"object"}}}]})",
      R"({"functions":[{"name":"mail","description":"Reads mail","parameters":{"type":"object","a":1}}]})",
      R"({"tools":[{"type":"function","name":"mail","description":"Reads mail","parameters":{"type":"object","a":1}},{"type":"web_search"}]})",
      R"({"tools":[{"name":"mail","description":"Reads\u0020mail","input_schema":{"type":"object","a":1}}]})",
      R"({"tools":[{"functionDeclarations":[{"name":"mail","description":"Reads mail","parameters":{"type":"object","a":1}}]}]})",
      R"({"toolConfig":{"tools":[{"toolSpec":{"name":"mail","description":"Reads mail","inputSchema":{"json":{"type":"object","a":1}}}}]}})"};
  for (const std::string& request : requests) {
    const auto offered = read_offered_tools(request);
    ASSERT_TRUE(offered) << offered.error().message;
    ASSERT_EQ(offered->size(), 1U) << request;
    EXPECT_EQ(offered->front().name, "mail");
    EXPECT_EQ(offered->front().description_sha256, wanted.description_sha256) << request;
    EXPECT_EQ(offered->front().schema_sha256, wanted.schema_sha256) << request;
  }
}

TEST(ToolDefinitions, AnyOtherWordIsSeen) {  // MCP-015
  const ToolDefinition one = listed(R"([{"name":"m","description":"a","inputSchema":{}}])");
  for (const char* other : {R"([{"name":"m","description":"a ","inputSchema":{}}])",
                            R"([{"name":"m","description":"a","title":"x","inputSchema":{}}])",
                            R"([{"name":"m","inputSchema":{}}])"})
    EXPECT_NE(listed(other).description_sha256, one.description_sha256) << other;
  EXPECT_NE(listed(R"([{"name":"m","description":"a","inputSchema":{"x":1}}])").schema_sha256,
            one.schema_sha256);
  EXPECT_EQ(listed(R"([{"name":"m","description":"a","inputSchema":{}, "_meta":{"t":1}}])")
                .description_sha256,
            one.description_sha256);
}

TEST(ToolDefinitions, WrongListsAreErrors) {
  for (const char* wrong : {"", "{}", "[", "5", R"({"tools":{}})", R"([{"description":"x"}])"})
    EXPECT_FALSE(read_tool_list(wrong)) << wrong;
  EXPECT_TRUE(read_offered_tools("{}")->empty());
  std::string many = "[";
  for (std::size_t i = 0; i <= kMaxListedTools; ++i) many += R"({"name":"a"},)";
  many.back() = ']';
  EXPECT_THAT(read_tool_list(many).error().message, HasSubstr("more than"));
}

}  // namespace
}  // namespace aispm::codec
