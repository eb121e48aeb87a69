// SPDX-License-Identifier: Apache-2.0
// GW-005, GW-006: rate limits are exact, over all that a request is of and over many threads.
#include "gateway/proxy/limits/rate_limiter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace aispm::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using Time = RateLimiter::Time;

const Time kStart = Time(seconds(1'000'000));
constexpr RateAsk kAsk{.tenant = "acme", .user = "ann", .agent = "ann/coder"};

RateConfig only(RateOf of, std::uint32_t calls, milliseconds window = seconds(60)) {
  RateConfig config;
  config.rules[static_cast<std::size_t>(of)].rate = {.calls = calls, .window = window};
  return config;
}

std::uint32_t take_many(RateLimiter& limiter, const RateAsk& ask, int count, Time now) {
  std::uint32_t passed = 0;
  for (int i = 0; i < count; ++i) passed += limiter.take(ask, now).passes ? 1 : 0;
  return passed;
}

TEST(RateLimiter, RefusesTheSeventyFirstRequestOfAMinute) {
  RateLimiter limiter(only(RateOf::kUser, 70));
  for (int i = 0; i < 70; ++i)
    ASSERT_TRUE(limiter.take(kAsk, kStart + milliseconds(i * 100)).passes) << i;
  const RateVerdict refused = limiter.take(kAsk, kStart + seconds(10));
  EXPECT_FALSE(refused.passes);
  EXPECT_EQ(refused.limit, 70U);
  EXPECT_EQ(refused.remaining, 0U);
  EXPECT_EQ(refused.reset, seconds(50));
  EXPECT_EQ(rate_headers(refused),
            "retry-after: 50\r\nx-ratelimit-limit: 70\r\nx-ratelimit-remaining: 0\r\n"
            "x-ratelimit-reset: 50\r\n");
  EXPECT_THAT(limiter.describe(refused), HasSubstr("this user may make 70 requests within 60 s"));
  EXPECT_EQ(rule_of(refused), "limits.rate.user");
}

TEST(RateLimiter, LetsOneMorePassForEachThatTheWindowLeavesBehind) {
  RateLimiter limiter(only(RateOf::kAgent, 3));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(limiter.take(kAsk, kStart + seconds(i)).passes);
  EXPECT_FALSE(limiter.take(kAsk, kStart + seconds(60) - milliseconds(1)).passes);
  EXPECT_TRUE(limiter.take(kAsk, kStart + seconds(60)).passes);
  EXPECT_FALSE(limiter.take(kAsk, kStart + seconds(60)).passes);
  EXPECT_TRUE(limiter.take(kAsk, kStart + seconds(61)).passes);
}

TEST(RateLimiter, DoesNotCountWhoIsRefused) {
  RateLimiter limiter(only(RateOf::kAgent, 1));
  ASSERT_TRUE(limiter.take(kAsk, kStart).passes);
  for (int i = 1; i < 60; ++i) EXPECT_FALSE(limiter.take(kAsk, kStart + seconds(i)).passes);
  EXPECT_TRUE(limiter.take(kAsk, kStart + seconds(60)).passes);
  EXPECT_EQ(limiter.refused(), 59U);
}

TEST(RateLimiter, CountsForAllThatARequestIsOfOrForNone) {
  RateConfig config = only(RateOf::kAgent, 1);
  config.rules[static_cast<std::size_t>(RateOf::kUser)].rate = {.calls = 2};
  RateLimiter limiter(config);
  constexpr RateAsk other{.tenant = "acme", .user = "ann", .agent = "ann/writer"};
  ASSERT_TRUE(limiter.take(kAsk, kStart).passes);
  const RateVerdict refused = limiter.take(kAsk, kStart);
  EXPECT_FALSE(refused.passes);
  EXPECT_EQ(refused.of, RateOf::kAgent);
  EXPECT_TRUE(limiter.take(other, kStart).passes) << "the refused one used up the user's place";
}

