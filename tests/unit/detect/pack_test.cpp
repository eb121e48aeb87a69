// SPDX-License-Identifier: Apache-2.0
// DET-003: rules as data, strict, each with hit and miss cases.
#include "sdk/core/detect/pack.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <tuple>

#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {
namespace {

using testing::HasSubstr;

const std::string kGood =
    "pack: p\n"
    "category: secret\n"
    "rules:\n"
    "  - id: secret.a\n"
    "    patterns: ['key-[0-9]+']\n"
    "    message: a key\n"
    "    hits: ['key-{+}1']\n"
    "    misses: ['key']\n";

std::string error_of(const std::string& content) {
  const auto rules = parse_rules(content, "p.yaml");
  return rules ? "" : rules.error().message;
}

std::string with(const std::string& line) { return kGood + "    " + line + "\n"; }

TEST(Pack, ReadsARuleWithDefaults) {
  const auto rules = parse_rules(kGood, "p.yaml");
  ASSERT_TRUE(rules) << rules.error().message;
  ASSERT_EQ(rules->rules.size(), 1U);
  const Rule& rule = rules->rules[0];
  EXPECT_EQ(rule.id, "secret.a");
  EXPECT_EQ(rule.category, Category::kSecret);
  EXPECT_EQ(rule.severity, model::Severity::kMedium);
  EXPECT_EQ(rule.mask, Mask::kEdges);
  EXPECT_EQ(rule.max_bytes, 512U);
  EXPECT_TRUE(rule.applies_to(Surface::kReply));
  EXPECT_EQ(rule.hits[0], "key-1");
  EXPECT_EQ(rule.where, "p.yaml:4");
  EXPECT_EQ(rules->version.size(), 64U);
}

TEST(Pack, NamesFileAndLineOfWhatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {with("colour: red"), "p.yaml:9: unknown key `colour`"},
      {with("severity: awful"), "p.yaml:9: severity: `awful`: allowed is one of info"},
      {with("confidence: 2"), "p.yaml:9: confidence"},
      {with("surfaces: [mars]"), "p.yaml:9: surfaces: `mars`"},
      {with("surfaces: []"), "p.yaml:9: surfaces: must name"},
      {with("validators: [magic]"), "p.yaml:9: validators: `magic`"},
      {with("mask: text"),
       "p.yaml:9: mask: rules of category secret and pii may not show matched text"},
      {with("not_after: 'ab'"), "p.yaml:9: not_after"},
      {with("keep: '('"), "p.yaml:9: keep"},
      {with("max_bytes: 0"), "p.yaml:9: max_bytes"},
      {"pack: p\ncategory: secret\nrules:\n  - id: a\n    patterns: ['(?=x)']\n    message: m\n    "
       "hits: [x]\n    misses: [y]\n",
       "p.yaml:5: patterns: `(?=x)`: pattern column 3"},
      {"pack: p\ncategory: secret\nrules:\n  - id: A B\n    patterns: [x]\n    message: m\n    "
       "hits: [x]\n    misses: [y]\n",
       "p.yaml:4: id"},
      {"pack: p\ncategory: secret\nrules:\n  - id: a\n    patterns: [x]\n    message: m\n    "
       "misses: [y]\n",
       "`hits` needs"},
      {"pack: p\ncategory: secret\nrules:\n  - id: a\n    patterns: [x]\n    message: m\n    hits: "
       "[x]\n    misses: []\n",
       "p.yaml:8: misses"},
      {"pack: p\ncategory: secret\nrules:\n  - id: a\n    message: m\n    hits: [x]\n    misses: "
       "[y]\n",
       "`patterns` needs"},
      {"pack: p\ncategory: spam\nrules: []\n", "p.yaml:2: category"},
      {"pack: p\nrules: []\n", "`category` is missing"},
      {kGood +
           "  - id: secret.a\n    patterns: [x]\n    message: m\n    hits: [x]\n    misses: [y]\n",
       "p.yaml:9: id: `secret.a` stands twice"},
      {"pack: [\n", "p.yaml:"},
  };
  for (const auto& [content, expected] : cases)
    EXPECT_THAT(error_of(content), HasSubstr(expected)) << content;
}

