// SPDX-License-Identifier: Apache-2.0
// DET-031, DET-045, DET-059, DET-060: rules, personal data and layers of a tenant's own.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "gateway/proxy/admin_rules.hpp"
#include "sdk/core/common/crypto.hpp"
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

  std::vector<std::string> found(RuleDesk& desk, const std::string& tenant, const std::string& text,
                                 const std::string& additions = {}) {
    auto rules = desk.rules(tenant, additions);
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

// DET-031: custom classes at run time. DET-045: per tenant.
class GivenRules : public TenantTest {
 protected:
  void SetUp() override {
    TenantTest::SetUp();
    open();
  }
  // As after a restart.
  void open() {
    shelf_ = std::make_unique<RuleShelf>(folder_ / "packs", folder_ / "policy.yaml", "", tenants_,
                                         (folder_ / "given").string());
    const auto loaded = shelf_->reload();
    ASSERT_TRUE(loaded) << loaded.error().message;
    desk_ = std::make_unique<RuleDesk>(*shelf_);
  }
  AdminReply ask(const std::string& method, const std::string& tenant,
                 const std::string& body = {}) {
    return serve_admin({.method = method,
                        .target = "/aispm/v1/admin/rules" + (tenant.empty() ? "" : "/" + tenant),
                        .body = body,
                        .who = "root (uid 0)"},
                       *shelf_);
  }
  std::vector<std::string> found_in(const std::string& tenant, const std::string& text) {
    return found(*desk_, tenant, text);
  }

  std::unique_ptr<RuleShelf> shelf_;
  std::unique_ptr<RuleDesk> desk_;
};

std::string second(const std::string& word) {
  std::string pack = custom(word);
  pack.replace(pack.find("custom.project"), 14, "custom.second");
  return pack;
}

TEST_F(GivenRules, AreInForceAtOnceAndAfterARestart) {
  const AdminReply reply = ask("PUT", "other", custom("kingfisher"));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_THAT(found_in("other", "kingfisher"), UnorderedElementsAre("custom.project"));
  EXPECT_THAT(found_in("", "kingfisher"), IsEmpty());
  EXPECT_THAT(ask("GET", "").body, HasSubstr(R"("tenant":"other")"));
  EXPECT_THAT(ask("GET", "other").body, HasSubstr("kingfisher"));
  open();
  EXPECT_THAT(found_in("other", "kingfisher"), UnorderedElementsAre("custom.project"));
}

TEST_F(GivenRules, StandBesideThoseOfTheConfiguration) {
  ASSERT_EQ(ask("PUT", "acme", second("kingfisher")).status, 200);
  EXPECT_THAT(found_in("acme", "kingfisher bluebird"),
              UnorderedElementsAre("custom.project", "custom.second"));
  ASSERT_EQ(ask("DELETE", "acme").status, 200);
  EXPECT_THAT(found_in("acme", "kingfisher bluebird"), UnorderedElementsAre("custom.project"));
}

TEST_F(GivenRules, ThatAreWrongChangeNothingAndNameLineAndRule) {
  ASSERT_EQ(ask("PUT", "other", custom("kingfisher")).status, 200);
  std::string wrong = custom("heron");
  wrong.replace(wrong.find("hits: ['heron']"), 15, "hits: ['stork']");
  const AdminReply examples = ask("PUT", "other", wrong);
  EXPECT_EQ(examples.status, 400) << examples.body;
  EXPECT_THAT(examples.body, HasSubstr("custom.project"));
  EXPECT_FALSE(examples.done);
  const AdminReply unknown = ask("PUT", "other", "pack: own\ncategory: custom\nrule: []\n");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(unknown.body, HasSubstr("tenant other:3"));
  EXPECT_EQ(ask("PUT", "other", "\xff").status, 400);
  EXPECT_THAT(found_in("other", "kingfisher heron"), UnorderedElementsAre("custom.project"));
  open();
  EXPECT_THAT(found_in("other", "kingfisher"), UnorderedElementsAre("custom.project"));
}

TEST_F(GivenRules, AreRecordedAsWhatAnOperatorDid) {
  const AdminReply first = ask("PUT", "other", custom("kingfisher"));
  ASSERT_TRUE(first.done);
  EXPECT_EQ(first.done->who, "root (uid 0)");
  EXPECT_EQ(first.done->action, "rules.set");
  EXPECT_EQ(first.done->target, "tenant/other");
  EXPECT_EQ(first.done->before, "");
  EXPECT_EQ(first.done->after.size(), 64U);
  const AdminReply removed = ask("DELETE", "other");
  ASSERT_TRUE(removed.done);
  EXPECT_EQ(removed.done->action, "rules.remove");
  EXPECT_EQ(removed.done->before, first.done->after);
  EXPECT_FALSE(ask("GET", "").done);
}

TEST_F(GivenRules, AreRefusedForStrangeNamesAndMethods) {
  for (const std::string name : {"..", ".x", "a/b", "a b", "%41", std::string(65, 'a').c_str()})
    EXPECT_EQ(ask("PUT", name, custom("heron")).status, 400) << name;
  EXPECT_EQ(ask("POST", "other", custom("heron")).status, 405);
  EXPECT_EQ(ask("PUT", "", custom("heron")).status, 405);
  EXPECT_EQ(ask("GET", "other").status, 404);
  EXPECT_EQ(ask("DELETE", "other").status, 404);
  EXPECT_EQ(ask("PUT", "other", "").status, 400);
  EXPECT_EQ(ask("PUT", "other", std::string((256U << 10) + 1, '#')).status, 413);
}

TEST_F(GivenRules, AreNotReadFromAFolderThatOthersMayWrite) {
  ASSERT_EQ(ask("PUT", "other", custom("kingfisher")).status, 200);
  std::filesystem::permissions(folder_ / "given", std::filesystem::perms::all);
  const auto loaded = shelf_->reload();
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("others must not write it"));
}