TEST(RateLimiter, KeepsTenantsAgentsAndToolsApart) {
  RateConfig config = only(RateOf::kTool, 1);
  RateLimiter limiter(config);
  RateAsk ask = kAsk;
  ask.tool = "send";
  EXPECT_TRUE(limiter.take(ask, kStart).passes);
  EXPECT_FALSE(limiter.take(ask, kStart).passes);
  ask.tool = "read";
  EXPECT_TRUE(limiter.take(ask, kStart).passes);
  ask.agent = "ann/writer";
  EXPECT_TRUE(limiter.take(ask, kStart).passes);
  ask.tenant = "other";
  EXPECT_TRUE(limiter.take(ask, kStart).passes);
  EXPECT_TRUE(limiter.take(kAsk, kStart).passes) << "a request that is no call of a tool";
}

TEST(RateLimiter, LooksWithoutCounting) {
  RateLimiter limiter(only(RateOf::kAgent, 2));
  ASSERT_TRUE(limiter.take(kAsk, kStart).passes);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limiter.look(kAsk, kStart).remaining, 1U);
  EXPECT_TRUE(limiter.take(kAsk, kStart).passes);
}

TEST(RateLimiter, GivesWhoIsNamedARateOfTheirOwn) {
  RateConfig config = only(RateOf::kAgent, 1);
  config.rules[static_cast<std::size_t>(RateOf::kAgent)].except.emplace_back(policy::Glob("ann/*"),
                                                                             Rate{.calls = 5});
  RateLimiter limiter(config);
  EXPECT_EQ(take_many(limiter, kAsk, 10, kStart), 5U);
  EXPECT_EQ(take_many(limiter, {.tenant = "acme", .user = "bob", .agent = "bob/x"}, 10, kStart),
            1U);
}

TEST(RateLimiter, LetsExactlyTheLimitPassOver32Threads) {
  RateConfig config = only(RateOf::kAgent, 500);
  config.rules[static_cast<std::size_t>(RateOf::kTenant)].rate = {.calls = 700,
                                                                  .window = seconds(1)};
  RateLimiter limiter(config);
  std::atomic<std::uint32_t> passed[2] = {0, 0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 32; ++thread)
    threads.emplace_back([&, thread] {
      const RateAsk ask{.tenant = "acme", .user = "", .agent = thread % 2 == 0 ? "a" : "b"};
      for (int i = 0; i < 200; ++i)
        if (limiter.take(ask, kStart).passes) ++passed[thread % 2];
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed[0] + passed[1], 700U);
  EXPECT_LE(passed[0], 500U);
  EXPECT_LE(passed[1], 500U);
}

class Crowd : public ::testing::TestWithParam<bool> {};

TEST_P(Crowd, IsRefusedOrForgottenPastTheLimitOfCallersAndCounted) {
  RateConfig config = only(RateOf::kAgent, 1);
  config.callers = 256;
  config.forgets = GetParam();
  RateLimiter limiter(config);
  std::uint32_t passed = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string agent = "a" + std::to_string(i);
    const RateVerdict verdict = limiter.take({.tenant = "", .user = "", .agent = agent}, kStart);
    passed += verdict.passes ? 1 : 0;
    EXPECT_EQ(verdict.is_full, !verdict.passes);
  }
  if (GetParam()) {
    EXPECT_EQ(passed, 5000U);
    EXPECT_GE(limiter.forgotten(), 5000U - 256U);
    return;
  }
  EXPECT_LE(passed, 256U);
  EXPECT_EQ(limiter.refused_full(), 5000U - passed);
  // Once their windows are over they make place.
  EXPECT_TRUE(
      limiter.take({.tenant = "", .user = "", .agent = "new"}, kStart + seconds(61)).passes);
}
INSTANTIATE_TEST_SUITE_P(RateLimiter, Crowd, ::testing::Bool());

}  // namespace
}  // namespace aispm::gateway
