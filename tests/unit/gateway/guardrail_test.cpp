// SPDX-License-Identifier: Apache-2.0
// GW-038, GW-039, GW-042: guardrails given to the running gateway, and policies that scans name.
#include <gmock/gmock.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>

#include "gateway/proxy/observe/guardrail_admin.hpp"
#include "gateway/proxy/observe/scan_api.hpp"
#include "gateway/proxy/observe/scan_policies.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kPack[] = R"(
pack: people
category: pii
rules:
  - {id: pii.email, severity: low, confidence: 0.7, patterns: ['[a-z]{1,20}@[a-z]{1,20}\.com'], mask: last, message: m, hits: ['a@b.com'], misses: [m]}
)";

class GuardrailTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("aispm-guardrails-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "packs");
    std::ofstream(folder_ / "packs" / "people.yaml") << kPack;
    std::ofstream(folder_ / "policy.yaml")
        << "defaults: {mode: enforce, fail: closed}\nrules: []\n";
    open();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // As after a restart.
  void open() {
    shelf_ = std::make_unique<RuleShelf>(folder_ / "packs", folder_ / "policy.yaml", "", tenants_,
                                         (folder_ / "given").string());
    const auto loaded = shelf_->reload();
    ASSERT_TRUE(loaded) << loaded.error().message;
    desk_ = std::make_unique<RuleDesk>(*shelf_);
  }

  AdminReply ask(const std::string& method, const std::string& target,
                 const std::string& body = {}) {
    return serve_guardrails({.method = method,
                             .target = std::string(kGuardrailPath) + target,
                             .body = body,
                             .who = "root (uid 0)"},
                            *shelf_);
  }

  json::value scan(const std::string& tenant, const std::string& text, bool is_output = false,
                   ScanPolicies* policies = nullptr, const std::string& policy = {}) {
    auto rules = desk_->rules(tenant);
    EXPECT_TRUE(rules);
    ScanContext context;
    context.book = rules->book;
    context.bench = rules->bench;
    context.caller = {.agent = "a", .provider = "", .model = ""};
    if (policies != nullptr) {
      auto applied = policies->apply(policy, tenant, context.book);
      EXPECT_TRUE(applied) << applied.error().message;
      context.book = *applied;
    }
    context.tables = policies != nullptr ? context.book->make_tables(context.caller)
                                         : desk_->tables(*context.book, context.caller);
    ScanQuestion question;
    question.item.text = text;
    question.item.surface = is_output ? detect::Surface::kReply : detect::Surface::kPrompt;
    ScanRecord record;
    record.is_output = is_output;
    const auto started = std::chrono::steady_clock::now();
    return json::parse(describe_scan(context, question, screen_text(context, question.item), {},
                                     std::move(record), started)
                           .body);
  }
  std::string action(const std::string& tenant, const std::string& text, bool is_output = false) {
    return std::string(std::string_view(scan(tenant, text, is_output).at("action").as_string()));
  }

  std::filesystem::path folder_;
  Tenants tenants_;
  std::unique_ptr<RuleShelf> shelf_;
  std::unique_ptr<RuleDesk> desk_;
};

std::string keyword(const std::string& word, const std::string& more = {}) {
  return R"({"name":"no )" + word + R"(","type":"keyword","keywords":[")" + word + R"("])" + more +
         "}";
}

TEST_F(GuardrailTest, BlockTheNextTextOfTheirTenantAndOutliveARestart) {
  EXPECT_EQ(action("acme", "about Project Bluebird"), "allow");
  const AdminReply made = ask("POST", "?tenant=acme", keyword("project bluebird"));
  ASSERT_EQ(made.status, 201) << made.body;
  ASSERT_TRUE(made.done);
  EXPECT_THAT(made.done->target, HasSubstr("acme/"));
  EXPECT_EQ(action("acme", "about Project Bluebird"), "block");
  EXPECT_EQ(action("acme", "about Project Bluebirds"), "allow");  // whole words
  EXPECT_EQ(action("other", "about Project Bluebird"), "allow");
  open();
  EXPECT_EQ(action("acme", "about Project Bluebird"), "block");
  const std::string id(std::string_view(json::parse(made.body).at("id").as_string()));
  EXPECT_EQ(ask("DELETE", "/" + id + "?tenant=other").status, 404);
  ASSERT_EQ(ask("DELETE", "/" + id + "?tenant=acme").status, 200);
  EXPECT_EQ(action("acme", "about Project Bluebird"), "allow");
  open();
  EXPECT_EQ(action("acme", "about Project Bluebird"), "allow");
}