// What policy bundles say about detection.
class BundleDetection : public TenantTest {
 protected:
  void SetUp() override {
    TenantTest::SetUp();
    shelf_ = std::make_unique<RuleShelf>(folder_ / "packs", folder_ / "policy.yaml", "", tenants_);
    desk_ = std::make_unique<RuleDesk>(*shelf_);
  }
  static RuleShelf::Part part(const std::string& text) {
    return std::make_shared<policy::DetectPart>(
        policy::DetectPart{"detect.yaml", text, sha256_hex(text)});
  }
  static std::string owls(const std::string& id = "custom.owl") {
    return "packs: [{pack: owls, category: custom, rules: [{id: " + id +
           ", label: owl, confidence: 0.9, patterns: [owl], message: m, hits: [owl], misses: "
           "[m]}]}]\n";
  }
  std::vector<std::string> found_with(const RuleShelf::Part& part, const std::string& tenant,
                                      const std::string& text) {
    return found(*desk_, tenant, text, part ? part->digest : "");
  }

  std::unique_ptr<RuleShelf> shelf_;
  std::unique_ptr<RuleDesk> desk_;
};

TEST_F(BundleDetection, IsForThoseWhosePolicyItIsAndBesideATenantsOwn) {
  ASSERT_TRUE(shelf_->reload());
  const auto owl = part(owls());
  const auto admitted = shelf_->admit(owl);
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_THAT(found_with(nullptr, "", "owl a@b.com"), UnorderedElementsAre("pii.email"));
  EXPECT_THAT(found_with(owl, "", "owl a@b.com"), UnorderedElementsAre("custom.owl", "pii.email"));
  EXPECT_THAT(found_with(owl, "acme", "owl bluebird a@b.com"),
              UnorderedElementsAre("custom.owl", "custom.project"));
  EXPECT_THAT(found_with(owl, "quiet", "owl"), IsEmpty());
}

