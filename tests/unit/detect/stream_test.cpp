// SPDX-License-Identifier: Apache-2.0
// GW-009: a secret split over stream chunks never reaches the client.
#include "sdk/core/detect/stream.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "sdk/core/common/keyed_hash.hpp"
#include "sdk/core/detect/normalise.hpp"
#include "tests/unit/detect/fed.hpp"
#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {
namespace {

using model::Outcome;
using testing::IsEmpty;
using testing::SizeIs;

// All cuts in two, and even pieces of one to nine bytes.
void expect_all_cuts(const std::shared_ptr<const Engine>& engine, const std::string& text) {
  const auto outcomes = all_rules(*engine, Outcome::kRedact);
  const std::string expected = redacted(*engine, text, *outcomes);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const std::string_view whole = text;
    expect_stream(engine, outcomes, {whole.substr(0, cut), whole.substr(cut)}, expected);
    if (testing::Test::HasFatalFailure()) return;
  }
  for (std::size_t size = 1; size < 10; ++size) {
    expect_stream(engine, outcomes, cut_every(text, size), expected);
    if (testing::Test::HasFatalFailure()) return;
  }
}

// What a rule may begin to match is held back, but never half a character: each piece is sent as a
// text of its own.
TEST(StreamScanner, ReleasesWholeCharacters) {
  const auto engine = engine_of(rule_line("secret.other", R"([\x80-\xbf]@)"));
  const auto outcomes = all_rules(*engine, Outcome::kRedact);
  const std::string text =
      "\u65e5\u672c\u8a9e \U0001f600\U0001f600 \u043f\u0440\u0438 \u00e9t\u00e9 ok";
  StreamScanner scanner(engine, Surface::kReply, outcomes);
  std::string all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = decode_utf8(text, at).size;
    std::string released;
    ASSERT_TRUE(scanner.feed(std::string_view(text).substr(at, size), released));
    for (std::size_t i = 0; i < released.size();) {
      const Decoded unit = decode_utf8(released, i);
      ASSERT_NE(unit.size, 0) << at;
      ASSERT_NE(unit.code_point, kInvalidByte) << at;
      i += unit.size;
    }
    all += released;
    at += size;
  }
  ASSERT_TRUE(scanner.finish(all));
  EXPECT_EQ(all, text);
}

// More borders than fit into one word of bits.
TEST(StreamScanner, KeepsTheBorderOfEachOfManyRules) {
  const std::string letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string rules;
  for (std::size_t i = 0; i < 100; ++i) {
    const std::string border = {letters[i % letters.size()], i < letters.size() ? '#' : '='};
    rules += rule_line("secret.r" + std::to_string(i), "key" + std::to_string(i) + "[.]",
                       "not_after: '[" + border + "]'");
  }
  const auto engine = engine_of(rules);
  const auto outcomes = all_rules(*engine, Outcome::kRedact);
  std::string text, expected;
  for (std::size_t i = 0; i < 100; ++i)
    for (const char before : {letters[i % letters.size()], '!', '#'}) {
      const std::string key = "key" + std::to_string(i) + ".";
      const bool is_closed = before != '!' && (before != '#' || i < letters.size());
      text += before + key;
      expected += before + (is_closed ? key : "[REDACTED:secret.r" + std::to_string(i) + "]");
    }
  EXPECT_EQ(redacted(*engine, text, *outcomes), expected);
  expect_stream(engine, outcomes, cut_every(text, 3), expected);
}

TEST(StreamScanner, HidesEveryHitOfEveryShippedRuleUnderEveryCut) {
  const auto engine = shipped_engine();
  ASSERT_NE(engine, nullptr);
  std::size_t texts = 0;
  for (const Rule& rule : engine->rules()) {
    if (!rule.applies_to(Surface::kReply)) continue;
    for (const std::string& hit : rule.hits) {
      expect_all_cuts(engine, "Sure: " + hit + " is it.");
      ASSERT_FALSE(HasFatalFailure()) << rule.id;
      ++texts;
    }
  }
  EXPECT_GT(texts, 100U);
}

TEST(StreamScanner, HidesMatchesThatTouchEachOther) {
  const auto engine = shipped_engine();
  std::vector<std::string> hits;
  for (const Rule& rule : engine->rules())
    if (rule.category != Category::kPromptInjection) hits.push_back(rule.hits.front());
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const std::string& other = hits[(i * 7 + 3) % hits.size()];
    for (const char* between : {"", " ", "\n", ",", "\xc3\xa9"}) {
      const std::string text = hits[i] + between + other;
      const auto outcomes = all_rules(*engine, Outcome::kRedact);
      const std::string expected = redacted(*engine, text, *outcomes);
      for (const std::size_t size : {1, 2, 5}) {
        expect_stream(engine, outcomes, cut_every(text, size), expected);
        ASSERT_FALSE(HasFatalFailure()) << text;
      }
    }
  }
}

