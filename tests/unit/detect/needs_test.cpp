// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/needs.hpp"

#include <gtest/gtest.h>

#include <random>

#include "sdk/core/detect/screen.hpp"
#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {
namespace {

TextNeeds needs(const std::string& pattern, bool caseless = false) {
  auto node = parse_pattern(pattern, caseless);
  EXPECT_TRUE(node) << pattern;
  return node ? needs_of(*node) : TextNeeds{};
}

TEST(TextShape, CountsDigitsAndTheLongestRun) {
  const TextShape shape = shape_of("call 12-ab_C9 now @7\xff");
  EXPECT_EQ(shape.digits, 4U);
  EXPECT_EQ(shape.run, 8U);
  EXPECT_TRUE(shape.present.test('@'));
  EXPECT_TRUE(shape.present.test(0xff));
  EXPECT_FALSE(shape.present.test('z'));
  EXPECT_EQ(shape.present.count(), 17U);
}

struct Case {
  const char* pattern;
  std::uint32_t digits;
  std::uint32_t run;
};

TEST(TextNeeds, AreReadOffThePattern) {
  const Case cases[] = {
      {"", 0, 0},
      {"[0-9]{3}", 3, 3},
      {"[0-9]{3}[ -]?[0-9]{4}", 7, 4},  // the gap may be a space
      {"[0-9]{3}-?[0-9]{4}", 7, 7},     // or always a part of the run
      {"(?:a[0-9]|bcd)", 0, 2},         // the weaker branch
      {"(?:ab ){3}", 0, 2},             // runs do not join over a space
      {"(?:b a){2}", 0, 2},             // but over where repeats meet
      {"x*[a-z]{24}", 0, 24},
      {"(?:[0-9]{2}){3,}", 6, 6},
      {"(?:[0-9]{2})*", 0, 0},
      {"[0-9a-f]{32}\\.", 0, 32},
      {".{40}", 0, 0},  // bytes of any kind
      {"(?:(?:[a-z]{900}){900}){900}", 0, 1U << 20},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(needs(one.pattern).digits, one.digits) << one.pattern;
    EXPECT_EQ(needs(one.pattern).run, one.run) << one.pattern;
  }
}

TEST(TextNeeds, NameTheRarestMark) {
  EXPECT_TRUE(needs("@[a-z]+\\.[a-z]").are_met_by({0, 1, ByteSet().set('@').set('a')}));
  EXPECT_FALSE(needs("@[a-z]+\\.[a-z]").are_met_by({0, 1, ByteSet().set('a')}));
  EXPECT_TRUE(needs("a(?:[|]|%)b").are_met_by(shape_of("a%b")));
  EXPECT_FALSE(needs("a(?:[|]|%)b").are_met_by(shape_of("a/b")));
  EXPECT_TRUE(needs("a@?b").are_met_by(shape_of("ab")));
  EXPECT_TRUE(needs("a[ @]b").are_met_by(shape_of("a b")));
}

TEST(TextNeeds, OfTwoPatternsAreTheWeaker) {
  const TextNeeds both = needs("[0-9]{9}@").or_else(needs("[a-z]{4}#"));
  EXPECT_TRUE(both.are_met_by(shape_of("abcd#")));
  EXPECT_TRUE(both.are_met_by(shape_of("123456789@")));
  EXPECT_FALSE(both.are_met_by(shape_of("abcd!")));
  EXPECT_TRUE(needs("[0-9]{9}").or_else({}).are_met_by(shape_of("")));
}

// A text of the pattern's language: one branch, a repeat or two more than must be.
void write_match(const Node& node, std::mt19937& random, std::string& out) {
  switch (node.kind) {
    case Node::Kind::kSet: {
      std::size_t left = random() % node.set.count();
      for (std::size_t byte = 0; byte < node.set.size(); ++byte)
        if (node.set.test(byte) && left-- == 0) return out.push_back(static_cast<char>(byte));
      return;
    }
    case Node::Kind::kConcat:
      for (const Node& child : node.children) write_match(child, random, out);
      return;
    case Node::Kind::kAlternate:
      return write_match(node.children[random() % node.children.size()], random, out);
    case Node::Kind::kRepeat: {
      const std::uint32_t more = std::min<std::uint32_t>(node.high - node.low, 2);
      const std::uint32_t count = node.low + static_cast<std::uint32_t>(random() % (more + 1));
      for (std::uint32_t i = 0; i < count; ++i) write_match(node.children.front(), random, out);
      return;
    }
  }
}

TEST(TextNeeds, AreMetByWhateverAShippedRuleMatches) {
  std::mt19937 random(7);
  std::size_t patterns = 0;
  for (const Rule& rule : shipped_engine()->rules())
    for (const auto* list : {&rule.patterns, &rule.triggers})
      for (const std::string& pattern : *list) {
        const auto node = parse_pattern(pattern, rule.caseless);
        ASSERT_TRUE(node) << rule.id;
        const TextNeeds asked = needs_of(*node);
        for (int i = 0; i < 20; ++i) {
          std::string text = "x ";
          write_match(*node, random, text);
          ASSERT_TRUE(asked.are_met_by(shape_of(text + " y"))) << rule.id << ": " << text;
        }
        ++patterns;
      }
  EXPECT_GT(patterns, 100U);
}

Screen::Part part_of(std::vector<Rule>& rules, std::vector<HsPattern> patterns) {
  return Screen::describe(rules, patterns, nullptr);
}

TEST(ScreenPart, AnswersOnlyWhatItsRulesAreAskedFor) {
  std::vector<Rule> rules(2);
  rules[0].category = Category::kSecret;
  rules[0].surfaces = surface_bit(Surface::kPrompt);
  rules[1].category = Category::kPii;
  rules[1].surfaces = surface_bit(Surface::kReply);
  const Screen::Part secret = part_of(rules, {{"a", false, rule_id(0), {}}});
  const Screen::Part other = part_of(rules, {{"b", false, rule_id(1), {}}});
  const Screen::Part words = part_of(rules, {{"c", true, kRot13Id, {}}});
  const SurfaceBits prompt = surface_bit(Surface::kPrompt), reply = surface_bit(Surface::kReply);
  EXPECT_TRUE(secret.answers({.surfaces = prompt, .secrets_only = true}));
  EXPECT_FALSE(secret.answers({.surfaces = reply}));
  EXPECT_TRUE(other.answers({.surfaces = reply}));
  EXPECT_FALSE(other.answers({.surfaces = reply, .secrets_only = true}));
  EXPECT_TRUE(words.answers({.surfaces = prompt}));
  EXPECT_FALSE(words.answers({.surfaces = prompt, .deeper = false}));
  EXPECT_FALSE(words.answers({.surfaces = prompt, .secrets_only = true}));
}

}  // namespace
}  // namespace aispm::detect
