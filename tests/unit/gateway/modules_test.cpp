// SPDX-License-Identifier: Apache-2.0
// POL-011 to POL-018, POL-034: what the shipped Rego modules see where the gateway asks them.
#include <gmock/gmock.h>

#include <fstream>

#include "gateway/proxy/decide/agent_refusal.hpp"
#include "gateway/proxy/decide/module_judge.hpp"
#include "gateway/proxy/decide/pii_rules.hpp"
#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {
namespace {

using model::Outcome;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<const PolicyView> shipped(const std::string& module,
                                          const std::string& settings = "{}") {
  std::ifstream file(std::string(AISPM_SOURCE_DIR) + "/policies/rego/" + module + ".rego");
  auto bundle = policy::Bundle::compile(
      {{"data.json", "{\"settings\":" + settings + "}"},
       {"rego/" + module + ".rego", {std::istreambuf_iterator<char>(file), {}}}});
  EXPECT_TRUE(bundle) << bundle.error().message;
  return PolicyView::make("test", *bundle, true);
}

std::shared_ptr<const PolicyView> broken(const std::string& module) {
  auto bundle =
      policy::Bundle::compile({{"rego/x.rego", "package aispm." + module +
                                                   "\nimport rego.v1\ndecision := {\"outcome\": "
                                                   "\"allow\"} if input.nothing == 1\n"}});
  EXPECT_TRUE(bundle) << bundle.error().message;
  return PolicyView::make("test", *bundle, true);
}

const AgentFacts kNobody;
const ActionContext kContext{.agent_id = "bob/agent", .facts = &kNobody, .surface = "prompt"};

TEST(ModuleJudge, ABundleWithoutTheModuleSaysNothing) {
  const auto policy = shipped("tools");
  for (const ActionVerdict& said :
       {judge_model(*policy, kContext, {"m", "p", ""}, wall_now()),
        judge_budget(*policy, kContext, {}, wall_now()),
        judge_host(*policy, kContext, "pastebin.com", wall_now()),
        judge_documents(*policy, kContext, "x", 99, wall_now()),
        judge_pii(*policy, kContext, {"pii.iban"}, "reply", wall_now())}) {
    EXPECT_EQ(said.outcome, Outcome::kAllow);
    EXPECT_EQ(said.rule_id, "");
  }
}

TEST(ModuleJudge, AModuleThatGivesNoDecisionDenies) {
  EXPECT_EQ(judge_model(*broken("model"), kContext, {"m", "p", "approved"}, wall_now()).rule_id,
            "model.undecided");
  EXPECT_EQ(judge_budget(*broken("budget"), kContext, {}, wall_now()).outcome, Outcome::kDeny);
  EXPECT_EQ(judge_host(*broken("egress"), kContext, "a", wall_now()).outcome, Outcome::kDeny);
  EXPECT_EQ(judge_pii(*broken("pii"), kContext, {}, "reply", wall_now()).outcome, Outcome::kDeny);
}

TEST(ModuleJudge, TellsTheModelWithItsStatus) {
  const auto policy = shipped("model", R"({"models":{"denied":["toy-*"]}})");
  const auto judge = [&](const char* name, const char* status) {
    return judge_model(*policy, kContext, {name, "openai", status}, wall_now());
  };
  EXPECT_EQ(judge("m", "approved").rule_id, "model.allow");
  EXPECT_EQ(judge("toy-1", "approved").rule_id, "model.denied");
  EXPECT_EQ(judge("m", "retired").rule_id, "model.retired");
  EXPECT_EQ(judge("m", "").rule_id, "model.unregistered");
  const ActionVerdict review = judge("m", "review");
  EXPECT_EQ(review.outcome, Outcome::kRequireApproval);
  EXPECT_EQ(review.policy_version, policy->version());
  EXPECT_THAT(review.inputs, Contains("status=review"));
  // An approval of one model is none of another.
  EXPECT_NE(review.digest, judge("n", "review").digest);
  EXPECT_FALSE(review.digest.empty());
}

TEST(ModuleJudge, TellsWhatIsUsedOfBudgets) {
  const auto policy = shipped("budget", R"({"budget":{"session":100,"day":1000}})");
  const auto rule = [&](BudgetFacts facts) {
    return judge_budget(*policy, kContext, facts, wall_now()).rule_id;
  };
  EXPECT_EQ(rule({.session_tokens = 10, .day_tokens = 10, .wanted = 10}), "budget.allow");
  EXPECT_EQ(rule({.session_tokens = 80, .day_tokens = 80, .wanted = 20}), "budget.warn");
  EXPECT_EQ(rule({.session_tokens = 81, .day_tokens = 81, .wanted = 20}), "budget.session");
  EXPECT_EQ(rule({.session_tokens = 0, .day_tokens = 981, .wanted = 20}), "budget.day");
  EXPECT_EQ(rule({.session_tokens = 10, .day_tokens = {}, .wanted = 10}), "budget.default");
}

// What waits for nobody is denied.
TEST(ModuleJudge, NobodyIsAskedAboutAHost) {
  auto bundle = policy::Bundle::compile(
      {{"rego/x.rego",
        "package aispm.egress\nimport rego.v1\ndecision := {\"outcome\": \"require_approval\", "
        "\"rule\": \"ask\", \"reason\": \"\"}\n"}});
  ASSERT_TRUE(bundle);
  const ActionVerdict said =
      judge_host(*PolicyView::make("test", *bundle, true), kContext, "a.example", wall_now());
  EXPECT_EQ(said.outcome, Outcome::kDeny);
  EXPECT_EQ(said.rule_id, "ask");
}

// Where nobody judges a prompt or an action, nobody else would say that the policy has expired.
TEST(ModuleJudge, AnExpiredPolicyDeniesEveryHostOfARun) {
  const policy::AgentRegistry registry;
  const std::string egress =
      "package aispm.egress\nimport rego.v1\ndecision := {\"outcome\": \"allow\", \"rule\": "
      "\"r\", \"reason\": \"\"}\n";
  const WallTime end{1'800'000'000'000'000'000};  // 2027-01-15T08:00:00Z
  for (const bool has_module : {true, false}) {
    std::vector<policy::FolderFile> files{
        {"actions.yaml", "expires_at: 2027-01-15T08:00:00Z\nrules: []\n"}};
    if (has_module) files.push_back({"rego/x.rego", egress});
    auto bundle = policy::Bundle::compile(files);
    ASSERT_TRUE(bundle) << bundle.error().message;
    const auto view = PolicyView::make("test", *bundle, true);
    const auto judge = [&](WallTime now) {
      return judge_run_host(*view, registry, "bob/agent", "a.example", now);
    };
    EXPECT_EQ(judge({end.nanoseconds - 1}).outcome, Outcome::kAllow);
    EXPECT_EQ(judge(end).outcome, Outcome::kDeny);
    EXPECT_EQ(judge(end).rule_id, "policy.expired");
  }
}

TEST(ModuleJudge, CountsDocuments) {
  RiskFacts risk;
  risk.risk = 0.5;
  ActionContext context = kContext;
  context.risk = &risk;
  const auto policy = shipped("retrieval");
  EXPECT_EQ(judge_documents(*policy, context, "x", 3, wall_now()).outcome, Outcome::kAllow);
  EXPECT_EQ(judge_documents(*policy, context, "x", 4, wall_now()).rule_id, "retrieval.chunks");
  EXPECT_EQ(judge_documents(*policy, kContext, "x", 1, wall_now()).rule_id, "retrieval.default")
      << "without a posture";
}

TEST(ModuleJudge, TellsKindAndDirectionOfPersonalData) {
  const auto policy = shipped("pii");
  AgentFacts reader;
  reader.scopes = {"pii:read"};
  ActionContext context = kContext;
  context.facts = &reader;
  const auto rule = [&](const char* kind, const char* direction) {
    return judge_pii(*policy, context, {kind}, direction, wall_now()).rule_id;
  };
  EXPECT_EQ(rule("pii.email", "reply"), "pii.scope");
  EXPECT_EQ(rule("pii.email", "request"), "pii.cut");
  EXPECT_EQ(rule("pii.iban", "reply"), "pii.grave");
  EXPECT_EQ(judge_pii(*policy, kContext, {"pii.email"}, "reply", wall_now()).rule_id, "pii.cut");
}

TEST(PiiRules, NamesTheKindsOfEachDirectionOnce) {
  const auto found = [](const char* rule, const char* category, const char* surface) {
    model::Detection detection;
    detection.rule_id = rule;
    detection.category = category;
    detection.surface = surface;
    return detection;
  };
  const std::vector<model::Detection> all = {
      found("pii.iban", "pii", "reply"), found("pii.iban", "pii", "reply"),
      found("pii.email", "pii", "prompt"), found("secret.x", "secret", "reply")};
  EXPECT_THAT(pii_kinds(all, true), ElementsAre("pii.iban"));
  EXPECT_THAT(pii_kinds(all, false), ElementsAre("pii.email"));
}

TEST(PiiRules, TheStrictestWordIsTheCategorys) {
  EXPECT_EQ(strictest({}).outcome, Outcome::kAllow);
  const PiiWords words = {{"a", {Outcome::kRedact, "cut", ""}}, {"b", {Outcome::kDeny, "no", ""}}};
  EXPECT_EQ(strictest(words).rule_id, "no");
}

model::Detection signal_of(const char* category, const char* surface, double confidence) {
  model::Detection detection;
  detection.rule_id = std::string(category) + ".x";
  detection.category = category;
  detection.surface = surface;
  detection.severity = model::Severity::kMedium;
  detection.confidence = confidence;
  return detection;
}

ActionVerdict judge_by_prompt_module(const std::vector<model::Detection>& detections) {
  RiskFacts risk = read_signals(detections);
  risk.risk = 0.35;  // what else is in the conversation
  ActionContext context = kContext;
  context.risk = &risk;
  return judge_prompt(*shipped("prompt"), context, "hello", wall_now());
}

// Signals that make a technique together are a sequence; one alone is not.
TEST(PromptModule, IsToldWhichTechniquesSignalsMakeTogether) {
  EXPECT_EQ(judge_by_prompt_module({signal_of("obfuscation", "prompt", 0.5),
                                    signal_of("prompt_injection", "prompt", 0.5)})
                .rule_id,
            "prompt.ttp");
  EXPECT_EQ(judge_by_prompt_module({signal_of("prompt_injection", "prompt", 0.5)}).rule_id,
            "prompt.escalate");
  EXPECT_EQ(judge_by_prompt_module({signal_of("privilege_escalation", "prompt", 0.5)}).rule_id,
            "prompt.privilege_escalation")
      << "has a rule of its own";
}

TEST(PromptModule, IsToldHowFarRetrievedTextIsToBeTrusted) {
  EXPECT_EQ(
      judge_by_prompt_module({signal_of("prompt_injection", "retrieved_document", 0.66)}).rule_id,
      "prompt.retrieval");
  EXPECT_EQ(judge_by_prompt_module({signal_of("prompt_injection", "tool_result", 0.64)}).rule_id,
            "prompt.escalate");
  EXPECT_EQ(judge_by_prompt_module({signal_of("prompt_injection", "prompt", 0.9)}).rule_id,
            "prompt.escalate");
}

TEST(AgentRefusal, NamesAgentAndReason) {
  const auto registry = policy::AgentRegistry::parse(
      "agents:\n  - {agent: a, blocked: true, reason: left}\n  - {agent: b}\n", "agents.yaml");
  ASSERT_TRUE(registry);
  const auto refused = object_to_agent(*registry, "a", wall_now());
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->rule_id, "agent.blocked");
  EXPECT_EQ(refused->reason, "a: left");
  EXPECT_FALSE(object_to_agent(*registry, "b", wall_now()));
  EXPECT_FALSE(object_to_agent(*registry, "c", wall_now()));
}

}  // namespace
}  // namespace aispm::gateway
