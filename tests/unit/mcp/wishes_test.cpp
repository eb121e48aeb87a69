// SPDX-License-Identifier: Apache-2.0
// MCP-023: what servers ask of clients, and what of it goes on.
#include "gateway/mcp/wishes.hpp"

#include <gmock/gmock.h>

namespace aispm::gateway {
namespace {

TEST(Wishes, AreGrantedByNameAndOnlyWhatTheClientKnows) {
  const McpAbilities all{true, true, true};
  EXPECT_FALSE(granted({}, all).sampling);
  EXPECT_TRUE(granted({"sampling"}, all).sampling);
  EXPECT_FALSE(granted({"sampling"}, all).elicitation);
  EXPECT_FALSE(granted({"sampling", "roots"}, {}).roots);
  EXPECT_FALSE(wish_kind("sampling/other"));
  EXPECT_EQ(server_capabilities(granted({"elicitation", "roots"}, all)),
            R"({"elicitation":{"form":{}},"roots":{}})");
}

TEST(Wishes, GoOnWithoutWhatWouldTellOneServerOfOthers) {
  const auto asked = wish_params(
      WishKind::kSampling,
      R"({"messages":[],"maxTokens":5,"includeContext":"allServers","_meta":{"x":1},"task":{}})");
  ASSERT_TRUE(asked);
  EXPECT_EQ(*asked, R"({"messages":[],"maxTokens":5})");
  EXPECT_EQ(wish_params(WishKind::kSampling, R"({"messages":[],"tools":[]})").error().code,
            Errc::kDenied);
}

TEST(Wishes, MayNotOpenPages) {
  EXPECT_EQ(wish_params(WishKind::kElicitation,
                        R"({"mode":"url","message":"m","url":"https://evil.example"})")
                .error()
                .code,
            Errc::kDenied);
  EXPECT_FALSE(wish_params(WishKind::kElicitation, R"({"message":""})"));
}

TEST(Wishes, SayToThePersonWhoAsks) {
  EXPECT_EQ(*name_asker(WishKind::kElicitation, R"({"message":"your \"pin\"?"})", "bank"),
            R"({"message":"The MCP server bank asks: your \"pin\"?"})");
}

TEST(Wishes, AnswersAreWhatTheMethodIsAbout) {
  EXPECT_EQ(*wish_answer(WishKind::kElicitation,
                         R"({"action":"accept","content":{"a":1},"_meta":{},"more":1})"),
            R"({"action":"accept","content":{"a":1}})");
  EXPECT_FALSE(wish_answer(WishKind::kElicitation, R"({"action":"maybe"})"));
  EXPECT_FALSE(wish_answer(WishKind::kSampling, "{}"));
  EXPECT_FALSE(wish_answer(WishKind::kRoots, "[]"));
}

class Rounds : public ::testing::Test {
 protected:
  const Secret key_{"a key"};
  const WallTime now_{1'000'000'000'000};
  const WallTime later_{2'000'000'000'000};
  const InputRound round_{{{"q", "elicitation/create", "{}"}}, "their state", true};
};

TEST_F(Rounds, AreReadAndWritten) {
  const auto round = read_round(
      R"({"resultType":"input_required","inputRequests":{"q":{"method":"roots/list"}},"requestState":"s"})");
  ASSERT_TRUE(round);
  EXPECT_EQ(round->questions.at(0).params, "{}");
  EXPECT_EQ(
      write_round(*round),
      R"({"resultType":"input_required","inputRequests":{"q":{"method":"roots/list","params":{}}},"requestState":"s"})");
  EXPECT_FALSE(read_round(R"({"resultType":"input_required"})"));
  EXPECT_FALSE(read_round(R"({"inputRequests":{"q":{}}})"));
  std::string many;
  for (int i = 0; i < 17; ++i)
    many += (i > 0 ? ",\"" : "\"") + std::to_string(i) + R"(":{"method":"roots/list"})";
  EXPECT_EQ(read_round("{\"inputRequests\":{" + many + "}}").error().code, Errc::kTooLarge);
}

TEST_F(Rounds, ComeBackAsTheyWere) {
  const std::string sealed = seal_round(key_, "alice", round_, later_);
  const auto opened = open_round(key_, "alice", sealed, now_);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->state, "their state");
  EXPECT_EQ(opened->questions.at(0).method, "elicitation/create");
  EXPECT_EQ(with_answers(R"({"name":"t"})", {{"q", "{}"}}, *opened),
            R"({"name":"t","inputResponses":{"q":{}},"requestState":"their state"})");
}

TEST_F(Rounds, AreGoodForOneCallOfOneAgentForAWhile) {
  const std::string sealed = seal_round(key_, "alice", round_, later_);
  EXPECT_FALSE(open_round(key_, "mallory", sealed, now_));
  EXPECT_FALSE(open_round(Secret("another"), "alice", sealed, now_));
  EXPECT_FALSE(open_round(key_, "alice", sealed, WallTime{3'000'000'000'000}));
  EXPECT_FALSE(open_round(key_, "alice", "their state", now_));
  std::string forged = sealed;
  forged[forged.size() - 4] ^= 1;
  EXPECT_FALSE(open_round(key_, "alice", forged, now_));
}

}  // namespace
}  // namespace aispm::gateway
