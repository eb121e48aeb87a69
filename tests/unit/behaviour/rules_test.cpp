// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aispm::sensor {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(BehaviourRules, TheShippedOnesDoWhatTheirCasesSay) {
  const auto rules = BehaviourRules::builtin();
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_GT(rules->cases.size(), 15U);
  for (const auto& one : rules->cases) {
    const FileRule* found = rules->find_file(one.path, one.writes, one.size_bytes);
    EXPECT_EQ(found == nullptr ? "none" : found->id, one.expect) << one.where << ": " << one.path;
  }
}

TEST(BehaviourRules, EveryShippedFileRuleHasACase) {
  const auto rules = BehaviourRules::builtin();
  ASSERT_TRUE(rules);
  for (const FileRule& rule : rules->files)
    EXPECT_TRUE(std::any_of(rules->cases.begin(), rules->cases.end(), [&](const auto& one) {
      return one.expect == rule.id;
    })) << rule.id;
}

struct BadRules {
  const char* content;
  const char* complaint;
};

class RefusedRules : public testing::TestWithParam<BadRules> {};

TEST_P(RefusedRules, NamesFileAndLine) {
  const auto rules = BehaviourRules::parse(GetParam().content, "mine.yaml");
  ASSERT_FALSE(rules);
  EXPECT_THAT(rules.error().message, HasSubstr("mine.yaml:"));
  EXPECT_THAT(rules.error().message, HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Behaviour, RefusedRules,
    testing::Values(
        BadRules{"schema: other\n", "schema"},
        BadRules{"schema: aispm.behaviour/v1\nshell: [sh]\n", "shell"},
        BadRules{"schema: aispm.behaviour/v1\nshell_spawn: loud\n", "shell_spawn"},
        BadRules{"schema: aispm.behaviour/v1\nconnection_rate: {window: 1ms}\n", "window"},
        BadRules{"schema: aispm.behaviour/v1\nfiles:\n  - {id: a, message: b, paths: []}\n",
                 "paths"},
        BadRules{"schema: aispm.behaviour/v1\nfiles:\n  - {id: a, message: b, paths: [x/y]}\n",
                 "a glob begins with"}));

// SEN-008
TEST(ConnectionRate, TheFiftyFirstWithinTenSecondsIsToldOnce) {
  ConnectionRate rate(50, std::chrono::seconds(10));
  int told = 0;
  for (std::uint64_t i = 0; i < 51; ++i) told += rate.add("a", {i * kSecond / 100}) ? 1 : 0;
  EXPECT_EQ(told, 1);
  for (std::uint64_t i = 51; i < 500; ++i) told += rate.add("a", {i * kSecond / 100}) ? 1 : 0;
  EXPECT_EQ(told, 1);
}

TEST(ConnectionRate, FiftyAreFine) {
  ConnectionRate rate(50, std::chrono::seconds(10));
  for (std::uint64_t i = 0; i < 50; ++i) EXPECT_FALSE(rate.add("a", {i * kSecond / 100}));
}

TEST(ConnectionRate, SlowOnesAreFine) {
  ConnectionRate rate(50, std::chrono::seconds(10));
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_FALSE(rate.add("a", {i * kSecond / 4}));
}

TEST(ConnectionRate, TellsAgainAfterAQuietWindow) {
  ConnectionRate rate(2, std::chrono::seconds(10));
  EXPECT_FALSE(rate.add("a", {1}));
  EXPECT_FALSE(rate.add("a", {2}));
  EXPECT_TRUE(rate.add("a", {3}));
  const std::uint64_t later = 60 * kSecond;
  EXPECT_FALSE(rate.add("a", {later}));
  EXPECT_FALSE(rate.add("a", {later + 1}));
  EXPECT_TRUE(rate.add("a", {later + 2}));
}

TEST(ConnectionRate, AgentsAreApart) {
  ConnectionRate rate(2, std::chrono::seconds(10));
  for (const char* const agent : {"a", "b"}) {
    EXPECT_FALSE(rate.add(agent, {1}));
    EXPECT_FALSE(rate.add(agent, {2}));
  }
}

}  // namespace
}  // namespace aispm::sensor
