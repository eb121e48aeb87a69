// SPDX-License-Identifier: Apache-2.0
// The joint view: a call of the endpoint follows from what a model asked for, or from nothing.
#include "gateway/mcp/asked_calls.hpp"

#include <gmock/gmock.h>

namespace aispm::gateway {
namespace {

using std::chrono::minutes;

const AskedFor kAlice{"one alice", "s1"};
const AskedFor kAliceElsewhere{"one alice", "s2"};
const AskedFor kAliceAnywhere{"one alice", ""};
const AskedFor kMallory{"one mallory", "s1"};

class Asked : public ::testing::Test {
 protected:
  void ask(const AskedFor& whom, const std::string& tool, const std::string& arguments,
           const std::string& event = "e1") {
    calls_.note_call(whom,
                     {.tool = tool,
                      .digest = digest_of_arguments(arguments),
                      .session = {},
                      .event_id = event,
                      .trace_id = {}},
                     now_);
  }
  AskedMatch made(const AskedFor& whom, const std::string& arguments) {
    AskedCalls::Claim claim = calls_.take(whom, "mail", "send", arguments, now_);
    claim.keep();
    return claim.match();
  }
  AskedCalls calls_{minutes(15)};
  AskedCalls::Time now_{minutes(100)};
};

TEST_F(Asked, NobodyIsKnownWhomNoModelSpokeTo) {
  EXPECT_EQ(made(kAlice, "{}"), AskedMatch::kUnknown);
  calls_.note_reply(kAlice, now_);
  EXPECT_EQ(made(kAlice, "{}"), AskedMatch::kNone);
  EXPECT_EQ(made(kMallory, "{}"), AskedMatch::kUnknown);
  now_ += minutes(15);
  EXPECT_EQ(made(kAlice, "{}"), AskedMatch::kUnknown);
}

TEST_F(Asked, ACallFollowsOnce) {
  ask(kAlice, "mail__send", R"({"to":"bob","copies":2})");
  EXPECT_EQ(made(kAlice, R"({ "copies": 2, "to": "b\u006fb" })"), AskedMatch::kExact);
  EXPECT_EQ(made(kAlice, R"({"to":"bob","copies":2})"), AskedMatch::kNone);
}

TEST_F(Asked, OtherArgumentsAreToldApart) {
  ask(kAlice, "mail__send", R"({"to":"bob"})", "first");
  ask(kAlice, "mail__send", R"({"to":"eve"})", "second");
  const auto exact = calls_.take(kAlice, "mail", "send", R"({"to":"eve"})", now_);
  EXPECT_EQ(exact.match(), AskedMatch::kExact);
  EXPECT_EQ(exact.call()->event_id, "second");
  const auto changed = calls_.take(kAlice, "mail", "send", R"({"to":"mallory"})", now_);
  EXPECT_EQ(changed.match(), AskedMatch::kChanged);
  EXPECT_EQ(changed.call()->event_id, "first");
}

TEST_F(Asked, WhatWasNotMadeIsStillAskedFor) {
  ask(kAlice, "send", "{}");
  { const auto refused = calls_.take(kAlice, "mail", "send", "{}", now_); }
  EXPECT_EQ(calls_.size(), 1U);
  EXPECT_EQ(made(kAlice, "{}"), AskedMatch::kExact);
  EXPECT_EQ(calls_.size(), 0U);
}

TEST_F(Asked, SessionsAreApartWhereBothAreKnown) {
  ask(kAlice, "mail__send", "{}");
  EXPECT_EQ(made(kAliceElsewhere, "{}"), AskedMatch::kNone);
  EXPECT_EQ(made(kAliceAnywhere, "{}"), AskedMatch::kExact);
  ask(kAliceAnywhere, "mail__send", "{}");
  EXPECT_EQ(made(kAliceElsewhere, "{}"), AskedMatch::kExact);
}

TEST_F(Asked, AgeCounts) {
  ask(kAlice, "mail__send", "{}");
  now_ += minutes(14);
  calls_.note_reply(kAlice, now_);
  now_ += minutes(1);
  EXPECT_EQ(made(kAlice, "{}"), AskedMatch::kNone);
}

TEST_F(Asked, MemoryIsBoundedAndWhatIsForgottenIsCounted) {
  for (std::size_t i = 0; i < AskedCalls::kMaxCalls + 3; ++i)
    ask(kAlice, "mail__send", "{\"n\":" + std::to_string(i) + "}");
  EXPECT_EQ(calls_.size(), AskedCalls::kMaxCalls);
  EXPECT_EQ(calls_.forgotten(), 3U);
  for (std::size_t i = 0; i < AskedCalls::kMaxAgents; ++i)
    calls_.note_reply({"agent " + std::to_string(i), ""}, now_);
  EXPECT_EQ(calls_.size(), 0U);
  EXPECT_EQ(calls_.forgotten(), AskedCalls::kMaxCalls + 3);
  EXPECT_EQ(made(kAlice, "{}"), AskedMatch::kUnknown);
}

TEST(MeansTool, UnderAllNamesThatClientsGiveIt) {
  for (const char* const said : {"mail__send", "send", "mcp__gateway__mail__send", "gw-mail__send"})
    EXPECT_TRUE(means_tool(said, "mail", "send")) << said;
  for (const char* const said : {"mail__sender", "other__send", "xmail__send", "resend", ""})
    EXPECT_FALSE(means_tool(said, "mail", "send")) << said;
  EXPECT_TRUE(means_tool("mcp_my-mail__send_all", "my-mail", "send.all"));
  EXPECT_FALSE(means_tool(std::string(300, 'a') + "_mail__send", "mail", "send"));
}

TEST(DigestOfArguments, IsOfWhatTheyMean) {
  EXPECT_EQ(digest_of_arguments(""), digest_of_arguments(" { } "));
  EXPECT_EQ(digest_of_arguments(R"({"a":1,"b":2})"), digest_of_arguments(R"({"b":2,"a":1})"));
  EXPECT_NE(digest_of_arguments(R"({"a":1})"), digest_of_arguments(R"({"a":"1"})"));
  EXPECT_NE(digest_of_arguments(R"({"a":1,"a":1})"), digest_of_arguments(R"({"a":1})"));
}

}  // namespace
}  // namespace aispm::gateway