TEST(StreamScanner, LetsProsePassWithoutHoldingIt) {
  const auto engine = shipped_engine();
  auto outcomes = std::make_shared<Outcomes>();
  for (const Rule& rule : engine->rules())
    outcomes->push_back(rule.category == Category::kPromptInjection ? Outcome::kAllow
                                                                    : Outcome::kRedact);
  const std::string text =
      "The build takes about 12 minutes on two cores. Set the timeout in the configuration, "
      "restart "
      "the service and look at the log of the last 24 hours; most failures come from a missing "
      "certificate. Call `client.connect()` and then wait for the answer.\n\n1. Install\n2. Run\n";
  StreamScanner scanner(engine, Surface::kReply, outcomes);
  std::string released;
  std::size_t held = 0;
  std::size_t steps = 0;
  for (const std::string_view piece : cut_every(text, 5)) {
    ASSERT_TRUE(scanner.feed(piece, released));
    held += scanner.held_bytes();
    ++steps;
  }
  const double mean = static_cast<double>(held) / static_cast<double>(steps);
  RecordProperty("mean_held_bytes", std::to_string(mean));
  EXPECT_LT(mean, 4.0);
  ASSERT_TRUE(scanner.finish(released));
  EXPECT_EQ(released, text);
  EXPECT_LE(scanner.memory_bytes(), 4096U);
}

// While a piece is read, scanners of a thread share memory.
TEST(StreamScanner, TakesPiecesInTurnsWithOthers) {
  const auto engine =
      engine_of(rule_line("secret.long", "key-[a-z]{8}") + rule_line("secret.short", "k[0-9]{3}"));
  const auto outcomes = all_rules(*engine, Outcome::kRedact);
  const std::vector<std::string> texts = {"a key-abcdefgh and k12", "k123 is no key-abcdefg",
                                          "key-key-keykeykey k999 kk100",
                                          "nothing at all \u00e9 k777"};
  for (std::size_t size = 1; size < 9; ++size) {
    std::vector<StreamScanner> scanners;
    std::vector<std::string> released(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i)
      scanners.emplace_back(engine, Surface::kReply, outcomes);
    for (std::size_t at = 0; at < 64; at += size)
      for (std::size_t i = 0; i < texts.size(); ++i)
        ASSERT_TRUE(scanners[i].feed(
            std::string_view(texts[i]).substr(std::min(at, texts[i].size()), size), released[i]));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      ASSERT_TRUE(scanners[i].finish(released[i]));
      EXPECT_EQ(released[i], redacted(*engine, texts[i], *outcomes)) << "cut every " << size;
    }
  }
}

// A stream may be silent for hours, and there are many.
TEST(StreamScanner, IsSmallBetweenPieces) {
  const auto engine = shipped_engine();
  StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kRedact));
  std::string released;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(scanner.feed("so the answer is as long as it has to be, and no longer than that ",
                             released));
    EXPECT_LE(scanner.memory_bytes(), 1536U);
  }
}

TEST(StreamScanner, HoldsNothingForRulesThatOnlyRecord) {
  const auto engine = engine_of(rule_line("secret.a", "key-[0-9]{8}"));
  StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kAllow));
  std::string released;
  ASSERT_TRUE(scanner.feed("it is key-12", released));
  EXPECT_EQ(released, "it is key-12");
  ASSERT_TRUE(scanner.feed("345678.", released));
  ASSERT_THAT(scanner.found(), SizeIs(1));
  EXPECT_EQ(scanner.found()[0].match.offset, 6U);
  EXPECT_EQ(scanner.found()[0].match.length, 12U);
}

TEST(StreamScanner, IgnoresRulesWithoutOutcome) {
  const auto engine = engine_of(rule_line("secret.a", "key-[0-9]{8}"));
  StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kUnspecified));
  std::string released;
  ASSERT_TRUE(scanner.feed("key-12345678", released));
  ASSERT_TRUE(scanner.finish(released));
  EXPECT_EQ(released, "key-12345678");
  EXPECT_THAT(scanner.found(), IsEmpty());
}

TEST(StreamScanner, ReleasesNothingFromADenyOn) {
  const auto engine = engine_of(rule_line("secret.a", "key-[0-9]{8}"));
  StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kDeny));
  std::string released;
  ASSERT_TRUE(scanner.feed("before key-1234", released));
  EXPECT_FALSE(scanner.denied());
  ASSERT_TRUE(scanner.feed("5678 after", released));
  EXPECT_TRUE(scanner.denied());
  ASSERT_TRUE(scanner.feed(" more", released));
  ASSERT_TRUE(scanner.finish(released));
  EXPECT_EQ(released, "before ");
}

