// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <chrono>
#include <random>

#include "sdk/core/common/file.hpp"
#include "sdk/core/policy/action_policy.hpp"

namespace aispm::policy {
namespace {

using model::Outcome;
using testing::HasSubstr;

constexpr WallTime kNow{1'780'000'000'000'000'000};  // 2026-05-28

std::shared_ptr<const ActionPolicy> policy_of(const std::string& content) {
  auto policy = ActionPolicy::parse(content, "p.yaml");
  if (!policy) ADD_FAILURE() << policy.error().message;
  return policy ? *policy : nullptr;
}

std::string error_of(const std::string& content) {
  const auto policy = ActionPolicy::parse(content, "p.yaml");
  return policy ? "" : policy.error().message;
}

// One rule that allows, with this match and these conditions; everything else is denied.
Outcome with(const std::string& match, const std::string& when, const Action& action) {
  const auto policy =
      policy_of("rules: [{id: r, outcome: allow, match: {" + match + "}, when: {" + when + "}}]");
  return policy ? policy->decide(action, kNow).outcome : Outcome::kUnspecified;
}

Outcome on_arguments(const std::string& tests, const std::string& arguments) {
  const auto parsed = Arguments::parse(arguments);
  if (!parsed) return Outcome::kUnspecified;
  return with("tool: t", "tool_args_match: {" + tests + "}", {.tool = "t", .arguments = &*parsed});
}

TEST(ActionPolicy, FirstMatchDecides) {  // POL-001, POL-034
  const auto policy = policy_of(R"(
defaults: {outcome: step_up}
rules:
  - {id: a, match: {tool: pay}, outcome: require_approval, approver_role: finance, reason: money}
  - {id: b, match: {tool: 'p*'}, outcome: allow}
  - {id: c, match: {tool: pay}, outcome: deny}
  - {id: d, match: {tool: ticket}, outcome: REQUIRE_TICKET}
  - {id: e, match: {tool: hand}, outcome: require_human}
  - {id: f, match: {tool: cut}, outcome: redact}
)");
  ASSERT_NE(policy, nullptr);
  const ActionDecision pay = policy->decide({.tool = "pay"}, kNow);
  EXPECT_EQ(pay.outcome, Outcome::kRequireApproval);
  EXPECT_EQ(pay.rule_id, "a");
  EXPECT_EQ(pay.approver_role, "finance");
  EXPECT_EQ(pay.reason, "money");
  EXPECT_EQ(pay.policy_version.size(), 64U);
  EXPECT_EQ(policy->decide({.tool = "print"}, kNow).rule_id, "b");
  EXPECT_EQ(policy->decide({.tool = "ticket"}, kNow).outcome, Outcome::kRequireTicket);
  EXPECT_EQ(policy->decide({.tool = "hand"}, kNow).outcome, Outcome::kRequireHuman);
  EXPECT_EQ(policy->decide({.tool = "cut"}, kNow).outcome, Outcome::kRedact);
  EXPECT_EQ(policy->decide({.tool = "x"}, kNow).outcome, Outcome::kStepUp);
  EXPECT_EQ(policy->decide({.tool = "x"}, kNow).rule_id, "defaults");
  EXPECT_EQ(policy_of("rules: []")->decide({.tool = "x"}, kNow).outcome, Outcome::kDeny)
      << "without defaults";
}

TEST(ActionPolicy, ARuleCannotAskForWhatOnlyBecomesOfAnAction) {
  for (const char* outcome : {"approved", "rejected", "timeout", "kill_switch", "rate_limited"}) {
    const auto policy =
        ActionPolicy::parse("rules: [{id: r, outcome: " + std::string(outcome) + "}]", "p");
    ASSERT_FALSE(policy) << outcome;
    EXPECT_NE(policy.error().message.find("must be one of allow, deny"), std::string::npos);
  }
}

TEST(ActionPolicy, EveryMatchFieldPassesAndFails) {  // POL-002
  const std::vector<std::string> roles = {"support", "viewer"};
  const Action action{.tool = "db.query",
                      .tool_provider = "acme",
                      .surface = "tool_arguments",
                      .agent = "alice/a.py",
                      .agent_type = "coder",
                      .roles = roles,
                      .trust = TrustLevel::kVerified,
                      .environment = "prod",
                      .provider = "openai",
                      .model = "gpt-4o",
                      .destination = "api.example.com"};
  const std::vector<std::pair<std::string, bool>> cases = {
      {"tool: db.query", true},
      {"tool: [x, db.query]", true},
      {"tool: 'db.*'", true},
      {"tool: 'db*ry'", true},
      {"tool: '*'", true},
      {"tool: db", false},
      {"tool: 'web.*'", false},
      {"tool_name: db.query", true},
      {"environment: prod", true},
      {"environment: dev", false},
      {"agent_type: coder", true},
      {"agent_type: [chat]", false},
      {"trust_min: verified", true},
      {"trust_level_min: basic", true},
      {"trust_min: privileged", false},
      {"roles: [support]", true},
      {"agent_roles_any: [admin, viewer]", true},
      {"roles: admin", false},
      {"tool_provider: acme", true},
      {"tool_provider: other", false},
      {"agent: 'alice/*'", true},
      {"agent: bob/a.py", false},
      {"provider: openai", true},
      {"provider: anthropic", false},
      {"model: 'gpt-*'", true},
      {"model: claude", false},
      {"destination: '*.example.com'", true},
      {"destination: example.com", false},
      {"surface: tool_arguments", true},
      {"surface: prompt", false},
      {"tool: db.query, environment: dev", false}};
  for (const auto& [match, matches] : cases)
    EXPECT_EQ(with(match, "", action), matches ? Outcome::kAllow : Outcome::kDeny) << match;
}

TEST(ActionPolicy, Conditions) {  // POL-003
  const Action action{.tool = "t", .text = "Please EXPORT all rows"};
  EXPECT_EQ(with("tool: t", "contains_any: [dump, export]", action), Outcome::kAllow);
  EXPECT_EQ(with("tool: t", "contains_any: [dump]", action), Outcome::kDeny);
  EXPECT_EQ(with("tool: t", "not_contains: [delete]", action), Outcome::kAllow);
  EXPECT_EQ(with("tool: t", "not_contains: [rows]", action), Outcome::kDeny);
  EXPECT_EQ(with("tool: t", "matches_regex: 'all\\s+rows$'", action), Outcome::kAllow);
  EXPECT_EQ(with("tool: t", "matches_regex: '^rows'", action), Outcome::kDeny);
  const std::vector<std::string> labels = {"PII"};
  EXPECT_EQ(with("tool: t", "data_labels_any: [PCI, PII]", {.tool = "t", .labels = labels}),
            Outcome::kAllow);
  EXPECT_EQ(with("tool: t", "data_labels_any: [PCI]", {.tool = "t", .labels = labels}),
            Outcome::kDeny);
  EXPECT_EQ(on_arguments("amount: {gt: 1000}", R"({"amount": 1000})"), Outcome::kDeny);
  EXPECT_EQ(on_arguments("amount: {gt: 1000}", R"({"amount": 1001})"), Outcome::kAllow);
  EXPECT_EQ(on_arguments("amount: {gte: 1000, lt: 2000}", R"({"amount": 1000})"), Outcome::kAllow);
  EXPECT_EQ(on_arguments("amount: {lte: 5}", R"({"amount": 5.0})"), Outcome::kAllow);
  EXPECT_EQ(on_arguments("amount: {eq: 5}", R"({"amount": 5})"), Outcome::kAllow);
  EXPECT_EQ(on_arguments("to: {eq: bob}", R"({"to": "bob"})"), Outcome::kAllow);
  EXPECT_EQ(on_arguments("to: {neq: bob}", R"({"to": "bob"})"), Outcome::kDeny);
  EXPECT_EQ(on_arguments("to: {neq: bob}", R"({"to": "eve"})"), Outcome::kAllow);
  EXPECT_EQ(on_arguments("force: {eq: true}", R"({"force": true})"), Outcome::kAllow);
}

TEST(ActionPolicy, ArgumentsCannotSlipThroughByTheirForm) {
  EXPECT_EQ(on_arguments("amount: {gt: 1000}", R"({"amount": "1001"})"), Outcome::kAllow)
      << "a number as text";
  EXPECT_EQ(on_arguments("amount: {gt: 1000}", R"({"amount": 1.001e3})"), Outcome::kAllow);
  EXPECT_EQ(on_arguments("amount: {gt: 1000}", R"({})"), Outcome::kDeny);
  EXPECT_EQ(on_arguments("'order.items.*.price': {gt: 10}",
                         R"({"order": {"items": [{"price": 1}, {"price": 11}]}})"),
            Outcome::kAllow);
  EXPECT_EQ(
      on_arguments("'order.items.*.price': {gt: 10}", R"({"order": {"items": [{"price": 1}]}})"),
      Outcome::kDeny);
  EXPECT_THAT(Arguments::parse(R"({"a": {"b": 1, "b": 2}})").error().message,
              HasSubstr("`a.b` stands twice"));
  EXPECT_FALSE(Arguments::parse("[1]"));
  EXPECT_FALSE(Arguments::parse("{"));
  std::string deep = "1";
  for (int i = 0; i < 30; ++i) deep = "{\"a\":" + deep + "}";
  EXPECT_FALSE(Arguments::parse(deep));
}

TEST(ActionPolicy, RegexIsLinear) {  // POL-004
  const std::string text = std::string(100'000, 'a') + "b";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(with("tool: t", "matches_regex: '(a+)+$'", {.tool = "t", .text = text}),
            Outcome::kDeny);
  // A backtracking engine would need longer than the universe has existed.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_THAT(error_of("rules:\n  - id: r\n    outcome: deny\n    when: {matches_regex: '(a'}"),
              HasSubstr("p.yaml:4"));
  EXPECT_NE(error_of("rules: [{id: r, outcome: deny, when: {matches_regex: '" +
                     std::string(513, 'a') + "'}}]"),
            "");
}

TEST(ActionPolicy, ExpiredDeniesEverything) {  // POL-005
  const auto policy =
      policy_of("expires_at: '2026-05-28T20:26:40.000Z'\nrules: [{id: r, outcome: allow}]");
  ASSERT_NE(policy, nullptr);
  EXPECT_EQ(policy->decide({}, {kNow.nanoseconds - 1}).outcome, Outcome::kAllow);
  EXPECT_EQ(policy->decide({}, kNow).outcome, Outcome::kDeny);
  EXPECT_EQ(policy->decide({}, kNow).rule_id, "bundle.expired");
  for (const char* wrong : {"tomorrow", "''", "'6027-01-21T00:00:00Z'", "'2262-04-12T00:00:00Z'",
                            "'1969-12-31T23:59:59Z'", "'2027-01-21T00:00:00.5'"})
    EXPECT_THAT(error_of(std::string("rules: []\nexpires_at: ") + wrong), HasSubstr("p.yaml:2"))
        << wrong;
}

TEST(ActionPolicy, LimitsAndErrorsNameTheLine) {  // POL-005, POL-021
  std::string many = "rules:\n";
  for (int i = 0; i < 1001; ++i) many += "  - {id: r" + std::to_string(i) + ", outcome: deny}\n";
  EXPECT_THAT(error_of(many), HasSubstr("p.yaml:1002"));
  EXPECT_NE(error_of("rules: []\n#" + std::string(1U << 20, 'x')), "");
  EXPECT_THAT(error_of("rules:\n  - {id: r, outcome: maybe}"), HasSubstr("p.yaml:2"));
  EXPECT_THAT(error_of("rules:\n  - {id: r, outcome: deny}\n  - {id: r, outcome: deny}"),
              HasSubstr("p.yaml:3"));
  EXPECT_THAT(error_of("rules:\n  - {id: r, outcome: deny, matches: {}}"), HasSubstr("p.yaml:2"));
  EXPECT_THAT(error_of("rules:\n  - {id: r, outcome: deny, match: {trust_min: root}}"),
              HasSubstr("untrusted, basic"));
  EXPECT_THAT(
      error_of("rules:\n  - {id: r, outcome: deny, when: {tool_args_match: {a: {above: 1}}}}"),
      HasSubstr("p.yaml:2"));
}

// The index must decide as asking every rule in the file's order does.
TEST(ActionPolicy, IndexAgreesWithTheFilesOrder) {
  std::mt19937 random(7);
  const auto pick = [&](std::size_t count) { return random() % count; };
  const std::vector<std::string> tools = {"a", "b", "c", "db.x", "db.y"};
  const std::vector<std::string> patterns = {"a",      "b",           "'db.*'", "'*'",
                                             "[a, c]", "[b, 'db.*']", "db.x"};
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < 12; ++i)
      lines.push_back("{id: r" + std::to_string(i) +
                      ", outcome: allow, match: {tool: " + patterns[pick(patterns.size())] +
                      ", environment: " + (pick(2) == 0 ? "prod" : "'*'") + "}}");
    std::string all = "rules:\n";
    for (const std::string& line : lines) all += "  - " + line + "\n";
    const auto policy = policy_of(all);
    for (const std::string& tool : tools) {
      for (const char* environment : {"prod", "dev"}) {
        const Action action{.tool = tool, .environment = environment};
        std::string first = "defaults";
        for (std::size_t i = 0; i < lines.size() && first == "defaults"; ++i)
          if (policy_of("rules: [" + lines[i] + "]")->decide(action, kNow).outcome ==
              Outcome::kAllow)
            first = "r" + std::to_string(i);
        EXPECT_EQ(policy->decide(action, kNow).rule_id, first) << all << tool << environment;
      }
    }
    if (HasFailure()) return;
  }
}