TEST_F(GuardrailTest, AreForAgentsWithoutATenantWhereNoneIsNamed) {
  ASSERT_EQ(ask("POST", "", keyword("bluebird")).status, 201);
  EXPECT_EQ(action("", "bluebird"), "block");
  EXPECT_EQ(action("acme", "bluebird"), "allow");
  open();
  EXPECT_EQ(action("", "bluebird"), "block");
}

// One desk serves both, and policy that looks at agents makes it keep tables for each of them.
TEST_F(GuardrailTest, OfAgentsWithoutATenantAreNotThoseOfUnknownTenants) {
  std::ofstream(folder_ / "policy.yaml")
      << "defaults: {mode: enforce, fail: closed}\nrules:\n"
         "  - {id: some, match: {category: pii, agent: 'x*'}, outcome: deny, reason: r}\n";
  open();
  const AdminReply made = ask("POST", "", R"({"name":"people","type":"threshold",
      "category":"pii","threshold":0.6,"action":"redact"})");
  ASSERT_EQ(made.status, 201) << made.body;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(action("unknown", "write to a@b.com"), "warn");
    EXPECT_EQ(action("", "write to a@b.com"), "redact");
  }
}

TEST_F(GuardrailTest, RedactWarnAndLookInOneDirectionOnly) {
  ASSERT_EQ(ask("POST", "?tenant=acme",
                R"({"name":"order numbers","type":"regex","pattern":"ORD-[0-9]{4,8}",
      "example":"ORD-1234","action":"redact","applies_to":"output"})")
                .status,
            201);
  ASSERT_EQ(ask("POST", "?tenant=acme", keyword("kingfisher", R"(,"action":"warn")")).status, 201);
  const json::value cut = scan("acme", "it is ORD-4711, yes", true);
  EXPECT_EQ(cut.at("action").as_string(), "redact");
  EXPECT_THAT(std::string(std::string_view(cut.at("content").as_string())),
              ::testing::AllOf(Not(HasSubstr("4711")), HasSubstr(", yes")));
  EXPECT_EQ(action("acme", "it is ORD-4711, yes"), "allow");
  EXPECT_EQ(action("acme", "a kingfisher"), "warn");
}

