// SPDX-License-Identifier: Apache-2.0
// DET-014: a verdict with a deadline; what is late, dropped or not judged at all is said and
// counted.
#include "sdk/core/detect/semantic_judge.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <latch>
#include <optional>
#include <set>

namespace aispm::detect {
namespace {

using namespace std::chrono_literals;
using Judged = std::optional<SemanticVerdict>;

SteadyTime soon() { return SteadyTime::clock::now() + 60s; }

// A scorer whose texts say what it does: "attack" fires, "slow" waits until it is told to stop.
SemanticJudge::Options scripted(std::latch* entered = nullptr) {
  SemanticJudge::Options options;
  options.make_scorer = [entered]() -> SemanticJudge::Scorer {
    return [entered](std::string_view text, Surface, const StopCheck& stop) -> Judged {
      if (text == "slow") {
        if (entered) entered->count_down();
        while (!stop()) std::this_thread::yield();
        return std::nullopt;
      }
      SemanticVerdict verdict;
      verdict.fires = text == "attack";
      verdict.whole = text != "long";
      return verdict;
    };
  };
  return options;
}

TEST(SemanticJudge, SaysWhyThereIsNoModel) {
  SemanticJudge judge(nullptr, {}, "/usr/share/aispm/semantic.model: not there");
  EXPECT_EQ(judge.submit("text", Surface::kPrompt, soon()).get().outcome,
            SemanticOutcome::kNoModel);
  const SemanticHealth health = judge.health();
  EXPECT_FALSE(health.ready);
  EXPECT_EQ(health.reason, "/usr/share/aispm/semantic.model: not there");
  EXPECT_EQ(health.no_model, 1U);
}

TEST(SemanticJudge, StandsWithoutAModelFile) {
  const auto judge = SemanticJudge::open("/nonexistent/semantic.model", {});
  EXPECT_FALSE(judge->health().ready);
  EXPECT_THAT(judge->health().reason, testing::HasSubstr("/nonexistent/semantic.model"));
  EXPECT_EQ(judge->submit("text", Surface::kPrompt, soon()).get().outcome,
            SemanticOutcome::kNoModel);
}

TEST(SemanticJudge, JudgesAndCounts) {
  SemanticJudge judge(nullptr, scripted());
  const SemanticAnswer attack = judge.submit("attack", Surface::kPrompt, soon()).get();
  EXPECT_EQ(attack.outcome, SemanticOutcome::kJudged);
  EXPECT_TRUE(attack.verdict.fires);
  EXPECT_FALSE(judge.submit("harmless", Surface::kPrompt, soon()).get().verdict.fires);
  EXPECT_FALSE(judge.submit("long", Surface::kPrompt, soon()).get().verdict.whole);
  const SemanticHealth health = judge.health();
  EXPECT_TRUE(health.ready);
  EXPECT_EQ(health.judged, 3U);
  EXPECT_EQ(health.fired, 1U);
  EXPECT_EQ(health.partial, 1U);
}

TEST(SemanticJudge, AnswersByTheDeadlineWhileTheModelIsSlow) {
  std::latch entered(1);
  SemanticJudge judge(nullptr, scripted(&entered));
  auto slow = judge.submit("slow", Surface::kPrompt, SteadyTime::clock::now() + 20ms);
  auto behind = judge.submit("harmless", Surface::kPrompt, soon());
  EXPECT_EQ(slow.get().outcome, SemanticOutcome::kLate);
  EXPECT_EQ(behind.get().outcome, SemanticOutcome::kJudged);  // the worker was given back
  EXPECT_EQ(judge.health().late, 1U);
}

TEST(SemanticJudge, KeepsToTheClockItIsGiven) {
  std::atomic<std::int64_t> seconds{0};
  std::latch entered(1);
  SemanticJudge::Options options = scripted(&entered);
  options.clock = [&] { return SteadyTime(std::chrono::seconds(seconds.load())); };
  SemanticJudge judge(nullptr, std::move(options));
  auto running = judge.submit("slow", Surface::kPrompt, SteadyTime(10s));
  entered.wait();
  auto early = judge.submit("a", Surface::kPrompt, SteadyTime(5s));
  auto later = judge.submit("b", Surface::kPrompt, SteadyTime(20s));

  judge.expire();
  EXPECT_EQ(judge.health().late, 0U);
  seconds = 5;
  judge.expire();
  EXPECT_EQ(early.get().outcome, SemanticOutcome::kLate);
  EXPECT_EQ(judge.health().late, 1U);
  seconds = 10;
  judge.expire();
  EXPECT_EQ(running.get().outcome, SemanticOutcome::kLate);
  EXPECT_EQ(later.get().outcome, SemanticOutcome::kJudged);
}

TEST(SemanticJudge, RefusesADeadlineThatHasPassed) {
  SemanticJudge judge(nullptr, scripted());
  EXPECT_EQ(judge.submit("attack", Surface::kPrompt, SteadyTime::clock::now() - 1s).get().outcome,
            SemanticOutcome::kLate);
}

TEST(SemanticJudge, DropsWhatIsTooMuchAndCountsIt) {
  std::latch entered(1);
  SemanticJudge::Options options = scripted(&entered);
  options.max_waiting = 2;
  options.max_waiting_bytes = 10;
  SemanticJudge judge(nullptr, std::move(options));
  auto busy = judge.submit("slow", Surface::kPrompt, soon());
  entered.wait();

  auto first = judge.submit("1234", Surface::kPrompt, soon());
  EXPECT_EQ(judge.submit("1234567", Surface::kPrompt, soon()).get().outcome,
            SemanticOutcome::kDropped);  // 11 bytes
  auto second = judge.submit("1234", Surface::kPrompt, soon());
  EXPECT_EQ(judge.submit("1", Surface::kPrompt, soon()).get().outcome,
            SemanticOutcome::kDropped);  // the third
  EXPECT_EQ(judge.health().dropped, 2U);
  EXPECT_EQ(judge.health().waiting, 2U);
}

TEST(SemanticJudge, AnswersAllThatWaitsWhenItEnds) {
  std::vector<std::future<SemanticAnswer>> answers;
  {
    std::latch entered(1);
    SemanticJudge judge(nullptr, scripted(&entered));
    answers.push_back(judge.submit("slow", Surface::kPrompt, soon()));
    entered.wait();
    for (int i = 0; i < 5; ++i) answers.push_back(judge.submit("x", Surface::kPrompt, soon()));
  }
  for (auto& answer : answers) EXPECT_EQ(answer.get().outcome, SemanticOutcome::kStopped);
}

TEST(SemanticJudge, AnswersEachOnceFromManyThreads) {
  SemanticJudge::Options options = scripted();
  options.workers = 2;
  options.max_waiting = 8;
  constexpr int kThreads = 4;
  constexpr int kEach = 200;
  std::atomic<int> answered{0};
  SemanticHealth health;
  {
    SemanticJudge judge(nullptr, std::move(options));
    std::vector<std::thread> callers;
    for (int t = 0; t < kThreads; ++t)
      callers.emplace_back([&] {
        for (int i = 0; i < kEach; ++i)
          judge.submit(i % 3 ? "attack" : "slow", Surface::kPrompt,
                       SteadyTime::clock::now() + (i % 3 ? 60000ms : 1ms),
                       [&](const SemanticAnswer&) { ++answered; });
      });
    for (std::thread& caller : callers) caller.join();
    health = judge.health();
  }
  EXPECT_EQ(answered, kThreads * kEach);
  EXPECT_GT(health.judged + health.late + health.dropped, 0U);
}

TEST(SemanticJudge, NamesEachOutcomeDifferently) {
  std::set<std::string_view> names;
  for (const auto outcome :
       {SemanticOutcome::kJudged, SemanticOutcome::kLate, SemanticOutcome::kDropped,
        SemanticOutcome::kNoModel, SemanticOutcome::kStopped})
    names.insert(name_of(outcome));
  EXPECT_EQ(names.size(), 5U);
}

}  // namespace
}  // namespace aispm::detect
