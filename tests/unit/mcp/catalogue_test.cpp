// SPDX-License-Identifier: Apache-2.0
// MCP-002, MCP-014: prompts and resources of a server, and the names by which clients know them.
#include "gateway/mcp/catalogue.hpp"

#include <gmock/gmock.h>

#include "gateway/mcp/mcp_names.hpp"

namespace aispm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kLetter[] =
    R"({"prompts":[{"name":"letter","description":"Writes","arguments":[{"name":"to","required":true},{"name":"tone"}]}]})";

Catalogue read(Shelf shelf, std::string_view result) {
  Catalogue read(shelf);
  const auto next = read.add_page("post", result);
  EXPECT_TRUE(next) << next.error().message;
  read.finish("post");
  return read;
}

TEST(Catalogues, ShowPromptsUnderTheirServersName) {
  const Catalogue prompts = read(Shelf::kPrompts, kLetter);
  ASSERT_EQ(prompts.items().size(), 1U);
  EXPECT_THAT(prompts.items()[0].shown, HasSubstr(R"("name":"post__letter")"));
  EXPECT_THAT(prompts.items()[0].shown, HasSubstr(R"("name":"to")")) << "arguments keep theirs";
  EXPECT_THAT(prompts.items()[0].texts, HasSubstr("Writes\n"));
  EXPECT_NE(prompts.find("letter"), nullptr);
  EXPECT_EQ(prompts.find("post__letter"), nullptr);
}

