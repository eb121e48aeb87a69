// SPDX-License-Identifier: Apache-2.0
// MCP-002: one odd member costs a client neither a list nor a result.
#include "gateway/mcp/shown_entry.hpp"

#include <gtest/gtest.h>

namespace aispm::gateway {
namespace {

std::string shown(std::string_view entry, EntryView as) {
  codec::JsonTree tree;
  EXPECT_TRUE(tree.read(entry, 64)) << entry;
  as.name = "n";
  return shown_entry(tree, 0, entry, as);
}
std::string tool(std::string_view entry) { return shown(entry, {.kind = EntryKind::kTool}); }
std::string prompt(std::string_view entry) { return shown(entry, {.kind = EntryKind::kPrompt}); }
std::string resource(std::string_view entry) {
  return shown(entry, {.kind = EntryKind::kResource});
}

TEST(ShownEntries, KeepWhatTheProtocolKnows) {
  for (
      const std::string_view same :
      {R"({"name":"n","title":"T","description":"d","inputSchema":{"type":"object","required":["a"],"properties":{"a":{"default":null}}},"annotations":{"title":"t","readOnlyHint":true,"more":7},"execution":{"taskSupport":"optional"},"_meta":{"a":1},"icons":[{"src":"data:,","mimeType":"image/png","sizes":["any"],"theme":"dark"}],"vendor":[1]})"})
    EXPECT_EQ(tool(same), same);
  constexpr std::string_view kPrompt =
      R"({"name":"n","arguments":[{"name":"a","title":"A","description":"d","required":false}]})";
  EXPECT_EQ(prompt(kPrompt), kPrompt);
  constexpr std::string_view kResource =
      R"({"uri":"n","name":"r","mimeType":"text/plain","size":7,"annotations":{"audience":["user","assistant"],"priority":0.5,"lastModified":"2026-11-23T12:00:00.5+01:00"}})";
  EXPECT_EQ(resource(kResource), kResource);
}

TEST(ShownEntries, LoseMembersOfAWrongKindOnly) {
  EXPECT_EQ(
      tool(
          R"({"name":"x","title":7,"description":["d"],"inputSchema":{"type":"object"},"annotations":{"readOnlyHint":"yes","title":null,"openWorldHint":false},"execution":{"taskSupport":true},"_meta":[],"icons":[{"src":"a","sizes":"48x48"}]})"),
      R"({"name":"n","inputSchema":{"type":"object"},"annotations":{"openWorldHint":false}})");
  EXPECT_EQ(tool(R"({"name":"x","inputSchema":{},"annotations":[],"icons":{}})"),
            R"({"name":"n","inputSchema":{"type":"object"}})");
  EXPECT_EQ(
      prompt(
          R"({"name":"x","description":null,"arguments":[{"name":"a","required":"yes","description":null},{"description":"no name"},7]})"),
      R"({"name":"n","arguments":[{"name":"a"}]})");
  EXPECT_EQ(prompt(R"({"name":"x","arguments":{"a":1}})"), R"({"name":"n"})");
  EXPECT_EQ(
      resource(
          R"({"uri":"x","name":null,"mimeType":null,"size":"7","annotations":{"audience":"user","priority":3,"lastModified":"yesterday"}})"),
      R"({"name":"x","uri":"n","annotations":{}})");
  for (const std::string_view when :
       {"2026-11-23", "2026-11-23T12:00:00", "2026-11-23T12:00:00.Z", "2026-11-23T12:00:00+0100",
        "2026-11-23 12:00:00Z", "2026-02-29T00:00:00Z", "2026-11-23T24:00:00Z",
        "2026-11-23T12:00:00+24:00"})
    EXPECT_EQ(resource(R"({"uri":"x","name":"r","annotations":{"lastModified":")" +
                       std::string(when) + "\"}}"),
              R"({"uri":"n","name":"r","annotations":{}})");
}

TEST(ShownEntries, HaveSchemasThatClientsOfSessionsRead) {
  constexpr std::string_view kTool =
      R"({"name":"x","inputSchema":{"properties":{"a":true,"b":false,"c":{"type":"null"}}},"outputSchema":{"type":["object","null"]}})";
  EXPECT_EQ(
      tool(kTool),
      R"({"name":"n","inputSchema":{"type":"object","properties":{"a":{},"b":{"not":{}},"c":{"type":"null"}}}})");
  EXPECT_EQ(
      shown(kTool, {.kind = EntryKind::kTool, .for_sessions = false}),
      R"({"name":"n","inputSchema":{"type":"object","properties":{"a":true,"b":false,"c":{"type":"null"}}},"outputSchema":{"type":["object","null"]}})");
  EXPECT_EQ(
      tool(R"({"name":"x","inputSchema":{"type":"object"},"outputSchema":{"required":null}})"),
      R"({"name":"n","inputSchema":{"type":"object"},"outputSchema":{"type":"object"}})");
}

TEST(ShownResults, HaveContentAndStructureThatIsAnObject) {
  struct Case {
    std::string_view said;
    std::string_view shown;
  };
  constexpr std::string_view kText = R"("content":[{"type":"text","text":"a"}])";
  const std::string whole = "{" + std::string(kText) + R"(,"structuredContent":{"a":1}})";
  EXPECT_EQ(shown_result(whole, true).value(), whole);
  EXPECT_EQ(shown_result(R"({"content":[],"isError":true})", true).value(),
            R"({"content":[],"isError":true})");
  for (const Case& c :
       {Case{R"({"structuredContent":{"a":1}})",
             R"({"content":[{"type":"text","text":"{\"a\":1}"}],"structuredContent":{"a":1}})"},
        Case{R"({"content":[],"structuredContent":[1],"isError":false})",
             R"({"content":[{"type":"text","text":"[1]"}],"isError":false})"},
        Case{R"({"content":[{"type":"text","text":"a"}],"structuredContent":"a"})",
             R"({"content":[{"type":"text","text":"a"}]})"},
        Case{R"({"structuredContent":null})", R"({"content":[]})"},
        Case{"{}", R"({"content":[]})"}})
    EXPECT_EQ(shown_result(c.said, true).value(), c.shown) << c.said;
}

TEST(ShownResults, HaveNoMembersThatAreNull) {
  constexpr std::string_view kNulls =
      R"({"content":[{"type":"text","text":"a","annotations":null},7],"isError":null,"_meta":{"a":null}})";
  for (const bool for_sessions : {true, false})
    EXPECT_EQ(shown_result(kNulls, for_sessions).value(),
              R"({"content":[{"type":"text","text":"a"},7],"_meta":{"a":null}})");
}

// 2026-07-28 knows structured content of any kind.
TEST(ShownResults, AreLeftAsTheyAreWithoutSessions) {
  for (const std::string_view same :
       {R"({"content":[],"structuredContent":[1]})", R"({"content":[{"type":"text","text":"a"}]})"})
    EXPECT_EQ(shown_result(same, false).value(), same);
  EXPECT_EQ(shown_result(R"({"structuredContent":[1]})", false).value(),
            R"({"content":[{"type":"text","text":"[1]"}],"structuredContent":[1]})");
}

}  // namespace
}  // namespace aispm::gateway