TEST(Pack, EngineNamesTheRuleThatDoesNotCompile) {
  auto rules = parse_rules(
      "pack: p\ncategory: secret\nrules:\n  - id: secret.empty\n    patterns: ['x*']\n    message: "
      "m\n    hits: [x]\n    misses: [y]\n",
      "p.yaml");
  ASSERT_TRUE(rules) << rules.error().message;
  const auto engine = Engine::compile(std::move(*rules));
  ASSERT_FALSE(engine);
  EXPECT_THAT(engine.error().message, HasSubstr("p.yaml:4: secret.empty: "));
}

TEST(Pack, VerifyNamesTheExampleThatFails) {
  for (const auto& [hit, miss, expected] :
       {std::tuple{"nothing", "none", "does not fire in its hit `nothing`"},
        std::tuple{"key-1", "key-2", "fires in its miss `key-2`"}}) {
    auto rules = parse_rules(
        "pack: p\ncategory: secret\nrules:\n  - id: secret.a\n    patterns: ['key-[0-9]']\n    "
        "message: m\n    hits: ['" +
            std::string(hit) + "']\n    misses: ['" + miss + "']\n",
        "p.yaml");
    ASSERT_TRUE(rules);
    const auto engine = Engine::compile(std::move(*rules));
    ASSERT_TRUE(engine);
    const auto verified = (*engine)->verify();
    ASSERT_FALSE(verified);
    EXPECT_THAT(verified.error().message,
                HasSubstr("p.yaml:4: secret.a: " + std::string(expected)));
  }
}

TEST(Pack, ShippedRulesDoWhatTheirExamplesSay) {
  const auto engine = shipped_engine();
  ASSERT_NE(engine, nullptr);
  const auto verified = engine->verify();
  EXPECT_TRUE(verified) << verified.error().message;
  std::set<Category> categories;
  for (const Rule& rule : engine->rules()) {
    categories.insert(rule.category);
    EXPECT_EQ(rule.id.substr(0, rule.id.find('.')),
              rule.category == Category::kPromptInjection ? "injection" : name_of(rule.category));
  }
  EXPECT_GE(categories.size(), 4U);
}

TEST(Pack, VersionChangesWithAnyByte) {
  EXPECT_EQ(parse_rules(kGood, "p.yaml")->version, parse_rules(kGood, "q.yaml")->version);
  EXPECT_NE(parse_rules(kGood, "p.yaml")->version, parse_rules(kGood + "# x\n", "p.yaml")->version);
}

class PackFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "packsXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ + "/" + name) << content;
  }
  std::string folder_;
};

TEST_F(PackFolder, IsReadInNameOrder) {
  std::string other = kGood;
  other.replace(other.find("secret.a"), 8, "secret.b");
  write("b.yaml", kGood);
  write("a.yaml", other);
  write("notes.txt", "not a pack");
  const auto rules = load_packs(folder_);
  ASSERT_TRUE(rules) << rules.error().message;
  ASSERT_EQ(rules->rules.size(), 2U);
  EXPECT_EQ(rules->rules[0].id, "secret.b");
}

TEST_F(PackFolder, WithoutRulesIsAnError) {
  EXPECT_EQ(load_packs(folder_).error().code, Errc::kNotFound);
  EXPECT_EQ(load_packs(folder_ + "/missing").error().code, Errc::kNotFound);
  write("a.yaml", "pack: p\ncategory: secret\nrules: []\n");
  EXPECT_THAT(load_packs(folder_).error().message, HasSubstr("no rule"));
}

TEST_F(PackFolder, RefusesTheSameIdInTwoPacks) {
  write("a.yaml", kGood);
  write("b.yaml", kGood);
  EXPECT_THAT(load_packs(folder_).error().message,
              HasSubstr("b.yaml:4: id: `secret.a` stands twice"));
}

}  // namespace
}  // namespace aispm::detect