TEST_F(GuardrailTest, RaiseWhatIsDoneAboutDetectionsAboveAThreshold) {
  EXPECT_EQ(action("acme", "write to a@b.com"), "warn");
  const AdminReply made = ask(
      "POST", "?tenant=acme",
      R"({"name":"sure about people","type":"threshold","category":"pii","threshold":0.8,"action":"redact"})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(action("acme", "write to a@b.com"), "warn");  // 0.7
  const std::string id(std::string_view(json::parse(made.body).at("id").as_string()));
  ASSERT_EQ(
      ask("PUT", "/" + id + "?tenant=acme",
          R"({"name":"people","type":"threshold","category":"pii","threshold":0.6,"action":"block"})")
          .status,
      200);
  EXPECT_EQ(action("acme", "write to a@b.com"), "block");
  EXPECT_EQ(action("other", "write to a@b.com"), "warn");
}

TEST_F(GuardrailTest, AreOnlyRecordedWherePolicyMonitors) {
  std::ofstream(folder_ / "policy.yaml") << "defaults: {mode: monitor, fail: closed}\nrules: []\n";
  open();
  ASSERT_EQ(ask("POST", "?tenant=acme", keyword("bluebird")).status, 201);
  const json::value said = scan("acme", "bluebird");
  EXPECT_EQ(said.at("action").as_string(), "warn");
  EXPECT_EQ(said.at("decided").as_string(), "deny");
}

TEST_F(GuardrailTest, RefuseWhatIsWrongAndChangeNothing) {
  for (const std::string& wrong : std::vector<std::string>{
           "", "[]", R"({"type":"keyword","keywords":["a"]})", R"({"name":"a","type":"what"})",
           R"({"name":"a","type":"keyword","keywords":[]})", keyword("a", R"(,"action":"kill")"),
           keyword("a", R"(,"id":"000000000000")"),
           R"({"name":"a","type":"regex","pattern":"(a","example":"a"})",
           R"({"name":"a","type":"regex","pattern":"ab","example":"xy"})",
           R"({"name":"a","type":"regex","pattern":"ab"})",
           R"({"name":"a","type":"threshold","category":"pii","threshold":2})",
           R"({"name":"a","type":"threshold","category":"zebra","threshold":0.5})"}) {
    const AdminReply reply = ask("POST", "?tenant=acme", wrong);
    EXPECT_EQ(reply.status, 400) << wrong << " " << reply.body;
  }
  EXPECT_EQ(ask("POST", "?tenant=../x", keyword("a")).status, 400);
  EXPECT_EQ(ask("PATCH", "?tenant=acme").status, 405);
  EXPECT_EQ(json::parse(ask("GET", "?tenant=acme").body).at("total").to_number<int>(), 0);
  EXPECT_THAT(shelf_->guardrails(), IsEmpty());
}

TEST_F(GuardrailTest, AreNotBlamedForAPolicyThatIsBroken) {
  std::ofstream(folder_ / "policy.yaml") << "rules: nonsense\n";
  const AdminReply reply = ask("POST", "?tenant=acme", keyword("a"));
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr("policy.yaml:1"));
  EXPECT_THAT(shelf_->guardrails(), IsEmpty());
}

TEST_F(GuardrailTest, ADamagedFileStopsAReloadAndChangesNothing) {
  ASSERT_EQ(ask("POST", "?tenant=acme", keyword("bluebird")).status, 201);
  std::ofstream(folder_ / "given" / "guardrails" / "tenant.acme.json") << "{";
  const auto wrong = shelf_->reload();
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("tenant.acme.json"));
  EXPECT_EQ(action("acme", "bluebird"), "block");
}

TEST_F(GuardrailTest, TwoPoliciesGiveTwoResultsForOneText) {
  std::ofstream(folder_ / "strict.yaml")
      << "defaults: {mode: enforce, fail: closed}\nrules:\n"
         "  - {id: people, match: {category: pii}, outcome: deny, reason: r}\n";
  std::ofstream(folder_ / "lax.yaml")
      << "defaults: {mode: enforce, fail: closed}\nrules:\n"
         "  - {id: people, match: {category: pii, confidence: 0.9}, outcome: deny, reason: r}\n";
  ScanPolicies::Configs configs;
  configs["strict"].file = folder_ / "strict.yaml";
  configs["lax"].file = folder_ / "lax.yaml";
  configs["theirs"] = {.file = folder_ / "lax.yaml", .tenants = {"other*"}};
  ScanPolicies policies(configs);
  auto loaded = policies.load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  policies.take(std::move(*loaded));
  const std::string text = "write to a@b.com";
  EXPECT_EQ(scan("acme", text, false, &policies, "strict").at("action").as_string(), "block");
  EXPECT_EQ(scan("acme", text, false, &policies, "lax").at("action").as_string(), "warn");
  const auto book = desk_->rules("acme")->book;
  EXPECT_FALSE(policies.apply("theirs", "acme", book));
  EXPECT_TRUE(policies.apply("theirs", "others", book));
  EXPECT_FALSE(policies.apply("nothing", "acme", book));
}

TEST(ScanPolicies, NameTheLineOfAFileThatIsNotThere) {
  ScanPolicies::Configs configs;
  configs["strict"].file = "/nowhere/strict.yaml";
  configs["strict"].where = "gateway.yaml:7";
  const auto loaded = ScanPolicies(configs).load();
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("gateway.yaml:7: "));
  EXPECT_THAT(loaded.error().message, HasSubstr("/nowhere/strict.yaml"));
}

}  // namespace
}  // namespace aispm::gateway