// POL-032: the default policy of Agent-SPM, in its own format, decides as documented.
TEST(ActionPolicy, ReadsAgentSpmJson) {
  const auto policy = policy_of(R"({
  "version": "0.1.0", "generated_at": "2026-01-21T00:00:00.000Z", "expires_at": "2027-01-21T00:00:00.000Z",
  "rules": [
    {"id": "DENY_BULK_EXPORT", "description": "Block dumps", "match": {"tool_name": "query_customer_db", "environment": "*"},
     "when": {"contains_any": ["all customers", "select *"]}, "outcome": "DENY"},
    {"id": "DENY_PCI_EMAIL", "match": {"tool_name": "send_email", "environment": "*"}, "when": {"data_labels_any": ["PCI"]}, "outcome": "DENY"},
    {"id": "REQUIRE_APPROVAL_REFUND_PROD", "match": {"tool_name": "trigger_refund", "environment": "prod"}, "outcome": "REQUIRE_APPROVAL",
     "approver_role": "finance_manager"},
    {"id": "ALLOW_DEV", "match": {"tool_name": "*", "environment": "dev"}, "outcome": "ALLOW"}],
  "defaults": {"outcome": "DENY"}})");
  ASSERT_NE(policy, nullptr);
  const auto decide = [&](const Action& action) {
    return std::string(policy->decide(action, kNow).rule_id);
  };
  const std::vector<std::string> pci = {"PCI"};
  EXPECT_EQ(
      decide(
          {.tool = "query_customer_db", .environment = "dev", .text = "SELECT * FROM customers"}),
      "DENY_BULK_EXPORT");
  EXPECT_EQ(decide({.tool = "query_customer_db", .environment = "dev", .text = "id 7"}),
            "ALLOW_DEV");
  EXPECT_EQ(decide({.tool = "send_email", .environment = "dev", .labels = pci}), "DENY_PCI_EMAIL");
  EXPECT_EQ(decide({.tool = "trigger_refund", .environment = "prod"}),
            "REQUIRE_APPROVAL_REFUND_PROD");
  EXPECT_EQ(decide({.tool = "trigger_refund", .environment = "test"}), "defaults");
}

}  // namespace
}  // namespace aispm::policy
