// SPDX-License-Identifier: Apache-2.0
// POL-013, POL-015 to POL-017: what a tool call does, and what the modules about it say.
#include "sdk/core/policy/tool_use.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "sdk/core/policy/bundle_judge.hpp"
#include "sdk/core/policy/use_modules.hpp"

namespace aispm::policy {
namespace {

using model::Outcome;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

ToolUse use_of(std::string_view tool, const std::string& arguments = "{}",
               std::string_view destination = {}) {
  const auto read = Arguments::parse(arguments);
  EXPECT_TRUE(read) << arguments;
  return read_tool_use(tool, destination, &*read);
}

TEST(ToolUse, WritesUnlessItsNameSaysThatItOnlyReads) {
  for (const char* const reads : {"file.read", "getWeather", "list_tools", "search_documents",
                                  "mail__view", "query_documents", "web_search", "recall_memory"})
    EXPECT_FALSE(use_of(reads).writes) << reads;
  for (const char* const writes :
       {"file.write", "refund", "get_or_create_user", "readAndDelete", "bash", "x.read_shell__bash",
        "send_mail", "db_query", "", "save_memory", "save_document"})
    EXPECT_TRUE(use_of(writes).writes) << writes;
}

TEST(ToolUse, TellsWhichMemoryIsUsedAndHow) {
  struct Case {
    const char* tool;
    const char* arguments;
    const char* operation;
    const char* kind;
  };
  for (const Case& one :
       {Case{"save_memory", "{}", "write", "longterm"},
        Case{"recallMemory", "{}", "read", "longterm"},
        Case{"delete_session_memory", "{}", "delete", "session"},
        Case{"memory", R"({"command":"view"})", "read", "longterm"},
        Case{"memory", R"({"command":"str_replace"})", "write", "longterm"},
        Case{"memory", R"({"command":"delete"})", "delete", "longterm"},
        Case{"memory", R"({"command":"view","scope":"session"})", "read", "session"},
        // Who says two things is taken at the worse one.
        Case{"read_memory", R"({"action":"delete"})", "delete", "longterm"},
        Case{"read_memory", R"({"action":"update"})", "write", "longterm"},
        Case{"memory", "{}", "write", "longterm"}}) {
    const ToolUse use = use_of(one.tool, one.arguments);
    ASSERT_TRUE(use.memory) << one.tool;
    EXPECT_EQ(use.memory->operation, one.operation) << one.tool << one.arguments;
    EXPECT_EQ(use.memory->kind, one.kind) << one.tool << one.arguments;
  }
  EXPECT_FALSE(use_of("file.write").memory);
}

TEST(ToolUse, TellsWhereIsSearchedAndForHowMuch) {
  const ToolUse use = use_of("search_docs", R"({"collection":"pki","top_k":7.5,"x":{"top_k":99}})");
  ASSERT_TRUE(use.retrieval);
  EXPECT_EQ(use.retrieval->place, "pki");
  EXPECT_EQ(use.retrieval->wanted, 8U);
  EXPECT_EQ(use_of("search_docs", R"({"top_k":1e30})").retrieval->wanted, 1'000'000'000U);
  EXPECT_EQ(use_of("search_docs", R"({"top_k":-3})").retrieval->wanted, 1U);
  EXPECT_FALSE(use_of("delete_docs").retrieval);
  EXPECT_FALSE(use_of("send_mail").retrieval);
}

TEST(ToolUse, FindsTheHostsOfAllArguments) {
  EXPECT_THAT(
      use_of("x", R"({"a":["https://A.example/1","http://b.example:80"],"c":"HTTPS://a.example"})")
          .hosts,
      ElementsAre("a.example", "b.example"));
  EXPECT_THAT(use_of("x", R"({"a":"see https://a.example"})").hosts, IsEmpty());
  EXPECT_THAT(use_of("x", R"({"a":"https://a.example and more"})").hosts, ElementsAre("a.example"));
  EXPECT_THAT(use_of("x", "{}", "c.example").hosts, ElementsAre("c.example"));
  EXPECT_THAT(use_of("x", "{}", "jane@c.example").hosts, IsEmpty());
  for (const char* const url : {"https://a.example@b.example/", "https://a%2eexample/",
                                "https:///x", "https://a.example\\\\@b.example"})
    EXPECT_TRUE(use_of("x", "{\"a\":\"" + std::string(url) + "\"}").has_unreadable_host) << url;
  std::string many = "{\"a\":[";
  for (int i = 0; i <= 16; ++i)
    many += (i ? ",\"https://h" : "\"https://h") + std::to_string(i) + ".example\"";
  EXPECT_TRUE(use_of("x", many + "]}").has_unreadable_host);
  EXPECT_TRUE(read_tool_use("x", "", nullptr).hosts.empty());
}

std::shared_ptr<const Bundle> shipped(const std::vector<std::string>& modules) {
  std::vector<FolderFile> files{
      {"actions.yaml", "defaults: {outcome: allow}\nrules: []\n"},
      {"data.json", R"({"settings":{"egress":{"allowed":["a.example"]}}})"}};
  for (const std::string& name : modules) {
    std::ifstream file(std::string(AISPM_SOURCE_DIR) + "/policies/rego/" + name + ".rego");
    files.push_back({"rego/" + name + ".rego", {std::istreambuf_iterator<char>(file), {}}});
  }
  auto bundle = Bundle::compile(files);
  EXPECT_TRUE(bundle) << bundle.error().message;
  return *bundle;
}

// The same in a program as in the gateway.
TEST(UseModules, DecideAboutAnActionBesideTheOtherParts) {
  const auto bundle = shipped({"write_approval", "memory", "retrieval", "egress"});
  const auto rule = [&](const std::string& action) {
    auto asked = ActionJson::parse(action);
    EXPECT_TRUE(asked) << action;
    return judge_by_bundle(*bundle, std::move(*asked), WallTime{0}).rule_id;
  };
  EXPECT_EQ(rule(R"({"tool":"file.write","posture":0.1})"), "defaults");
  EXPECT_EQ(rule(R"({"tool":"file.write","posture":0.2})"), "write.approval");
  EXPECT_EQ(rule(R"({"tool":"file.write","posture":0.6})"), "write.posture");
  EXPECT_EQ(rule(R"({"tool":"file.read","posture":0.6})"), "defaults");
  EXPECT_EQ(rule(R"({"tool":"file.write"})"), "write.default");
  EXPECT_EQ(rule(R"({"tool":"save_memory","posture":0.2})"), "memory.risk");
  EXPECT_EQ(rule(R"({"tool":"search_docs","posture":0.5,"arguments":{"top_k":4}})"),
            "retrieval.chunks");
  EXPECT_EQ(rule(R"({"tool":"search_docs","posture":0.5,"arguments":{"top_k":3}})"), "defaults");
  EXPECT_EQ(rule(R"({"tool":"get","posture":0,"arguments":{"url":"https://a.example"}})"),
            "defaults");
  EXPECT_EQ(rule(R"({"tool":"get","posture":0,"arguments":{"url":"https://b.example"}})"),
            "egress.default");
  EXPECT_EQ(rule(R"({"tool":"get","posture":0,"arguments":{"url":"https://a@b.example"}})"),
            "egress.unreadable");
}

TEST(UseModules, AreNotAskedWhereTheyAreNotInTheBundle) {
  const auto bundle = shipped({"tools"});
  EXPECT_FALSE(has_use_modules(*bundle->rego()));
  const auto use = use_of("save_memory", R"({"url":"https://b.example"})");
  EXPECT_TRUE(ask_use_modules(*bundle->rego(), use, "{}").empty());
}

}  // namespace
}  // namespace aispm::policy