TEST(StreamScanner, DeniesAtTheEndOfTheStream) {
  const auto engine = engine_of(rule_line("secret.a", "key-[0-9]{8,}"));
  StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kDeny));
  std::string released;
  ASSERT_TRUE(scanner.feed("key-12345678", released));
  ASSERT_TRUE(scanner.finish(released));
  EXPECT_TRUE(scanner.denied());
  EXPECT_EQ(released, "");
}

TEST(StreamScanner, TellsEqualSecretsByTheSameHashHoweverTheyAreCut) {
  const auto engine = engine_of(rule_line("secret.a", "key-[0-9]{4}"));
  const Secret hash_key("of this host");
  for (const std::size_t step : {1U, 3U, 100U}) {
    StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kRedact), nullptr,
                          &hash_key);
    const std::string text = "a key-1234 b key-9876 c key-1234 d";
    std::string released;
    for (std::size_t at = 0; at < text.size(); at += step)
      ASSERT_TRUE(scanner.feed(std::string_view(text).substr(at, step), released));
    ASSERT_TRUE(scanner.finish(released));
    ASSERT_THAT(scanner.found(), SizeIs(3));
    EXPECT_EQ(scanner.found()[0].value_hash, keyed_hash(hash_key, "key-1234"));
    EXPECT_EQ(scanner.found()[1].value_hash, keyed_hash(hash_key, "key-9876"));
    EXPECT_EQ(scanner.found()[2].value_hash, scanner.found()[0].value_hash);
  }
}

TEST(StreamScanner, KeepsCutCharactersWhole) {
  const auto engine = engine_of(rule_line("secret.a", "key"));
  StreamScanner scanner(engine, Surface::kReply, all_rules(*engine, Outcome::kRedact));
  std::string released;
  ASSERT_TRUE(scanner.feed("caf\xc3", released));
  EXPECT_EQ(released, "caf");
  ASSERT_TRUE(scanner.feed("\xa9", released));
  EXPECT_EQ(released, "caf\xc3\xa9");
}

TEST(StreamScanner, WaitsForTheContextOfAMatch) {
  const auto engine = engine_of(
      rule_line("pii.id", "[0-9]{6}", "context: {words: [passport], without: [order], within: 12}"),
      "pii");
  for (const char* text : {"passport 123456 x", "123456 passport", "123456 a long way to passport",
                           "passport 123456 order", "passport 123456 654321",
                           "\u00e9 passport 12\u200b3456 and", "123456", "passport 123456"})
    expect_all_cuts(engine, text);
  const auto outcomes = all_rules(*engine, Outcome::kRedact);
  EXPECT_EQ(redacted(*engine, "123456 passport", *outcomes), "[REDACTED:pii.id] passport");
}

TEST(StreamScanner, FindsTheSameTricksAsInTheWholeText) {
  const auto engine = shipped_engine();
  for (const char* text : {"ig\u200bno\u200bre th\u200bis", "x\U000e0069\U000e0067y", "\u0456gnore",
                           "a\u202eb", "a\ufe00\ufe01\ufe02b", "\U0001f3f4\U000e0067\U000e007f",
                           "\u200b\u200b\u200b\u200b", "syst\u0435m pr\u043empt \xff\xd0"})
    expect_all_cuts(engine, text);
}

TEST(StreamScanner, WaitsForAMatchThatBeginsInTheLastByteOfAnother) {
  const auto engine =
      engine_of(rule_line("secret.a", "ab[0-9]") + rule_line("secret.b", "[0-9]xx"));
  expect_all_cuts(engine, "ab1xx.");
  expect_all_cuts(engine, "ab1x.");
  const auto outcomes = all_rules(*engine, Outcome::kRedact);
  EXPECT_EQ(redacted(*engine, "ab1xx.", *outcomes), "[REDACTED:secret.a].");
}

TEST(StreamScanner, HidesASecretInLookAlikeLetters) {
  const auto engine = shipped_engine();
  // Fullwidth A, Cyrillic K and a zero-width space inside an AWS key id.
  expect_all_cuts(engine, "id \xef\xbc\xa1\xd0\x9aIA\xe2\x80\x8bZQKVCZGQD4LHFV52.");
  auto outcomes = std::make_shared<Outcomes>(*all_rules(*engine, Outcome::kRedact));
  for (std::size_t i = 0; i < outcomes->size(); ++i)  // the trick is another detection
    if (engine->rules()[i].category == Category::kObfuscation) (*outcomes)[i] = Outcome::kAllow;
  EXPECT_EQ(redacted(*engine, "id \xef\xbc\xa1\xd0\x9aIA\xe2\x80\x8bZQKVCZGQD4LHFV52.", *outcomes),
            "id [REDACTED:secret.aws_access_key].");
}

}  // namespace
}  // namespace aispm::detect
