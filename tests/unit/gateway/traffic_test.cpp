// SPDX-License-Identifier: Apache-2.0
// Circuits, drawn candidates, kept answers and what the configuration says of them.
#include "gateway/proxy/traffic/traffic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <thread>

#include "gateway/proxy/config.hpp"
#include "gateway/proxy/wire_error.hpp"

namespace aispm::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const Breaker::Time kStart = Breaker::Time() + std::chrono::hours(1000);

BreakerConfig three_in_a_row() {
  BreakerConfig config;
  config.failures = 3;
  config.percent = 50;
  config.calls = 10;
  config.window = seconds(10);
  config.cooldown = seconds(5);
  return config;
}

void fail_once(Breaker& breaker, Breaker::Time now) {
  auto permit = breaker.admit(now);
  ASSERT_TRUE(permit);
  permit->failed(now);
}

void succeed_once(Breaker& breaker, Breaker::Time now) {
  auto permit = breaker.admit(now);
  ASSERT_TRUE(permit);
  permit->succeeded(now);
}

TEST(Breaker, OpensAfterFailuresInARowAndClosesAfterOneGoodTrial) {
  Breaker breaker(three_in_a_row());
  fail_once(breaker, kStart);
  fail_once(breaker, kStart);
  EXPECT_EQ(breaker.state(kStart), Breaker::State::kClosed);
  fail_once(breaker, kStart);
  EXPECT_EQ(breaker.state(kStart), Breaker::State::kOpen);
  EXPECT_FALSE(breaker.admit(kStart + milliseconds(4999)));
  EXPECT_EQ(breaker.reopens_in(kStart + seconds(2)), seconds(3));
  const auto later = kStart + seconds(5);
  auto trial = breaker.admit(later);
  ASSERT_TRUE(trial);
  EXPECT_FALSE(breaker.admit(later)) << "one trial at a time";
  trial->succeeded(later);
  EXPECT_EQ(breaker.state(later), Breaker::State::kClosed);
  EXPECT_EQ(breaker.times_opened(), 1U);
  fail_once(breaker, later);
  fail_once(breaker, later);
  EXPECT_EQ(breaker.state(later), Breaker::State::kClosed) << "what was before is forgotten";
}

TEST(Breaker, IsOpenAgainAfterABadTrial) {
  Breaker breaker(three_in_a_row());
  for (int i = 0; i < 3; ++i) fail_once(breaker, kStart);
  const auto later = kStart + seconds(6);
  fail_once(breaker, later);
  EXPECT_TRUE(breaker.refuses(later + milliseconds(4999)));
  EXPECT_FALSE(breaker.refuses(later + seconds(5)));
  EXPECT_EQ(breaker.times_opened(), 2U);
}

TEST(Breaker, GivesAnotherTheTrialThatEndedWithoutAWord) {
  Breaker breaker(three_in_a_row());
  for (int i = 0; i < 3; ++i) fail_once(breaker, kStart);
  const auto later = kStart + seconds(5);
  { const auto abandoned = breaker.admit(later); }
  EXPECT_EQ(breaker.state(later), Breaker::State::kHalfOpen);
  EXPECT_TRUE(breaker.admit(later));
}

TEST(Breaker, IsNotOpenedBySuccessesBetweenFailuresBelowTheShare) {
  Breaker breaker(three_in_a_row());
  for (int i = 0; i < 50; ++i) {
    fail_once(breaker, kStart);
    succeed_once(breaker, kStart);
    succeed_once(breaker, kStart);
  }
  EXPECT_EQ(breaker.state(kStart), Breaker::State::kClosed);
}

TEST(Breaker, OpensAtTheShareOfItsWindowAndForgetsWhatIsOlder) {
  const auto alternate = [](Breaker& breaker, Breaker::Time now, int calls) {
    for (int i = 0; i < calls && !breaker.refuses(now); ++i)
      i % 2 == 0 ? succeed_once(breaker, now) : fail_once(breaker, now);
  };
  Breaker at_once(three_in_a_row());
  alternate(at_once, kStart, 10);
  EXPECT_EQ(at_once.state(kStart), Breaker::State::kOpen);
  Breaker spread(three_in_a_row());
  alternate(spread, kStart, 8);
  alternate(spread, kStart + seconds(11), 8);
  EXPECT_EQ(spread.state(kStart + seconds(11)), Breaker::State::kClosed);
}

TEST(Breaker, HearsNothingFromOldCallsWhileItIsOpen) {
  Breaker breaker(three_in_a_row());
  auto old = breaker.admit(kStart);
  for (int i = 0; i < 3; ++i) fail_once(breaker, kStart);
  old->succeeded(kStart + seconds(1));
  EXPECT_EQ(breaker.state(kStart + seconds(1)), Breaker::State::kOpen);
}

TEST(Breaker, GivesExactlyOneTrialToManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 200;
  Breaker breaker(three_in_a_row());
  std::atomic<int> trials{0};
  std::barrier together(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) fail_once(breaker, kStart);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int round = 1; round <= kRounds; ++round) {
        const auto now = kStart + seconds(10) * round;
        together.arrive_and_wait();
        auto permit = breaker.admit(now);
        if (permit) trials.fetch_add(1);
        together.arrive_and_wait();
        if (permit) permit->failed(now);
        together.arrive_and_wait();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(trials.load(), kRounds);
  EXPECT_EQ(breaker.times_opened(), 1U + kRounds);
}

