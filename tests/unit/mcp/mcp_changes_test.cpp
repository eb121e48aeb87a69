// SPDX-License-Identifier: Apache-2.0
// What servers say of changes, how clients of both eras are told, and who wants to hear.
#include "gateway/mcp/mcp_changes.hpp"

#include <gmock/gmock.h>

#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/mcp/offer_book.hpp"

namespace aispm::gateway {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(ReadChange, KnowsListsAndResourcesAndNothingElse) {
  EXPECT_EQ(read_change("notifications/tools/list_changed", ""), (Change{ChangeKind::kTools}));
  EXPECT_EQ(read_change("notifications/resources/updated", R"({"uri":"a:b","title":"x"})"),
            (Change{ChangeKind::kResource, "a:b"}));
  for (const std::string params :
       {"", "{}", R"({"uri":""})", R"({"uri":7})", R"({"uri":"a","uri":"b"})"})
    EXPECT_EQ(read_change("notifications/resources/updated", params), std::nullopt) << params;
  EXPECT_EQ(read_change("notifications/message", "{}"), std::nullopt);
}

TEST(ChangeNote, HasTheSubscriptionOnlyWhereThereIsOne) {
  EXPECT_EQ(
      change_note({ChangeKind::kResource, "a:\"b"}, ""),
      R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:\"b"}})");
  EXPECT_EQ(change_note({ChangeKind::kPrompts}, ""),
            R"({"jsonrpc":"2.0","method":"notifications/prompts/list_changed"})");
  EXPECT_EQ(
      change_note({ChangeKind::kPrompts}, "\"l1\""),
      R"({"jsonrpc":"2.0","method":"notifications/prompts/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l1"}}})");
}

TEST(ChangeFilter, IsReadStrictlyAndSaidAgain) {
  const auto read = read_change_filter(
      R"({"notifications":{"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":["b:","a:","b:"]}})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(change_filter_json(*read),
            R"({"toolsListChanged":true,"resourceSubscriptions":["a:","b:"]})");
  EXPECT_TRUE(read->wants(ChangeKind::kTools));
  EXPECT_FALSE(read->wants(ChangeKind::kPrompts));
  EXPECT_TRUE(read->wants(ChangeKind::kResource));
  for (const std::string params :
       {"{}", R"({"notifications":[]})", R"({"notifications":{"resourceSubscriptions":[7]}})",
        R"({"notifications":{"resourceSubscriptions":[""]}})"})
    EXPECT_FALSE(read_change_filter(params)) << params;
}

TEST(Subscriptions, AreCountedOverAllServersOfASession) {
  McpSession session("id", {"alice/agent", "one"}, "2025-11-25", false, 2);
  EXPECT_TRUE(*session.subscribe(0, "a:", 2));
  EXPECT_FALSE(*session.subscribe(0, "a:", 2));
  EXPECT_TRUE(*session.subscribe(1, "a:", 2));
  EXPECT_FALSE(session.subscribe(1, "b:", 2));
  session.unsubscribe(0, "a:");
  session.unsubscribe(0, "a:");
  EXPECT_TRUE(*session.subscribe(1, "b:", 2));
  EXPECT_THAT(session.subscriptions(1), testing::ElementsAre("a:", "b:"));
}

TEST(SessionStream, IsTheNewestAndEndsWithTheSession) {
  McpSessions sessions({.sessions = 3, .of_agent = 2, .idle = minutes(10)}, 1);
  const auto session = *sessions.open({"alice/agent", "one"}, "2025-11-25", false, {});
  int woken = 0;
  McpSession::Ear first(*session, [&] { ++woken; });
  {
    McpSession::Ear second(*session, [] {});
    EXPECT_TRUE(first.is_over());
    EXPECT_EQ(woken, 1);
    EXPECT_FALSE(second.is_over());
  }
  McpSession::Ear third(*session, [&] { ++woken; });
  (void)session->subscribe(0, "a:", 1);
  EXPECT_EQ(woken, 2);
  EXPECT_TRUE(sessions.touch(*session, {}));
  sessions.end(*session);
  EXPECT_TRUE(third.is_over());
  EXPECT_FALSE(sessions.touch(*session, {}));
  const McpSession::Ear late(*session, [] {});
  EXPECT_TRUE(late.is_over());
}

TEST(SessionStream, EndsWithASessionThatWasIdle) {
  McpSessions sessions({.sessions = 3, .of_agent = 2, .idle = minutes(10)}, 1);
  const auto session = *sessions.open({"alice/agent", "one"}, "2025-11-25", false, {});
  const McpSession::Ear ear(*session, [] {});
  (void)sessions.open({"bob/agent", "one"}, "2025-11-25", false, McpSession::Time(minutes(11)));
  EXPECT_TRUE(ear.is_over());
}

TEST(OfferBook, AsksUntilItKnowsAndNotWithoutAPause) {
  OfferBook book(1);
  const OfferBook::Time now{};
  EXPECT_TRUE(book.must_ask(0, now));
  book.note_failure(0, now);
  EXPECT_FALSE(book.must_ask(0, now + seconds(29)));
  EXPECT_TRUE(book.must_ask(0, now + seconds(30)));
  book.keep(0, {.subscribe = true}, "Be brief");
  EXPECT_FALSE(book.must_ask(0, now + minutes(9)));
  EXPECT_TRUE(book.of(0)->subscribe);
  EXPECT_EQ(book.instructions(0), "Be brief");
}

}  // namespace
}  // namespace aispm::gateway