TEST_F(BundleDetection, SetsThresholds) {
  ASSERT_TRUE(shelf_->reload());
  const auto strict =
      part("thresholds: [{rule: pii.email, alone: 1}, {category: pii, together: 1}]");
  const auto admitted = shelf_->admit(strict);
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_THAT(found_with(strict, "", "a@b.com, 123-45-6789"), UnorderedElementsAre("pii.us_ssn"));
  EXPECT_THAT(found_with(nullptr, "", "a@b.com"), UnorderedElementsAre("pii.email"));
}

TEST_F(BundleDetection, ThatCannotBeCompiledChangesNothingAndIsNeverThere) {
  ASSERT_TRUE(shelf_->reload());
  const auto before = shelf_->current();
  for (const std::string& text : {owls("pii.email"), owls("custom.project"),
                                  std::string("thresholds: [{rule: pii.mail, alone: 1}]"),
                                  std::string("packs: [{pack: a}]")}) {
    const auto wrong = part(text);
    const auto admitted = shelf_->admit(wrong);
    ASSERT_FALSE(admitted) << text;
    EXPECT_THAT(admitted.error().message, HasSubstr("detect.yaml:1")) << text;
    EXPECT_FALSE(desk_->rules("", wrong->digest)) << text;
  }
  EXPECT_EQ(shelf_->current(), before);
}

TEST_F(BundleDetection, OutlivesReloadsAndIsWhatTheyFind) {
  const auto owl = part(owls());
  ASSERT_TRUE(shelf_->admit(owl));  // before the first loading
  ASSERT_TRUE(shelf_->reload());
  EXPECT_THAT(found_with(owl, "", "owl"), UnorderedElementsAre("custom.owl"));
  std::ofstream(folder_ / "packs" / "more.yaml")
      << "pack: more\ncategory: custom\nrules:\n  - {id: custom.emu, label: emu, confidence: 0.9, "
         "patterns: [emu], message: m, hits: [emu], misses: [m]}\n";
  ASSERT_TRUE(shelf_->reload());
  EXPECT_THAT(found_with(owl, "", "owl emu"), UnorderedElementsAre("custom.owl", "custom.emu"));
  // Shipped rules that no longer go with it: none of both changes.
  std::ofstream(folder_ / "packs" / "more.yaml")
      << "pack: more\ncategory: custom\nrules:\n  - {id: custom.owl, label: owl, confidence: 0.9, "
         "patterns: [emu], message: m, hits: [emu], misses: [m]}\n";
  EXPECT_FALSE(shelf_->reload());
  EXPECT_THAT(found_with(owl, "", "owl emu"), UnorderedElementsAre("custom.owl", "custom.emu"));
}

TEST_F(BundleDetection, IsDroppedWhenNobodyHoldsIt) {
  ASSERT_TRUE(shelf_->reload());
  auto owl = part(owls());
  const auto twin = part(owls());
  ASSERT_TRUE(shelf_->admit(owl));
  ASSERT_TRUE(shelf_->admit(twin));
  const std::string digest = owl->digest;
  owl.reset();
  const auto other = part(owls("custom.other"));
  ASSERT_TRUE(shelf_->admit(other));
  EXPECT_TRUE(desk_->rules("", digest)) << "its twin still needs it";
  EXPECT_EQ(shelf_->current()->count_engines(), 6U);  // three books, each with that of acme
}

TEST_F(BundleDetection, HasALimitOfEngines) {
  ASSERT_TRUE(shelf_->reload());
  std::vector<RuleShelf::Part> held;
  Result<> admitted;
  for (int i = 0; i < 40 && admitted; ++i) {
    held.push_back(part("thresholds: [{category: pii, alone: 0." + std::to_string(100 + i) + "}]"));
    admitted = shelf_->admit(held.back());
  }
  ASSERT_FALSE(admitted);
  EXPECT_EQ(held.size(), 32U);  // 2 engines each, 2 of everybody's
  EXPECT_THAT(admitted.error().message, HasSubstr("64 detection engines"));
  held.clear();
  const auto owl = part(owls());
  EXPECT_TRUE(shelf_->admit(owl));
}

}  // namespace
}  // namespace aispm::gateway