RouteConfig split(std::vector<std::uint32_t> weights) {
  RouteConfig route;
  route.name = "r";
  for (const std::uint32_t weight : weights) {
    CandidateConfig candidate;
    candidate.weight = weight;
    route.candidates.push_back(candidate);
  }
  return route;
}

TEST(OrderCandidates, IsTheConfigurationsWithoutWeights) {
  EXPECT_THAT(order_candidates(split({0, 0, 0}), Secret("k"), "s"), ElementsAre(0, 1, 2));
}

TEST(OrderCandidates, DrawsBothHalvesWithinThreePercentOfTwoThousandSessions) {
  for (const char* const key : {"one", "two", "three", "four"}) {
    int first = 0;
    for (int i = 0; i < 2000; ++i)
      first +=
          order_candidates(split({50, 50}), Secret(key), "session " + std::to_string(i)).front() ==
                  0
              ? 1
              : 0;
    EXPECT_NEAR(first, 1000, 60) << key;
  }
}

TEST(OrderCandidates, KeepsWhatASessionDrewAndOtherKeysDrawOtherwise) {
  const RouteConfig route = split({1, 1, 1, 1});
  int differ = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string who = "session " + std::to_string(i);
    EXPECT_EQ(order_candidates(route, Secret("a"), who), order_candidates(route, Secret("a"), who));
    differ += order_candidates(route, Secret("a"), who) != order_candidates(route, Secret("b"), who)
                  ? 1
                  : 0;
  }
  EXPECT_GT(differ, 50);
}

TEST(OrderCandidates, NeverBeginsWithOneWithoutWeightAndKeepsTheOthersInTheirOrder) {
  for (int i = 0; i < 300; ++i) {
    const auto order =
        order_candidates(split({0, 3, 0, 1}), Secret("k"), "session " + std::to_string(i));
    if (order.front() == 1) {
      EXPECT_THAT(order, ElementsAre(1, 0, 2, 3));
    } else {
      EXPECT_THAT(order, ElementsAre(3, 0, 1, 2));
    }
  }
}

CachedAnswer answer(std::size_t bytes) {
  return {.body = std::string(bytes, 'x'), .upstream = "p"};
}

TEST(AnswerCache, GivesWhatItKeptUntilItsTimeIsOver) {
  AnswerCache cache(1 << 20, seconds(10));
  EXPECT_FALSE(cache.find("k", kStart));
  EXPECT_TRUE(cache.keep("k", answer(5), kStart));
  ASSERT_TRUE(cache.find("k", kStart + milliseconds(9999)));
  EXPECT_EQ(cache.find("k", kStart)->body, "xxxxx");
  EXPECT_FALSE(cache.find("other", kStart));
  EXPECT_FALSE(cache.find("k", kStart + seconds(10)));
  EXPECT_EQ(cache.size_bytes(), 0U);
}

