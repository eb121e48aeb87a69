// SPDX-License-Identifier: Apache-2.0
// DET-031, DET-045, DET-059, DET-060: rules, personal data and layers of a tenant's own.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr char kPii[] = R"(
pack: people
category: pii
rules:
  - {id: pii.us_ssn, severity: high, confidence: 0.9, patterns: ['[0-9]{3}-[0-9]{2}-[0-9]{4}'], mask: last, message: m, hits: ['123-45-6789'], misses: [m]}
  - {id: pii.email, severity: low, confidence: 0.9, patterns: ['[a-z]{1,20}@[a-z]{1,20}\.com'], mask: last, message: m, hits: ['a@b.com'], misses: [m]}
)";

std::string custom(const std::string& word) {
  return "pack: own\ncategory: custom\nrules:\n  - {id: custom.project, label: project, severity: "
         "high, "
         "confidence: 0.9, patterns: ['" +
         word + "'], message: m, hits: ['" + word + "'], misses: [m]}\n";
}

class TenantTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("aispm-tenants-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "packs");
    std::ofstream(folder_ / "packs" / "people.yaml") << kPii;
    std::ofstream(folder_ / "policy.yaml") << "rules:\n  - {id: all, match: {}, outcome: redact}\n";
    write_rules("bluebird");
    tenants_["acme"].rules_file = folder_ / "acme.yaml";
    tenants_["acme"].pii_entities = {"US_SSN"};
    tenants_["quiet"].layers = {false, false, false};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write_rules(const std::string& word) {
    std::ofstream(folder_ / "acme.yaml") << custom(word);
  }

  std::vector<std::string> found(RuleDesk& desk, const std::string& tenant,
                                 const std::string& text) {
    auto rules = desk.rules(tenant);
    EXPECT_TRUE(rules) << rules.error().message;
    ScanContext context;
    context.book = rules->book;
    context.bench = rules->bench;
    context.caller = {.agent = "a", .provider = "p", .model = "m"};
    context.tables = desk.tables(*context.book, context.caller);
    context.take_layers(context.book->own);
    const auto request = codec::parse_request(
        codec::Api::kOpenAiChat,
        R"({"model":"m","messages":[{"role":"user","content":)" + codec::json_string(text) + "}]}");
    EXPECT_TRUE(request);
    const auto scanned = scan_request(context, *request);
    EXPECT_TRUE(scanned);
    std::vector<std::string> ids;
    for (const auto& detection : scanned->findings.detections) ids.push_back(detection.rule_id);
    return ids;
  }

  std::filesystem::path folder_;
  Tenants tenants_;
};

TEST_F(TenantTest, HasItsOwnRulesAndEntitiesAndLayers) {
  RuleShelf shelf(folder_ / "packs", folder_ / "policy.yaml", "", tenants_);
  ASSERT_TRUE(shelf.reload());
  RuleDesk desk(shelf);
  const std::string text = "bluebird, a@b.com, 123-45-6789";
  EXPECT_THAT(found(desk, "", text), UnorderedElementsAre("pii.email", "pii.us_ssn"));
  EXPECT_THAT(found(desk, "acme", text), UnorderedElementsAre("custom.project", "pii.us_ssn"));
  EXPECT_THAT(found(desk, "quiet", text), IsEmpty());
  EXPECT_THAT(found(desk, "unknown", text), UnorderedElementsAre("pii.email", "pii.us_ssn"));
}

TEST_F(TenantTest, TakesNewRulesWithAReloadAndKeepsTheOldOnesWhenTheyAreWrong) {
  RuleShelf shelf(folder_ / "packs", folder_ / "policy.yaml", "", tenants_);
  ASSERT_TRUE(shelf.reload());
  RuleDesk desk(shelf);
  write_rules("kingfisher");
  ASSERT_TRUE(shelf.reload());
  EXPECT_THAT(found(desk, "acme", "kingfisher"), UnorderedElementsAre("custom.project"));
  EXPECT_THAT(found(desk, "acme", "bluebird"), IsEmpty());
  std::ofstream(folder_ / "acme.yaml") << "pack: own\ncategory: custom\nrules: [{id: custom.x}]\n";
  const auto wrong = shelf.reload();
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("acme.yaml:3"));
  EXPECT_THAT(found(desk, "acme", "kingfisher"), UnorderedElementsAre("custom.project"));
}

TEST_F(TenantTest, SaysWhichEntityNoRuleFinds) {
  tenants_["acme"].pii_entities = {"SHOE_SIZE"};
  RuleShelf shelf(folder_ / "packs", folder_ / "policy.yaml", "", tenants_);
  const auto wrong = shelf.reload();
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("SHOE_SIZE"));
}

}  // namespace
}  // namespace aispm::gateway