TEST(Catalogues, ShowUrisUnderTheirServersName) {
  const Catalogue resources =
      read(Shelf::kResources, R"({"resources":[{"uri":"file:///a","name":"a"}]})");
  EXPECT_THAT(resources.items()[0].shown, HasSubstr(R"("uri":"mcp+post+file:///a")"));
  const Catalogue templates = read(
      Shelf::kTemplates, R"({"resourceTemplates":[{"uriTemplate":"file:///{path}","name":"t"}]})");
  EXPECT_THAT(templates.items()[0].shown, HasSubstr(R"("uriTemplate":"mcp+post+file:///{path}")"));
}

TEST(Catalogues, SeeLettersThatPeopleDoNot) {
  const Catalogue found = read(
      Shelf::kPrompts,
      R"({"prompts":[{"name":"a","description":"x\u200by"},{"name":"b","description":"speaks of a"}]})");
  EXPECT_TRUE(found.items()[0].hides_text);
  EXPECT_FALSE(found.items()[1].hides_text);
}

TEST(Catalogues, RefuseListsThatCannotBeTrusted) {
  for (const char* result : {R"({"prompts":7})", R"({"resources":[]})", "[]"})
    EXPECT_FALSE(Catalogue(Shelf::kPrompts).add_page("post", result)) << result;
}

TEST(Catalogues, LeaveOutAloneWhatCannotBeNamed) {
  const Catalogue prompts =
      read(Shelf::kPrompts, R"-({"prompts":[{"name":"greet (with icons)"},{"name":"greet"}]})-");
  ASSERT_EQ(prompts.items().size(), 1U);
  EXPECT_NE(prompts.find("greet"), nullptr);
  EXPECT_THAT(prompts.left_out(), ElementsAre("greet (with icons)"));
  for (const char* odd :
       {"{}", "7", R"({"name":""})", R"({"name":"greet","description":"again"})"}) {
    const Catalogue others =
        read(Shelf::kPrompts, R"({"prompts":[{"name":"greet"},)" + std::string(odd) + "]}");
    ASSERT_EQ(others.items().size(), 1U) << odd;
    EXPECT_EQ(others.items()[0].shown, R"({"name":"post__greet"})");
    EXPECT_EQ(others.left_out().size(), 1U) << odd;
  }
  const std::string longest(Catalogue::kMaxUriBytes + 1, 'a');
  for (const std::string& uri : {std::string("a b"), std::string("a\\nb"), longest}) {
    const Catalogue resources =
        read(Shelf::kResources, "{\"resources\":[{\"uri\":\"" + uri + "\"},{\"uri\":\"a:b\"}]}");
    EXPECT_EQ(resources.items().size(), 1U) << uri;
    EXPECT_EQ(resources.left_out().size(), 1U) << uri;
  }
}

TEST(Catalogues, FollowPagesToALimit) {
  Catalogue resources(Shelf::kResources);
  const auto page = [](std::size_t i) {
    return "{\"resources\":[{\"uri\":\"a:" + std::to_string(i) + "\"}],\"nextCursor\":\"more\"}";
  };
  for (std::size_t i = 0; i < Catalogue::kMaxPages; ++i) {
    const auto next = resources.add_page("post", page(i));
    ASSERT_TRUE(next);
    EXPECT_EQ(*next, "more");
  }
  EXPECT_FALSE(resources.add_page("post", page(Catalogue::kMaxPages)));
}

TEST(Catalogues, CheckTheArgumentsOfPrompts) {
  const Catalogue prompts = read(Shelf::kPrompts, kLetter);
  const ShelfItem& letter = prompts.items()[0];
  EXPECT_TRUE(check_prompt_arguments(letter, R"({"to":"bob"})"));
  EXPECT_TRUE(check_prompt_arguments(letter, R"({"to":"bob","tone":"kind"})"));
  for (const char* wrong : {"{}", R"({"tone":"kind"})", R"({"to":7})", R"({"to":"a","bcc":"b"})"})
    EXPECT_FALSE(check_prompt_arguments(letter, wrong)) << wrong;
}

TEST(Uris, AreReadInOneWayOnly) {
  const auto address = split_uri("mcp+post+a+b://x");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->server, "post");
  EXPECT_EQ(address->uri, "a+b://x");
  EXPECT_EQ(prefixed_uri(address->server, address->uri), "mcp+post+a+b://x");
  for (const char* none : {"file:///a", "mcp+post", "mcp+post+", "MCP+post+a:b", ""})
    EXPECT_FALSE(split_uri(none)) << none;
}

TEST(Uris, WithDotSegmentsAreKnown) {
  for (const char* dots : {"a://b/../c", "a://b/./c", "..", "a://b/..", "a://b/%2e%2E/c",
                           "a://b/.%2e?x", "a://b\\..\\c", "a://b/c?d=/../e", "a://b/..%2fc",
                           "a://b/..%5Cc", "a://b/%252e%252e/c", "a://b%25252f..%25252fc"})
    EXPECT_TRUE(has_dot_segment(dots)) << dots;
  for (const char* none : {"a://b/c", "a://b/c..d", "a://b/...", "a://b/.c", "a://b/%2f", ""})
    EXPECT_FALSE(has_dot_segment(none)) << none;
}

TEST(Uris, InResultsAreThoseOfClients) {
  const auto prefixed = prefix_uris(
      "s",
      R"({"contents":[{"uri":"a:1"}],"content":[{"type":"resource_link","uri":"a:2"},{"type":"resource","resource":{"uri":"a:3"}},{"type":"text","text":"a:4","uri":"a:5"}],"messages":[{"content":{"type":"resource_link","uri":"a:6"}},{"content":[{"type":"resource","resource":{"uri":"a:7"}}]}]})");
  ASSERT_TRUE(prefixed);
  EXPECT_EQ(
      *prefixed,
      R"({"contents":[{"uri":"mcp+s+a:1"}],"content":[{"type":"resource_link","uri":"mcp+s+a:2"},{"type":"resource","resource":{"uri":"mcp+s+a:3"}},{"type":"text","text":"a:4","uri":"a:5"}],"messages":[{"content":{"type":"resource_link","uri":"mcp+s+a:6"}},{"content":[{"type":"resource","resource":{"uri":"mcp+s+a:7"}}]}]})");
  EXPECT_FALSE(prefix_uris("s", R"({"uri":"a","uri":"b"})"));
}

}  // namespace
}  // namespace aispm::gateway
