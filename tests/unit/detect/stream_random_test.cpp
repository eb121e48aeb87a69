// SPDX-License-Identifier: Apache-2.0
// A stream in random pieces gives what the whole text gives.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "tests/unit/detect/fed.hpp"
#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {
namespace {

using model::Outcome;

// Texts made of pieces of secrets, words and other scripts, cut anywhere; fixed seed.
class RandomTexts : public testing::TestWithParam<unsigned> {
 protected:
  std::string make_text(const Engine& engine) {
    std::string text;
    const auto pick = [&](std::size_t count) { return random_() % count; };
    for (std::size_t parts = 1 + pick(12); parts > 0; --parts) {
      const Rule& rule = engine.rules()[pick(engine.rules().size())];
      const std::string& hit = rule.hits[pick(rule.hits.size())];
      const std::size_t from = pick(3) == 0 ? pick(hit.size()) : 0;
      static const std::vector<std::string> kOther = {" ",
                                                      "\n",
                                                      " and ",
                                                      "=",
                                                      ":",
                                                      "-",
                                                      "\"",
                                                      "the password ",
                                                      "sk-",
                                                      "AKIA",
                                                      "ey",
                                                      "4111 ",
                                                      "\xc3\xa9",
                                                      "\xf0\x9f\x91\xa9\xe2\x80\x8d",
                                                      "\xe2\x80\x8b",
                                                      "\xd0\x90KIA",
                                                      "\xef\xbc\xa1",
                                                      "\xff",
                                                      "\xe2\x80",
                                                      "\xf0\x9f",
                                                      "\xe5\xaf\x86\xe7\xa0\x81"};
      switch (pick(4)) {
        case 0:
          text += hit.substr(from);
          break;
        case 1:
          text += hit.substr(0, pick(hit.size()) + 1);
          break;
        default:
          text += kOther[pick(kOther.size())];
      }
      if (text.size() > 3000) break;
    }
    // Some bytes replaced by look-alikes or followed by invisible characters.
    for (std::size_t changes = pick(4); changes > 0 && !text.empty(); --changes)
      text.insert(pick(text.size()), pick(2) == 0 ? "\xe2\x80\x8b" : "\xcc\x81");
    return text;
  }

  std::vector<std::string_view> cut(std::string_view text) {
    std::vector<std::string_view> pieces;
    while (!text.empty()) {
      const std::size_t size = std::min<std::size_t>(text.size(), 1 + random_() % 9);
      pieces.push_back(text.substr(0, size));
      text.remove_prefix(size);
    }
    return pieces;
  }

  std::mt19937 random_{GetParam()};
};

TEST_P(RandomTexts, AreRedactedAsTheWholeTextWouldBe) {
  const auto engine = shipped_engine();
  const auto outcomes = all_rules(*engine, Outcome::kRedact);
  for (int round = 0; round < 150; ++round) {
    const std::string text = make_text(*engine);
    const std::string expected = redacted(*engine, text, *outcomes);
    expect_stream(engine, outcomes, cut(text), expected);
    ASSERT_FALSE(HasFatalFailure()) << testing::PrintToString(text);
  }
}

TEST_P(RandomTexts, GiveTheSameMatchesAsTheWholeText) {
  const auto engine = shipped_engine();
  const auto outcomes =
      all_rules(*engine, GetParam() % 2 == 0 ? Outcome::kAllow : Outcome::kRedact);
  for (int round = 0; round < 150; ++round) {
    const std::string text = make_text(*engine);
    StreamScanner scanner(engine, Surface::kReply, outcomes);
    std::string released;
    for (const std::string_view piece : cut(text)) ASSERT_TRUE(scanner.feed(piece, released));
    ASSERT_TRUE(scanner.finish(released));
    std::vector<Match> found;
    for (const auto& entry : scanner.found()) found.push_back(entry.match);
    std::sort(found.begin(), found.end(), [](const Match& a, const Match& b) {
      return std::tie(a.offset, a.rule) < std::tie(b.offset, b.rule);
    });
    ASSERT_EQ(found, scan(*engine, text)) << testing::PrintToString(text);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomTexts, testing::Range(1U, 9U));

}  // namespace
}  // namespace aispm::detect
