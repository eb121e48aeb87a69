// SPDX-License-Identifier: Apache-2.0
// MCP-024: a session is good for the agent that opened it, and for nobody else.
#include "gateway/mcp/mcp_sessions.hpp"

#include <gmock/gmock.h>

namespace aispm::gateway {
namespace {

using Found = McpSessions::Found;
using std::chrono::minutes;

const McpOwner kAlice{"alice/agent", "one"};
const McpOwner kMallory{"mallory/agent", "one"};

class Sessions : public ::testing::Test {
 protected:
  McpSessions sessions_{{.sessions = 3, .of_agent = 2, .idle = minutes(10)}, 1};
  McpSessions::Time now_{};
  Found found_ = Found::kUnknown;
};

TEST_F(Sessions, AreFoundByTheirOwnerOnly) {
  const auto opened = sessions_.open(kAlice, "2025-11-25", false, now_);
  ASSERT_TRUE(opened);
  EXPECT_EQ(sessions_.find((*opened)->id(), kAlice, now_, found_), *opened);
  EXPECT_EQ(sessions_.find((*opened)->id(), kMallory, now_, found_), nullptr);
  EXPECT_EQ(found_, Found::kOthers);
  EXPECT_EQ(sessions_.find((*opened)->id(), {"alice/agent", "two"}, now_, found_), nullptr);
  EXPECT_EQ(found_, Found::kOthers);
}

TEST_F(Sessions, EndWhenTheyAreToldTo) {
  const auto opened = *sessions_.open(kAlice, "2025-11-25", false, now_);
  sessions_.end(*opened);
  sessions_.end(*opened);
  EXPECT_EQ(sessions_.find(opened->id(), kAlice, now_, found_), nullptr);
  EXPECT_EQ(found_, Found::kUnknown);
  EXPECT_EQ(sessions_.size(), 0U);
}

TEST_F(Sessions, EndWhenNobodyUsesThem) {
  const auto idle = *sessions_.open(kAlice, "2025-11-25", false, now_);
  const auto used = *sessions_.open(kAlice, "2025-11-25", false, now_);
  EXPECT_TRUE(sessions_.find(used->id(), kAlice, now_ + minutes(9), found_));
  EXPECT_FALSE(sessions_.find(idle->id(), kAlice, now_ + minutes(10), found_));
  EXPECT_TRUE(sessions_.find(used->id(), kAlice, now_ + minutes(10), found_));
}

TEST_F(Sessions, AreLimitedByAgentAndTogether) {
  EXPECT_TRUE(sessions_.open(kAlice, "2025-11-25", false, now_));
  EXPECT_TRUE(sessions_.open(kAlice, "2025-11-25", false, now_));
  EXPECT_FALSE(sessions_.open(kAlice, "2025-11-25", false, now_));
  EXPECT_TRUE(sessions_.open(kMallory, "2025-11-25", false, now_));
  EXPECT_FALSE(sessions_.open(kMallory, "2025-11-25", false, now_));
  EXPECT_TRUE(sessions_.open(kMallory, "2025-11-25", false, now_ + minutes(10)));
}

TEST_F(Sessions, TakeBackOnlyWhatTheySubscribedTo) {
  const auto session = *sessions_.open(kAlice, "2025-11-25", false, now_);
  EXPECT_FALSE(session->unsubscribe(0, "a"));
  ASSERT_EQ(session->subscribe(0, "a", 1), true);
  EXPECT_FALSE(session->unsubscribe(0, "b"));
  EXPECT_FALSE(session->subscribe(0, "b", 1));
  EXPECT_TRUE(session->unsubscribe(0, "a"));
  EXPECT_FALSE(session->unsubscribe(0, "a"));
  EXPECT_EQ(session->subscribe(0, "b", 1), true);
}

TEST_F(Sessions, WithoutIdAreOnePerAgentAndCannotBeNamed) {
  const auto first = *sessions_.of_agent(kAlice, now_);
  EXPECT_EQ(*sessions_.of_agent(kAlice, now_), first);
  EXPECT_NE(*sessions_.of_agent(kMallory, now_), first);
  const std::string key = "one" + std::string(1, '\0') + "alice/agent";
  EXPECT_EQ(sessions_.find(key, kAlice, now_, found_), nullptr);
  EXPECT_EQ(found_, Found::kUnknown);
}

TEST_F(Sessions, KeepTheFirstSessionWithAServer) {
  const auto session = *sessions_.open(kAlice, "2025-11-25", false, now_);
  EXPECT_EQ(session->adopt(0, {true, "a", "2025-11-25"}).id, "a");
  EXPECT_EQ(session->adopt(0, {true, "b", "2025-11-25"}).id, "a");
  session->forget(0, "b");
  EXPECT_TRUE(session->server(0).is_open);
  session->forget(0, "a");
  EXPECT_FALSE(session->server(0).is_open);
}

TEST_F(Sessions, AskAServerAgainForToolsThatAreOld) {
  const auto session = *sessions_.open(kAlice, "2025-11-25", false, now_);
  const auto book = std::make_shared<const ToolBook>();
  session->keep_tools(0, book, now_);
  EXPECT_EQ(session->tools(0, minutes(1), now_ + std::chrono::seconds(59)), book);
  EXPECT_EQ(session->tools(0, minutes(1), now_ + minutes(1)), nullptr);
}

TEST_F(Sessions, StopWhatTheClientDoesNotWantAnyMore) {
  const auto session = *sessions_.open(kAlice, "2025-11-25", false, now_);
  int stopped = 0;
  {
    const McpSession::Running one(*session, "7", [&] { stopped += 1; });
    const McpSession::Running other(*session, "\"7\"", [&] { stopped += 10; });
    session->cancel("7");
    EXPECT_EQ(stopped, 1);
    session->cancel("8");
    EXPECT_EQ(stopped, 1);
  }
  session->cancel("7");
  EXPECT_EQ(stopped, 1) << "it is over";
}

TEST_F(Sessions, KeepWhatAServerOffersByKind) {
  const auto session = *sessions_.open(kAlice, "2025-11-25", false, now_);
  const auto prompts = std::make_shared<const Catalogue>(Shelf::kPrompts);
  session->keep_catalogue(0, prompts, now_);
  EXPECT_EQ(session->catalogue(0, Shelf::kPrompts, minutes(1), now_), prompts);
  EXPECT_EQ(session->catalogue(0, Shelf::kResources, minutes(1), now_), nullptr);
  EXPECT_EQ(session->catalogue(0, Shelf::kPrompts, minutes(1), now_ + minutes(1)), nullptr);
}

}  // namespace
}  // namespace aispm::gateway
