// SPDX-License-Identifier: Apache-2.0
// What a stream does where it may hold or record no more: it fails closed, or counts what it
// leaves.
#include <gmock/gmock.h>

#include "sdk/core/detect/stream.hpp"
#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {
namespace {

using model::Outcome;
using testing::SizeIs;

TEST(StreamLimits, FailsClosedOnAMatchWithoutEnd) {
  const auto engine = engine_of(rule_line("secret.a", "key-[0-9]{8,}"));
  StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kRedact));
  std::string released;
  ASSERT_TRUE(scanner.feed("key-", released));
  Result<> fed;
  std::size_t taken = 4;
  const std::string digits(1000, '7');
  while (fed && taken < 2 * StreamScanner::kMaxHeldBytes) {
    fed = scanner.feed(digits, released);
    taken += digits.size();
  }
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, Errc::kTooLarge);
  EXPECT_LE(taken, StreamScanner::kMaxHeldBytes + 2 * digits.size());
  EXPECT_EQ(scanner.feed("x", released).error().code, Errc::kTooLarge);
  EXPECT_EQ(scanner.finish(released).error().code, Errc::kTooLarge);
  EXPECT_EQ(released, "");
}

TEST(StreamLimits, GivesUpAnEndlessMatchThatIsOnlyRecordedAndCountsIt) {
  const auto engine = engine_of(rule_line("secret.a", "key-[0-9]{8,}"));
  StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kAllow));
  std::string released;
  const std::string digits(1000, '7');
  ASSERT_TRUE(scanner.feed("key-", released));
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(scanner.feed(digits, released));
  EXPECT_EQ(released.size(), 60'004U);
  EXPECT_EQ(scanner.dropped_matches(), 1U);
  EXPECT_LT(scanner.memory_bytes(), 80'000U);
}

TEST(StreamLimits, FailsClosedWhenTooManyMatchesAreOpen) {
  const auto engine = engine_of(rule_line("secret.a", "a[ab]{600}c", "max_bytes: 2000"));
  StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kRedact));
  std::string released;
  const auto fed = scanner.feed(std::string(2000, 'a'), released);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, Errc::kExhausted);
  EXPECT_EQ(released, "");
}

TEST(StreamLimits, FailsClosedWhenOutcomesDoNotFitTheRules) {
  const auto engine = engine_of(rule_line("secret.a", "key"));
  StreamScanner scanner(engine, Surface::kReply, std::make_shared<Outcomes>());
  std::string released;
  EXPECT_EQ(scanner.feed("text", released).error().code, Errc::kInternal);
  EXPECT_EQ(released, "");
}

TEST(StreamLimits, CountsMatchesBeyondTheRecord) {
  const auto engine = engine_of(rule_line("secret.a", "k[0-9]"));
  StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kRedact));
  std::string released;
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(scanner.feed("k1 ", released));
  EXPECT_THAT(scanner.found(), SizeIs(StreamScanner::kMaxRecorded));
  EXPECT_EQ(scanner.dropped_matches(), 300U - StreamScanner::kMaxRecorded);
  EXPECT_EQ(scanner.redactions(), 300U);
}

}  // namespace
}  // namespace aispm::detect
