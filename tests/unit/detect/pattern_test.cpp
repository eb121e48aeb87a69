// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/pattern.hpp"

#include <gtest/gtest.h>
#include <hs.h>

#include <random>
#include <set>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/detect/dfa.hpp"

namespace aispm::detect {
namespace {

Result<Dfa> compile(const std::string& pattern, bool caseless = false) {
  AISPM_TRY(Node node, parse_pattern(pattern, caseless));
  return Dfa::compile({std::move(node)});
}

// Length of the longest match at the start of `text`; -1 = none.
int longest(const Dfa& dfa, std::string_view text) {
  int end = -1;
  Dfa::State state = Dfa::kStart;
  for (std::size_t i = 0; i < text.size() && state != Dfa::kDead; ++i) {
    state = dfa.next(state, static_cast<std::uint8_t>(text[i]));
    if (dfa.accepts(state)) end = static_cast<int>(i + 1);
  }
  return end;
}

struct Case {
  const char* pattern;
  const char* text;
  int length;
};

TEST(Pattern, FindsTheLongestMatchAtTheStart) {
  const Case cases[] = {
      {"abc", "abcd", 3},        {"abc", "xabc", -1},
      {"a|ab|abc", "abcd", 3},   {"a*b", "aaab", 4},
      {"a+", "aaa", 3},          {"a?b", "b", 1},
      {"a{2,3}", "aaaa", 3},     {"a{2}", "a", -1},
      {"a{2,}", "aaaaa", 5},     {"(?:ab)+", "ababa", 4},
      {"(ab|cd){2}", "abcd", 4}, {"[a-c]+", "abcd", 3},
      {"[^a-c]+", "xyzc", 3},    {"\\d{3}", "123", 3},
      {"\\w+", "a_9-", 3},       {"\\s", "\t", 1},
      {"\\S+", "ab c", 2},       {".", "\n", -1},
      {"\\.", ".", 1},           {"\\x41", "A", 1},
      {"(?i)ab", "Ab", 2},       {"[\\w-]+", "a-b c", 3},
      {"[]a]+", "]a", 2},        {"a\\|b", "a|b", 3},
      {"[\\d.]+", "1.2x", 3},    {"(?i)[a-c]+", "aBc", 3},
      {"(?i)[^a]", "A", -1},     {"\\xf3\\xa0", "\xf3\xa0", 2},
      {"[^x]", "\xc3", -1},      {".", "\xc3", -1},
  };
  for (const Case& test : cases) {
    const auto dfa = compile(test.pattern);
    ASSERT_TRUE(dfa) << test.pattern << ": " << dfa.error().message;
    EXPECT_EQ(longest(*dfa, test.text), test.length) << test.pattern << " on " << test.text;
  }
}

TEST(Pattern, RefusesWhatIsNotInTheCommonSubset) {
  for (const char* pattern :
       {"a(",  "a)",  "[a",    "a{2",   "a{3,2}",      "a{0}",    "*a",  "a**?",
        "a+?", "a++", "(?=a)", "(?!a)", "(?<x>a)",     "\\b",     "\\1", "^a",
        "a$",  "\\",  "\\xg0", "[z-a]", "[[:alpha:]]", "a{1025}", "{2}", "[^\\x00-\\x7f]"}) {
    EXPECT_FALSE(compile(pattern)) << pattern;
  }
}

TEST(Pattern, SaysWhereItIsWrong) {
  const auto parsed = parse_pattern("abc(?=d)", false);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Errc::kUnsupported);
  EXPECT_NE(parsed.error().message.find("column 6"), std::string::npos) << parsed.error().message;
}

TEST(Pattern, RefusesPatternsThatMatchNothingAtAll) {
  for (const char* pattern : {"a*", "", "a|", "(?:a?b?)"}) {
    const auto dfa = compile(pattern);
    ASSERT_FALSE(dfa) << pattern;
    EXPECT_EQ(dfa.error().code, Errc::kInvalid);
  }
}

TEST(Pattern, RefusesPatternsThatGrowTooLarge) {
  for (const char* pattern : {"(?:a{1000}){1000}", "(?:[ab]{1,500}[bc]{1,500}){1,20}d",
                              "(?:(?:(?:a{99}){99}){99}){99}"}) {
    const auto dfa = compile(pattern);
    ASSERT_FALSE(dfa) << pattern;
    EXPECT_EQ(dfa.error().code, Errc::kTooLarge);
  }
}

TEST(Pattern, RefusesDeepNesting) {
  EXPECT_FALSE(compile(std::string(100, '(') + "a" + std::string(100, ')')));
}

TEST(Dfa, KnowsWhenAMatchCannotGrow) {
  const auto dfa = compile("ab");
  ASSERT_TRUE(dfa);
  const auto state = dfa->next(dfa->next(Dfa::kStart, 'a'), 'b');
  EXPECT_TRUE(dfa->is_final(state));
  const auto open = compile("ab+");
  ASSERT_TRUE(open);
  EXPECT_FALSE(open->is_final(open->next(open->next(Dfa::kStart, 'a'), 'b')));
}

TEST(Dfa, HasOneStateForWhatMeansTheSame) {
  struct Merged {
    const char* pattern;
    std::size_t states;  // with the dead one
  };
  for (const Merged& one :
       {Merged{"abc|xbc", 5}, Merged{"(?:cat|dog|bird)s", 11}, Merged{"a[bc]d|ab?d", 5},
        Merged{"(?:ab)+|(?:ab)+ab", 4}, Merged{"ax|by", 5}, Merged{"ab|abc", 5}}) {
    const auto dfa = compile(one.pattern);
    ASSERT_TRUE(dfa) << one.pattern;
    EXPECT_EQ(dfa->state_count(), one.states) << one.pattern;
  }
}

TEST(Pattern, WritesAClassForHyperscan) {
  EXPECT_EQ(to_class(*parse_class("[a-c_]")), "[\\x5f\\x61-\\x63]");
  EXPECT_FALSE(parse_class("ab"));
  EXPECT_FALSE(parse_class(""));
}

// The prefilter must never miss what the automaton matches: random patterns on random ASCII texts,
// all ends compared.
class AgainstHyperscan : public testing::TestWithParam<unsigned> {
 protected:
  std::string make_pattern(int depth) {
    static const char* const kAtoms[] = {"a",   "b",   "c",   "[ab]",   "[^a]",  ".",
                                         "\\d", "\\w", "\\s", "[b-d_]", "\\x61", "-"};
    std::string pattern;
    for (unsigned parts = 1 + random_() % 3; parts > 0; --parts) {
      std::string atom = kAtoms[random_() % std::size(kAtoms)];
      if (depth > 0 && random_() % 3 == 0)
        atom = "(?:" + make_pattern(depth - 1) + "|" + make_pattern(depth - 1) + ")";
      static const char* const kRepeats[] = {"", "", "", "?", "*", "+", "{2}", "{1,3}", "{2,}"};
      pattern += atom + kRepeats[random_() % std::size(kRepeats)];
    }
    return pattern;
  }
  std::mt19937 random_{GetParam()};
};

TEST_P(AgainstHyperscan, FindsTheSameEnds) {
  using Database = CPtr<hs_database_t, hs_free_database>;
  using HsScratch = CPtr<hs_scratch_t, hs_free_scratch>;
  int compared = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string pattern = make_pattern(2);
    const bool caseless = random_() % 4 == 0;
    const auto dfa = compile(pattern, caseless);
    if (!dfa) continue;  // it may match the empty text
    hs_database_t* raw = nullptr;
    hs_compile_error_t* error = nullptr;
    const int status = hs_compile(pattern.c_str(), caseless ? HS_FLAG_CASELESS : 0, HS_MODE_BLOCK,
                                  nullptr, &raw, &error);
    const Database database(raw);
    ASSERT_EQ(status, HS_SUCCESS) << pattern << ": " << (error != nullptr ? error->message : "");
    hs_scratch_t* raw_scratch = nullptr;
    ASSERT_EQ(hs_alloc_scratch(raw, &raw_scratch), HS_SUCCESS);
    const HsScratch scratch(raw_scratch);
    for (int texts = 0; texts < 10; ++texts) {
      std::string text;
      for (unsigned size = random_() % 24; size > 0; --size)
        text += "abcdAB12_- \n\v"[random_() % 13];
      std::set<std::size_t> expected;
      hs_scan(
          raw, text.data(), static_cast<unsigned>(text.size()), 0, raw_scratch,
          [](unsigned, unsigned long long, unsigned long long to, unsigned, void* ends) {
            static_cast<std::set<std::size_t>*>(ends)->insert(to);
            return 0;
          },
          &expected);
      std::set<std::size_t> ends;
      for (std::size_t start = 0; start < text.size(); ++start) {
        Dfa::State state = Dfa::kStart;
        for (std::size_t i = start; i < text.size() && state != Dfa::kDead; ++i) {
          state = dfa->next(state, static_cast<std::uint8_t>(text[i]));
          if (dfa->accepts(state)) ends.insert(i + 1);
        }
      }
      ASSERT_EQ(ends, expected) << pattern << " on " << testing::PrintToString(text);
      ++compared;
    }
  }
  EXPECT_GT(compared, 100);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AgainstHyperscan, testing::Range(1U, 9U));

}  // namespace
}  // namespace aispm::detect
