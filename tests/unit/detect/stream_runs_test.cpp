// SPDX-License-Identifier: Apache-2.0
// What encodings hide in a streamed reply does not leave, however the stream is cut.
#include "sdk/core/detect/stream_runs.hpp"

#include <gmock/gmock.h>

#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Invented; put together so that scanners of repositories do not take it for a live key.
const std::string kKey = std::string("AKIA") + "Z7QJ3XNVB5KD2M4T";

std::shared_ptr<const Engine> engine() {
  static const auto made = engine_of(rule_line("secret.key", "AKIA[A-Z2-7]{16}"));
  return made;
}

std::string hex(std::string_view text) {
  std::string out;
  for (const char c : text) {
    constexpr char kDigits[] = "0123456789abcdef";
    out.push_back(kDigits[static_cast<std::uint8_t>(c) >> 4U]);
    out.push_back(kDigits[static_cast<std::uint8_t>(c) & 15U]);
  }
  return out;
}

std::string percent(std::string_view text) {
  std::string out;
  const std::string digits = hex(text);
  for (std::size_t i = 0; i < digits.size(); i += 2) out += "%" + digits.substr(i, 2);
  return out;
}

std::string binary(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!out.empty()) out += ' ';
    for (int bit = 7; bit >= 0; --bit)
      out.push_back(((static_cast<std::uint8_t>(c) >> static_cast<unsigned>(bit)) & 1U) ? '1'
                                                                                        : '0');
  }
  return out;
}

std::string base64(std::string_view text) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    bits = (bits << 8U) | static_cast<std::uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) out.push_back(kDigits[(bits >> (count - 6)) & 63U]);
  }
  if (count > 0) out.push_back(kDigits[(bits << (6 - count)) & 63U]);
  while (out.size() % 4 != 0) out.push_back('=');
  return out;
}

struct Streamed {
  std::string text;
  bool denied = false;
  std::size_t found = 0;
  std::size_t largest_hold = 0;
};

Streamed stream(std::string_view text, std::size_t step, model::Outcome outcome) {
  auto scratch = engine()->make_scratch();
  EXPECT_TRUE(scratch);
  StreamRuns runs(engine(), Surface::kReply, all_rules(*engine(), outcome));
  Streamed result;
  for (std::size_t at = 0; at < text.size(); at += step) {
    EXPECT_TRUE(runs.feed(text.substr(at, step), *scratch, result.text));
    result.largest_hold = std::max(result.largest_hold, runs.held_bytes());
  }
  EXPECT_TRUE(runs.finish(*scratch, result.text));
  EXPECT_EQ(runs.held_bytes(), 0U);
  result.denied = runs.denied();
  result.found = runs.found().size();
  return result;
}

TEST(StreamRuns, TellsEqualSecretsByTheSameHash) {
  auto scratch = engine()->make_scratch();
  ASSERT_TRUE(scratch);
  const Secret hash_key("of this host");
  StreamRuns runs(engine(), Surface::kReply, all_rules(*engine(), model::Outcome::kRedact), nullptr,
                  &hash_key);
  std::string out;
  const std::string hidden = hex("the key is " + kKey);
  ASSERT_TRUE(runs.feed("one " + hidden + " and again " + hidden + " end", *scratch, out));
  ASSERT_TRUE(runs.finish(*scratch, out));
  ASSERT_EQ(runs.found().size(), 2U);
  EXPECT_EQ(runs.found()[0].value_hash.size(), 16U);
  EXPECT_EQ(runs.found()[0].value_hash, runs.found()[1].value_hash);
}

struct Form {
  const char* name;
  std::string (*encode)(std::string_view);
};

class Encodings : public ::testing::TestWithParam<Form> {};

TEST_P(Encodings, AreSeenThroughHoweverTheStreamIsCut) {
  const std::string hidden = GetParam().encode("the key is " + kKey + " keep it");
  const std::string text = "Here you are: " + hidden + " and that was all.";
  for (std::size_t step = 1; step <= text.size(); step += step < 8 ? 1 : 7) {
    const Streamed result = stream(text, step, model::Outcome::kRedact);
    ASSERT_EQ(result.text.substr(0, 14), "Here you are: ") << step;
    ASSERT_THAT(result.text, HasSubstr("[REDACTED:secret.key]")) << step;
    ASSERT_THAT(result.text, HasSubstr(" and that was all.")) << step;
    ASSERT_THAT(result.text, Not(HasSubstr(GetParam().encode(kKey)))) << step;
    ASSERT_THAT(result.text, Not(HasSubstr(hidden))) << step;
    ASSERT_EQ(result.found, 1U);
  }
}

TEST_P(Encodings, EndTheStreamWhereTheyAreDenied) {
  const std::string hidden = GetParam().encode("the key is " + kKey + " keep it");
  const Streamed result = stream("Look: " + hidden + " more", 3, model::Outcome::kDeny);
  EXPECT_TRUE(result.denied);
  EXPECT_THAT(result.text, Not(HasSubstr("more")));
}

INSTANTIATE_TEST_SUITE_P(Table, Encodings,
                         ::testing::Values(Form{"Base64", base64}, Form{"Hex", hex},
                                           Form{"Percent", percent}, Form{"Binary", binary}),
                         [](const auto& row) { return row.param.name; });

TEST(StreamRuns, PassesProseAsItComes) {
  const std::string text =
      "The quick brown fox jumps over the lazy dog, twice. It's 12:30 - time for tea...\n"
      "- one\n- two (see https://example.com/a/b?c=d)\nGr\xc3\xbc\xc3\x9f"
      "e!\n";
  for (const std::size_t step : {1U, 4U, 100U}) {
    const Streamed result = stream(text, step, model::Outcome::kRedact);
    EXPECT_EQ(result.text, text);
    EXPECT_LE(result.largest_hold, 40U);
  }
}

TEST(StreamRuns, HoldsNothingOfShortWordsInSmallLetters) {
  auto scratch = engine()->make_scratch();
  ASSERT_TRUE(scratch);
  StreamRuns runs(engine(), Surface::kReply, all_rules(*engine(), model::Outcome::kRedact));
  std::string out;
  for (const char* word : {"The", " weather", " in", " Paris", " is", " fine"}) {
    ASSERT_TRUE(runs.feed(word, *scratch, out));
    EXPECT_EQ(runs.held_bytes(), 0U) << word;
  }
  EXPECT_EQ(out, "The weather in Paris is fine");
}

TEST(StreamRuns, KeepsBoundedMemoryInEndlessRunsAndStillFindsWhatTheyHide) {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += "0123456789";
  text += base64("some words before the key, " + kKey + ", and after it");
  text += std::string(3000, 'z');
  const Streamed result = stream(text, 100, model::Outcome::kRedact);
  EXPECT_LE(result.largest_hold, StreamRuns::kMaxRunBytes);
  EXPECT_THAT(result.text,
              Not(HasSubstr(base64("some words before the key, " + kKey).substr(0, 40))));
}

TEST(StreamRuns, RecordsWithoutHoldingBackWhatPolicyAllows) {
  const std::string text = "see " + base64("the key is " + kKey + " keep it") + " there";
  const Streamed result = stream(text, 5, model::Outcome::kAllow);
  EXPECT_EQ(result.text, text);
  EXPECT_EQ(result.found, 1U);
}

}  // namespace
}  // namespace aispm::detect
