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
                                  "mail__view", "query_documents", "web_search", "recall_memory",
                                  "rag_query", "docs_retriever", "knowledge_retrieval"})
    EXPECT_FALSE(use_of(reads).writes) << reads;
  for (const char* const writes :
       {"file.write", "refund", "get_or_create_user", "readAndDelete", "bash", "x.read_shell__bash",
        "send_mail", "db_query", "", "save_memory", "save_document",
        // Of the kind that searches, and nothing says that they only do.
        "document_share", "docs_transfer_ownership", "docs__grant_access", "vector_rebuild",
        "knowledge_base", "document",
        // Beside a word that reads.
        "find_and_pay_invoice", "search_docs_and_share", "check_and_approve", "get_and_cancel",
        "list_import", "read_and_sign", "count_reset", "load_overwrite", "lookup_and_transfer"})
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
  EXPECT_EQ(use_of("search_docs", R"({"top_k":"5000"})").retrieval->wanted, 5000U);
  EXPECT_EQ(use_of("search_docs", R"({"top_k":"0","k":"2"})").retrieval->wanted, 2U);
  for (const char* const text : {"5e3", " 5000", "all", "", "-1", "99999999999999999999999"})
    EXPECT_EQ(use_of("search_docs", "{\"top_k\":\"" + std::string(text) + "\"}").retrieval->wanted,
              1'000'000'000U)
        << text;
  EXPECT_TRUE(use_of("document").retrieval);
  EXPECT_TRUE(use_of("search_docs_and_share").retrieval);
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

// What urllib.parse.urlsplit of Python 3.11, requests 2.34 and new URL of Node 20 go to:
//   "https://good.example<TAB>.evil.example/x"   urlsplit and Node: good.example.evil.example
//   " https://evil.example", U+0001 before it     urlsplit and Node: evil.example
//   U+00A0 before it                              requests: evil.example
//   "ht<TAB>tp://evil.example"                    urlsplit and Node: evil.example
//   "https:\\evil.example", "https:evil.example", "https:/evil.example"   Node: evil.example
//   "https://good.example @evil.example", U+0001  urlsplit and requests: evil.example
//   "https://good.example \@evil.example"         httpx 0.28: evil.example
//   "https://good.example https://evil.example"   refused; a program that takes words apart: both
TEST(ToolUse, FindsTheHostThatClientsFind) {
  const auto use_of_url = [](const std::string& json) {
    return use_of("x", "{\"a\":" + json + "}");
  };
  for (const char* const url :
       {R"("https://good.example\t.evil.example/x")", R"("https://good.example\r\n.evil.example")",
        R"("ht\ttp://evil.example")", R"("https:\n//evil.example")", R"("https:\\\\evil.example")",
        R"("https:evil.example")", R"("https:/evil.example")", R"("HTTPS:8080")",
        R"("https://good.example @evil.example")", R"("https://good.example\u0001@evil.example/")",
        R"("https://good.example \\@evil.example/")", R"("https://good.example\n@evil.example/")",
        R"("https://good.example https://evil.example")",
        R"("https://good.example/1, see <https://evil.example>")",
        R"("https://good.example/1\nhttps://evil.example")"})
    EXPECT_TRUE(use_of_url(url).has_unreadable_host) << url;
  for (const char* const url :
       {R"(" https://evil.example")", R"("\u0001https://evil.example\n")",
        R"("\u00a0\u2003https://evil.example/")", R"("\ufeff\thttps://evil.example:8/")"}) {
    EXPECT_THAT(use_of_url(url).hosts, ElementsAre("evil.example")) << url;
    EXPECT_FALSE(use_of_url(url).has_unreadable_host) << url;
  }
  // Behind the host's end they change nothing about it.
  for (const char* const url :
       {R"("https://a.example/1 and more, to bob@b.example")", R"("https://a.example/1\nand more")",
        R"("https://a.example?next=https://b.example")", R"("https://a.example and more")"}) {
    EXPECT_THAT(use_of_url(url).hosts, ElementsAre("a.example")) << url;
    EXPECT_FALSE(use_of_url(url).has_unreadable_host) << url;
  }
  for (const char* const text : {R"("http: a protocol")", R"("https")", R"("https:")", R"("ftp: ")",
                                 R"("httpsx://a")", R"("note: https://a.example")"}) {
    EXPECT_THAT(use_of_url(text).hosts, IsEmpty()) << text;
    EXPECT_FALSE(use_of_url(text).has_unreadable_host) << text;
  }
}

TEST(ToolUse, TakesEachDestinationForAHostButAddressesAndChannels) {
  const auto to = [](std::string_view destination) { return use_of("x", "{}", destination); };
  EXPECT_THAT(to("localhost").hosts, ElementsAre("localhost"));
  EXPECT_THAT(to("localhost:8080").hosts, ElementsAre("localhost"));
  EXPECT_THAT(to("[::1]:80").hosts, ElementsAre("::1"));
  EXPECT_THAT(to("2130706433").hosts, ElementsAre("2130706433"));
  EXPECT_THAT(to("evil.example/?x=@").hosts, ElementsAre("evil.example"));
  EXPECT_THAT(to("\tevil.example ").hosts, ElementsAre("evil.example"));
  for (const char* const unreadable : {"bob@evil.example/", "bob@evil.example:80", "https:evil",
                                       "mailto:bob@a.example?cc=x", "/tmp/x"})
    EXPECT_TRUE(to(unreadable).has_unreadable_host) << unreadable;
  for (const char* const other : {"", "bob@a.example", "Bob <bob@a.example>, ann@a.example",
                                  "mailto:bob@a.example", "#general"}) {
    EXPECT_THAT(to(other).hosts, IsEmpty()) << other;
    EXPECT_FALSE(to(other).has_unreadable_host) << other;
  }
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

TEST(BundleJudge, AsksTheModuleAgentAndTheRulesOverCommands) {
  const auto rule = [](std::vector<FolderFile> files, const std::string& action) {
    files.push_back({"actions.yaml", "defaults: {outcome: allow}\nrules: []\n"});
    std::ifstream module(std::string(AISPM_SOURCE_DIR) + "/policies/rego/agent.rego");
    files.push_back({"rego/agent.rego", {std::istreambuf_iterator<char>(module), {}}});
    const auto bundle = Bundle::compile(files);
    EXPECT_TRUE(bundle) << bundle.error().message;
    auto asked = ActionJson::parse(action);
    EXPECT_TRUE(asked) << action;
    return judge_by_bundle(**bundle, std::move(*asked), WallTime{0}).rule_id;
  };
  const FolderFile agents{"agents.yaml", "agents: [{agent: team/bot, environment: production}]\n"};
  const FolderFile commands{"commands.yaml",
                            "defaults: {outcome: allow}\nrules: [{id: wipe, command: rm, "
                            "outcome: deny}]\n"};
  // Who is registered a gateway's own file may say.
  EXPECT_EQ(rule({}, R"({"tool":"x","agent":"team/bot"})"), "defaults");
  EXPECT_EQ(rule({}, R"({"tool":"x","environment":"production"})"), "agent.trust");
  EXPECT_EQ(rule({agents}, R"({"tool":"x","agent":"team/other"})"), "agent.unregistered");
  EXPECT_EQ(rule({agents}, R"({"tool":"x","agent":"team/bot","trust":"system"})"), "agent.trust");
  EXPECT_EQ(rule({commands}, R"({"tool":"Bash","arguments":{"command":"ls; rm -rf /"}})"), "wipe");
  EXPECT_EQ(rule({commands}, R"({"tool":"Bash","arguments":{"command":"ls"}})"), "defaults");
  EXPECT_EQ(rule({commands}, R"({"tool":"Bash"})"), "commands.unreadable");
  EXPECT_EQ(rule({commands}, R"({"tool":"x","arguments":{"command":"rm -rf /"}})"), "defaults");
}

// A number that is not one is no missing limit.
TEST(UseModules, TakeWhatIsNoNumberOfChunksForNoDecision) {
  const auto rule = [](const std::string& chunks, std::uint64_t wanted) {
    const auto bundle = Bundle::compile(
        {{"rego/retrieval.rego",
          "package aispm.retrieval\nimport rego.v1\ndecision := {\"outcome\": \"allow\", \"rule\": "
          "\"r\"" +
              chunks + "}\n"}});
    EXPECT_TRUE(bundle) << bundle.error().message;
    return ask_retrieval(*(*bundle)->rego(), "{}", "x", wanted).rule;
  };
  EXPECT_EQ(rule("", 1000), "r") << "no limit";
  EXPECT_EQ(rule(", \"chunks\": 3", 3), "r");
  EXPECT_EQ(rule(", \"chunks\": 3", 4), "retrieval.chunks");
  EXPECT_EQ(rule(", \"chunks\": 3.9", 3), "r");
  EXPECT_EQ(rule(", \"chunks\": 3.9", 4), "retrieval.chunks");
  EXPECT_EQ(rule(", \"chunks\": 1e30", 1'000'000'000), "r");
  for (const char* const unreadable : {"-1", "-0.5", "\"3\"", "null", "[3]", "true"})
    EXPECT_EQ(rule(", \"chunks\": " + std::string(unreadable), 1), "retrieval.undecided")
        << unreadable;
}

TEST(UseModules, AreNotAskedWhereTheyAreNotInTheBundle) {
  const auto bundle = shipped({"tools"});
  EXPECT_FALSE(has_use_modules(*bundle->rego()));
  const auto use = use_of("save_memory", R"({"url":"https://b.example"})");
  EXPECT_TRUE(ask_use_modules(*bundle->rego(), use, "{}").empty());
}

}  // namespace
}  // namespace aispm::policy