TEST(AnswerCache, ForgetsTheLeastRecentlyUsedAndNeverHoldsMoreThanItsBytes) {
  AnswerCache cache(10'000, seconds(10));
  for (const char* const key : {"a", "b", "c"}) EXPECT_TRUE(cache.keep(key, answer(3000), kStart));
  EXPECT_TRUE(cache.find("a", kStart));
  EXPECT_TRUE(cache.keep("d", answer(3000), kStart));
  EXPECT_TRUE(cache.find("a", kStart));
  EXPECT_FALSE(cache.find("b", kStart));
  EXPECT_LE(cache.size_bytes(), 10'000U);
  EXPECT_FALSE(cache.keep("huge", answer(10'001), kStart));
  EXPECT_EQ(cache.size(), 3U);
  cache.clear();
  EXPECT_EQ(cache.size_bytes(), 0U);
}

TEST(AnswerCache, HoldsOneAnswerForAKey) {
  AnswerCache cache(10'000, seconds(10));
  EXPECT_TRUE(cache.keep("k", answer(1), kStart));
  EXPECT_TRUE(cache.keep("k", answer(2), kStart));
  EXPECT_EQ(cache.size(), 1U);
  EXPECT_EQ(cache.find("k", kStart)->body, "xx");
}

TEST(SharedLatencies, IsAtMostAnEighthTooHigh) {
  for (const std::uint64_t value :
       {0ULL, 1ULL, 7ULL, 8ULL, 9ULL, 100ULL, 4095ULL, 4096ULL, 1'000'000ULL, 987'654'321ULL}) {
    SharedLatencies histogram;
    histogram.add(value);
    EXPECT_GE(histogram.percentile(0.5), value);
    EXPECT_LE(histogram.percentile(0.5), value + value / 8);
  }
}

TEST(SharedLatencies, FindsTheShareOfAll) {
  SharedLatencies histogram;
  for (int i = 0; i < 95; ++i) histogram.add(10);
  for (int i = 0; i < 5; ++i) histogram.add(1000);
  EXPECT_EQ(histogram.percentile(0.5), 10U);
  EXPECT_GE(histogram.percentile(0.95), 1000U);
  EXPECT_EQ(SharedLatencies().percentile(0.5), 0U);
}

TEST(Traffic, LimitsShadowsInNumberAndBytes) {
  TrafficConfig config;
  config.shadow.concurrency = 2;
  config.shadow.bytes = 100;
  Traffic traffic(config);
  EXPECT_FALSE(traffic.enter_shadow(101));
  EXPECT_TRUE(traffic.enter_shadow(60));
  EXPECT_FALSE(traffic.enter_shadow(41));
  EXPECT_TRUE(traffic.enter_shadow(40));
  EXPECT_FALSE(traffic.enter_shadow(0));
  traffic.leave_shadow(60);
  EXPECT_TRUE(traffic.enter_shadow(60));
}

TEST(WireError, OfOpenCircuitsSaysWhenToTryAgainInEveryDialect) {
  Refusal refusal = make_refusal(RefusalKind::kCircuitOpen, "left alone");
  refusal.retry_after_seconds = 7;
  for (const Dialect dialect : {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kOllama}) {
    const std::string reply = error_reply(dialect, refusal, true);
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(reply, HasSubstr("retry-after: 7\r\n"));
    EXPECT_THAT(reply, Not(HasSubstr("x-should-retry")));
  }
  EXPECT_THAT(error_body(Dialect::kOpenAi, refusal), HasSubstr(R"("code":"aispm_circuit_open")"));
  EXPECT_THAT(error_body(Dialect::kAnthropic, refusal), HasSubstr(R"("type":"overloaded_error")"));
  refusal.retry_after_seconds = 0;
  EXPECT_THAT(error_reply(Dialect::kOpenAi, refusal, true), Not(HasSubstr("retry-after")));
}

std::string configuration(const std::string& more) {
  return "listen: 127.0.0.1:1\npolicy: p\npacks: p\naudit: best_effort\nproviders:\n"
         "  - {name: a, dialect: openai, origin: 'http://a'}\n"
         "  - {name: b, dialect: openai, origin: 'http://b'}\n" +
         more;
}

TEST(TrafficConfig, IsReadWithItsDefaults) {
  const auto config = parse_config(configuration("routes:\n"
                                                 "  - name: chat\n"
                                                 "    models: ['gpt-*']\n"
                                                 "    providers:\n"
                                                 "      - {provider: a, weight: 3}\n"
                                                 "      - {provider: b, model: llama, weight: 1}\n"
                                                 "    shadow: {provider: b, percent: 10}\n"),
                                   "gateway.yaml");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->traffic.routes.size(), 1U);
  const RouteConfig& route = config->traffic.routes.front();
  EXPECT_EQ(route.attempts, 2U);
  EXPECT_EQ(route.candidates[1].arm, "b/llama");
  EXPECT_EQ(route.shadow->candidate.arm, "b");
  EXPECT_EQ(route.shadow->percent, 10U);
  EXPECT_THAT(route.retry_on, ElementsAre(429, 500, 502, 503, 504, 529));
  EXPECT_EQ(route.first_byte, config->limits.upstream_reply);
  EXPECT_TRUE(config->traffic.cache.models.empty());
}

TEST(TrafficConfig, RefusesWhatCannotBeMeant) {
  const std::string good = "providers: [{provider: a}]";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{name: r, models: ['*'], providers: [{provider: c}]}", "no provider is called 'c'"},
      {"{name: r, models: ['*'], providers: []}", "1 to 16 candidates"},
      {"{name: r, models: [], " + good + "}", "fits no model"},
      {"{name: 'r x', models: ['*'], " + good + "}", "letters, digits"},
      {"{name: r, models: ['*'], providers: [{provider: a}, {provider: a}]}",
       "two candidates are called 'a'"},
      {"{name: r, models: ['*'], retry_on: [400], " + good + "}", "'400': allowed are"},
      {"{name: r, models: ['*'], attempts: 33, " + good + "}", "attempts"},
      {"{name: r, models: ['*'], shadow: {provider: b, weight: 1}, " + good + "}",
       "a shadow answers nobody"},
      {"{name: r, models: ['*'], colour: red, " + good + "}", "colour"},
  };
  for (const auto& [route, words] : cases) {
    const auto config = parse_config(configuration("routes:\n  - " + route + "\n"), "gateway.yaml");
    ASSERT_FALSE(config) << route;
    EXPECT_THAT(config.error().message, HasSubstr(words));
    EXPECT_THAT(config.error().message, HasSubstr("gateway.yaml:"));
  }
}

TEST(TrafficConfig, RefusesMoreCandidatesThanHealthHasRoomFor) {
  std::string routes = "routes:\n";
  for (int i = 0; i < 33; ++i)
    routes += "  - {name: r" + std::to_string(i) +
              ", models: ['*'], providers: [{provider: a}, {provider: b}]}\n";
  const auto config = parse_config(configuration(routes), "gateway.yaml");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("64 candidates"));
}

}  // namespace
}  // namespace aispm::gateway
