// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/policy.hpp"

#include <gmock/gmock.h>

#include <random>

#include "sdk/core/policy/glob.hpp"
#include "sdk/core/policy/rules.hpp"

namespace aispm::policy {
namespace {

using model::Outcome;
using model::Severity;
using testing::ElementsAre;
using testing::HasSubstr;

std::shared_ptr<const Policy> policy_of(const std::string& content) {
  auto policy = Policy::parse(content, "p.yaml");
  if (!policy) ADD_FAILURE() << policy.error().message;
  return policy ? *policy : nullptr;
}

std::string error_of(const std::string& content) {
  const auto policy = Policy::parse(content, "p.yaml");
  return policy ? "" : policy.error().message;
}

std::shared_ptr<const Policy> shipped(const std::string& name) {
  auto policy = Policy::load(std::string(AISPM_SOURCE_DIR) + "/policies/rules/" + name);
  if (!policy) ADD_FAILURE() << policy.error().message;
  return policy ? *policy : nullptr;
}

const Context kContext{"alice/agent.py", "openai", "gpt-4o-mini"};
const Fact kSecret{"secret.github_token", "secret", Severity::kCritical, 0.9, "prompt"};
const Fact kKey{"secret.private_key", "secret", Severity::kCritical, 0.9, "prompt"};
const Fact kCard{"pii.credit_card", "pii", Severity::kHigh, 0.9, "reply"};
const Fact kEmail{"pii.email", "pii", Severity::kLow, 0.9, "prompt"};
const Fact kInjection{"injection.override_previous", "prompt_injection", Severity::kHigh, 0.9,
                      "tool_result"};
const Fact kSign{"injection.rules_off", "prompt_injection", Severity::kMedium, 0.6, "prompt"};

Outcome judged(const Policy& policy, Direction direction, const Fact& fact) {
  return policy.judge(kContext, direction, fact).applied;
}

TEST(DefaultPolicy, KeepsSecretsOnTheHost) {
  const auto policy = shipped("default.yaml");
  ASSERT_NE(policy, nullptr);
  EXPECT_EQ(judged(*policy, Direction::kRequest, kKey), Outcome::kDeny);
  EXPECT_EQ(judged(*policy, Direction::kRequest, kSecret), Outcome::kRedact);
  EXPECT_EQ(judged(*policy, Direction::kReply, kSecret), Outcome::kRedact);
  EXPECT_EQ(judged(*policy, Direction::kReply, kKey), Outcome::kRedact);
  EXPECT_EQ(judged(*policy, Direction::kRequest, kInjection), Outcome::kDeny);
  EXPECT_EQ(judged(*policy, Direction::kReply, kInjection), Outcome::kAllow);
  EXPECT_EQ(judged(*policy, Direction::kRequest, kSign), Outcome::kAllow);
  EXPECT_EQ(judged(*policy, Direction::kReply, kCard), Outcome::kRedact);
  EXPECT_EQ(judged(*policy, Direction::kRequest, kEmail), Outcome::kAllow);
  EXPECT_FALSE(policy->store_text());
  EXPECT_TRUE(policy->fail_closed());
  EXPECT_TRUE(policy->same_for_all(Direction::kReply));
}

TEST(MonitorPolicy, RecordsAndAppliesNothing) {
  const auto policy = shipped("monitor.yaml");
  ASSERT_NE(policy, nullptr);
  const Verdict verdict = policy->judge(kContext, Direction::kRequest, kSecret);
  EXPECT_EQ(verdict.decided, Outcome::kRedact);
  EXPECT_EQ(verdict.applied, Outcome::kAllow);
  EXPECT_EQ(verdict.mode, Mode::kMonitor);
  const Context bot{"bob/support-bot", "openai", "gpt-4o"};
  EXPECT_EQ(policy->judge(bot, Direction::kReply, kSecret).applied, Outcome::kRedact);
  EXPECT_FALSE(policy->same_for_all(Direction::kReply));
}

TEST(Policy, TakesTheFirstRuleThatMatches) {
  const auto policy = policy_of(
      "rules:\n"
      "  - {id: one, match: {agent: 'bob/*'}, outcome: deny}\n"
      "  - {id: two, match: {category: secret, rule_id: 'secret.git*'}, outcome: redact, reason: "
      "why}\n"
      "  - {id: three, match: {category: secret}, outcome: deny}\n");
  const Verdict verdict = policy->judge(kContext, Direction::kRequest, kSecret);
  EXPECT_EQ(verdict.rule_id, "two");
  EXPECT_EQ(verdict.reason, "why");
  EXPECT_EQ(policy->judge(kContext, Direction::kRequest, kKey).rule_id, "three");
  EXPECT_EQ(policy->judge({"bob/x", "openai", "m"}, Direction::kRequest, kSecret).rule_id, "one");
  EXPECT_EQ(policy->judge(kContext, Direction::kRequest, kCard).rule_id, "");
}

TEST(Policy, MatchesEveryField) {
  struct Case {
    const char* match;
    bool matches;
  };
  const Case cases[] = {
      {"{}", true},
      {"{category: secret}", true},
      {"{category: pii}", false},
      {"{rule_id: secret.github_token}", true},
      {"{rule_id: secret.gitlab_token}", false},
      {"{rule_id: 'secret.*_token'}", true},
      {"{severity: critical}", true},
      {"{severity: high}", true},
      {"{confidence: 0.95}", false},
      {"{confidence: 0.9}", true},
      {"{direction: request}", true},
      {"{direction: reply}", false},
      {"{surfaces: [prompt, system]}", true},
      {"{surfaces: [reply]}", false},
      {"{agent: alice/agent.py}", true},
      {"{agent: 'alice/*'}", true},
      {"{agent: alice}", false},
      {"{provider: openai}", true},
      {"{provider: anthropic}", false},
      {"{model: 'gpt-4o*'}", true},
      {"{model: gpt-4o-mini}", true},
      {"{model: gpt-4o}", false},
  };
  for (const Case& test : cases) {
    const auto policy =
        policy_of("rules:\n  - {id: r, match: " + std::string(test.match) + ", outcome: deny}\n");
    ASSERT_NE(policy, nullptr);
    const Outcome expected = test.matches ? Outcome::kDeny : Outcome::kAllow;
    EXPECT_EQ(policy->judge(kContext, Direction::kRequest, kSecret).applied, expected)
        << test.match;
  }
}

TEST(Policy, DecidesForTheStrictest) {
  const auto policy = shipped("default.yaml");
  const Fact facts[] = {kEmail, kSecret, kInjection};
  Outcome applied[3];
  const Verdict verdict = policy->decide(kContext, Direction::kRequest, facts, applied);
  EXPECT_EQ(verdict.applied, Outcome::kDeny);
  EXPECT_EQ(verdict.rule_id, "prompt-injection");
  EXPECT_THAT(applied, ElementsAre(Outcome::kAllow, Outcome::kRedact, Outcome::kDeny));
  const Verdict nothing = policy->decide(kContext, Direction::kRequest, {}, {});
  EXPECT_EQ(nothing.applied, Outcome::kAllow);
  EXPECT_EQ(nothing.rule_id, "");
}

TEST(Policy, LetsAnAppliedOutcomeCountMoreThanARecordedOne) {
  const auto policy = policy_of(
      "rules:\n"
      "  - {id: watch, match: {category: prompt_injection}, outcome: deny, mode: monitor}\n"
      "  - {id: cut, match: {category: secret}, outcome: redact}\n");
  const Fact facts[] = {kInjection, kSecret};
  const Verdict verdict = policy->decide(kContext, Direction::kRequest, facts, {});
  EXPECT_EQ(verdict.rule_id, "cut");
  EXPECT_EQ(verdict.applied, Outcome::kRedact);
  const Verdict watched =
      policy->decide(kContext, Direction::kRequest, std::span(facts).first(1), {});
  EXPECT_EQ(watched.decided, Outcome::kDeny);
  EXPECT_EQ(watched.applied, Outcome::kAllow);
}

TEST(Policy, JudgesNothingWhenOff) {
  const auto policy = policy_of("defaults: {mode: off}\nrules:\n  - {id: r, outcome: deny}\n");
  const Verdict verdict = policy->judge(kContext, Direction::kRequest, kSecret);
  EXPECT_EQ(verdict.decided, Outcome::kAllow);
  EXPECT_EQ(verdict.mode, Mode::kOff);
  const Fact rules[] = {kSecret};
  EXPECT_THAT(policy->outcomes(kContext, Direction::kReply, rules),
              ElementsAre(Outcome::kUnspecified));
}

TEST(Policy, MakesATableOfOutcomes) {
  const auto policy = shipped("default.yaml");
  const Fact rules[] = {kSecret, kEmail, kCard, kSign};
  EXPECT_THAT(policy->outcomes(kContext, Direction::kReply, rules),
              ElementsAre(Outcome::kRedact, Outcome::kAllow, Outcome::kRedact, Outcome::kAllow));
}

TEST(Policy, LimitsModelsAndProvidersOfAnAgent) {
  const auto policy = policy_of(
      "access:\n"
      "  - {agent: 'ci/*', providers: [openai], models: ['gpt-4o*']}\n"
      "  - {agent: 'web/*', models: [claude-3]}\n"
      "rules: []\n");
  const auto allowed = [&](const char* agent, const char* provider, const char* model) {
    return policy->authorise({agent, provider, model}).applied == Outcome::kAllow;
  };
  EXPECT_TRUE(allowed("ci/build", "openai", "gpt-4o-mini"));
  EXPECT_FALSE(allowed("ci/build", "anthropic", "gpt-4o-mini"));
  EXPECT_FALSE(allowed("ci/build", "openai", "o1"));
  EXPECT_TRUE(allowed("web/a", "anything", "claude-3"));
  EXPECT_TRUE(allowed("alice/x", "anything", "anything"));
  const Verdict verdict = policy->authorise({"ci/build", "openai", "o1"});
  EXPECT_EQ(verdict.rule_id, "access[0]");
  EXPECT_THAT(std::string(verdict.reason), HasSubstr("model"));
}

TEST(Policy, NamesFileAndLineOfWhatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {"rules:\n  - {id: a, outcome: allow, colour: red}\n", "p.yaml:2: unknown key `colour`"},
      {"rules:\n  - id: a\n    outcome: maybe\n",
       "p.yaml:3: outcome: `maybe`: allowed is one of allow, deny, redact"},
      {"rules:\n  - id: a\n    outcome: require_approval\n",
       "p.yaml:3: outcome: `require_approval` is not supported until approvals exist"},
      {"rules:\n  - id: a\n    outcome: step_up\n", "not supported until approvals exist"},
      {"rules:\n  - id: a\n", "`outcome` is missing"},
      {"rules:\n  - outcome: deny\n", "`id` is missing"},
      {"rules:\n  - {id: a, outcome: deny}\n  - {id: a, outcome: deny}\n",
       "p.yaml:3: id: `a` stands twice"},
      {"rules:\n  - {id: a, outcome: deny, mode: maybe}\n", "p.yaml:2: mode: `maybe`"},
      {"rules:\n  - id: a\n    outcome: deny\n    match:\n      severity: big\n",
       "p.yaml:5: severity: `big`"},
      {"rules:\n  - id: a\n    outcome: deny\n    match:\n      surfaces: [mars]\n",
       "p.yaml:5: surfaces: `mars`"},
      {"rules:\n  - id: a\n    outcome: deny\n    match:\n      direction: up\n",
       "p.yaml:5: direction"},
      {"rules:\n  - id: a\n    outcome: deny\n    match:\n      rule_id: ''\n",
       "p.yaml:5: rule_id"},
      {"defaults: {fail: softly}\nrules: []\n", "p.yaml:1: fail"},
      {"defaults: {store_text: perhaps}\nrules: []\n", "p.yaml:1: store_text"},
      {"access:\n  - {agent: a, models: []}\nrules: []\n", "p.yaml:2: models"},
      {"", "`rules` is missing"},
      {"rules: 3\n", "rules: must be a list"},
      {"[]", "p.yaml:1"},
  };
  for (const auto& [content, expected] : cases)
    EXPECT_THAT(error_of(content), HasSubstr(expected)) << content;
}

TEST(Policy, WritesADecision) {
  const auto policy = shipped("default.yaml");
  const model::Decision decision =
      policy->to_decision(policy->judge(kContext, Direction::kRequest, kSecret));
  EXPECT_EQ(decision.outcome, Outcome::kRedact);
  EXPECT_EQ(decision.mode, "enforce");
  EXPECT_EQ(decision.rule_id, "secrets-in-requests");
  EXPECT_EQ(decision.policy_version, policy->version());
  EXPECT_EQ(policy->version().size(), 64U);
}

TEST(Policy, TellsAMissingFile) { EXPECT_FALSE(Policy::load("/nonexistent/policy.yaml")); }

TEST(Glob, MatchesStarsAndQuestionMarks) {
  struct Case {
    const char* pattern;
    const char* text;
    bool matches;
  };
  const Case cases[] = {{"*", "", true},        {"", "", true},
                        {"", "a", false},       {"a*c", "abbc", true},
                        {"a*c", "abb", false},  {"a?c", "abc", true},
                        {"a?c", "ac", false},   {"*a*b*", "xxaxxbxx", true},
                        {"**", "x", true},      {"a*", "b", false},
                        {"*.py", "x.py", true}, {"*a", "aaab", false},
                        {"[a]", "a", false},    {"a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false}};
  for (const Case& test : cases)
    EXPECT_EQ(glob_matches(test.pattern, test.text), test.matches)
        << test.pattern << " " << test.text;
}

// The index must answer as a plain walk over all rules does.
class RandomPolicies : public testing::TestWithParam<unsigned> {};

TEST_P(RandomPolicies, AnswerAsAWalkOverAllRulesWould) {
  std::mt19937 random(GetParam());
  const auto pick = [&](std::initializer_list<const char*> items) {
    return std::string(*(items.begin() + random() % items.size()));
  };
  std::string text = "rules:\n";
  for (int i = 0; i < 60; ++i) {
    text += "  - {id: r" + std::to_string(i) + ", outcome: " + pick({"allow", "deny", "redact"}) +
            ", match: {agent: '" + pick({"*", "*", "alice/*", "alice/agent.py", "bob/x"}) +
            "', provider: '" + pick({"*", "*", "openai", "anth*"}) + "', model: '" +
            pick({"*", "*", "gpt-4o", "gpt*"}) + "', rule_id: '" +
            pick({"*", "secret.*", "secret.a", "pii.b", "pii.?"}) +
            "', category: " + pick({"secret", "pii", "''"}) +
            ", severity: " + pick({"low", "high", "critical"}) +
            ", direction: " + pick({"request", "reply", "''"}) + "}}\n";
  }
  const auto policy = policy_of(text);
  const auto rules = parse_rules(text, "p.yaml");
  ASSERT_TRUE(rules);
  for (int round = 0; round < 500; ++round) {
    const std::string agent = pick({"alice/agent.py", "bob/x", "carol"});
    const std::string provider = pick({"openai", "anthropic"});
    const std::string model = pick({"gpt-4o", "gpt-4", "claude"});
    const std::string rule_id = pick({"secret.a", "secret.c", "pii.b"});
    const std::string category = pick({"secret", "pii"});
    const Context context{agent, provider, model};
    const Fact fact{rule_id, category, static_cast<Severity>(1 + random() % 5), 0.5, "prompt"};
    const Direction direction = random() % 2 == 0 ? Direction::kRequest : Direction::kReply;
    std::string expected;
    for (const PolicyRule& rule : rules->rules) {
      if ((rule.direction && *rule.direction != direction) || !rule.matches(context, fact))
        continue;
      expected = rule.id;
      break;
    }
    ASSERT_EQ(policy->judge(context, direction, fact).rule_id, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPolicies, testing::Range(1U, 9U));

}  // namespace
}  // namespace aispm::policy
