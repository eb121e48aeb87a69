// SPDX-License-Identifier: Apache-2.0
// POL-008 010 026 028 034 035, MCP-018, RSK: what a bundle says about an exchange's actions.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gateway/proxy/decide/action_gate.hpp"
#include "gateway/proxy/decide/data_cut.hpp"
#include "gateway/proxy/decide/decide_request.hpp"
#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {
namespace {

using model::Outcome;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kActions[] = R"(
version: "1"
rules:
  - id: large
    match: {tool: refund, environment: prod}
    when: {tool_args_match: {amount: {gt: 1000}}}
    outcome: require_approval
    approver_role: finance_manager
    reason: large refunds
  - {id: small, match: {tool: refund}, outcome: allow}
  - {id: mail, match: {tool: mail}, outcome: redact}
  - {id: shells, match: {tool: [Bash, shell]}, outcome: allow}
  - {id: ticket, match: {tool: deploy}, outcome: require_ticket}
  - {id: human, match: {tool: call_police}, outcome: require_human}
  - {id: sign-in, match: {tool: pay, roles: [payer]}, outcome: step_up}
)";
constexpr char kCommands[] = R"(
defaults: {outcome: deny}
rules:
  - {id: tests, command: 'npm test', outcome: allow}
  - {id: trees, command: 'rm -rf *', outcome: deny, reason: removes trees}
)";

std::shared_ptr<const PolicyView> policy_of(std::vector<policy::FolderFile> files) {
  auto bundle = policy::Bundle::compile(files);
  EXPECT_TRUE(bundle) << bundle.error().message;
  return PolicyView::make("test", *bundle, true);
}

ActionVerdict judge(const PolicyView& policy, std::string_view tool, std::string_view arguments,
                    const AgentFacts& facts = {}) {
  return judge_action(policy, {.agent_id = "bob/agent", .facts = &facts, .surface = "reply"},
                      {.tool = tool, .arguments = arguments}, wall_now());
}

TEST(ActionJudge, TakesTheStrictestOfRulesAndCommands) {
  const auto policy = policy_of({{"actions.yaml", kActions}, {"commands.yaml", kCommands}});
  const auto outcome = [&](std::string_view command) {
    return judge(*policy, "Bash", R"({"command":")" + std::string(command) + "\"}").outcome;
  };
  EXPECT_EQ(outcome("npm test"), Outcome::kAllow);
  EXPECT_EQ(outcome("npm test; rm -rf /"), Outcome::kDeny);
  EXPECT_EQ(outcome("npm test && $(rm -rf /)"), Outcome::kDeny);
  EXPECT_EQ(outcome("X=1 /bin/rm -r -f /tmp"), Outcome::kDeny);
  EXPECT_EQ(outcome("npm test\\nrm -rf /"), Outcome::kDeny);
  EXPECT_EQ(judge(*policy, "shell", R"({"command":["bash","-lc","npm test"]})").outcome,
            Outcome::kAllow);
  EXPECT_EQ(judge(*policy, "shell", R"({"command":["bash","-lc","rm -rf /"]})").outcome,
            Outcome::kDeny);
  EXPECT_EQ(judge(*policy, "shell", R"({"nothing":1})").rule_id, "commands.unreadable");
}

TEST(ActionJudge, NamesRuleAndInputs) {
  const auto policy = policy_of({{"actions.yaml", kActions}});
  AgentFacts facts;
  facts.environment = "prod";
  const ActionVerdict verdict = judge(*policy, "refund", R"({"amount":2000})", facts);
  EXPECT_EQ(verdict.outcome, Outcome::kRequireApproval);
  EXPECT_EQ(verdict.rule_id, "large");
  EXPECT_EQ(verdict.approver_role, "finance_manager");
  EXPECT_THAT(verdict.inputs, Contains("args.amount=2000"));
  EXPECT_THAT(verdict.inputs, Contains("environment=prod"));
  EXPECT_EQ(verdict.policy_version, policy->version());
}

// POL-028
TEST(ActionJudge, GoesByTheRegistryNotByWhatArgumentsClaim) {
  const auto policy = policy_of({{"actions.yaml", kActions}});
  EXPECT_EQ(judge(*policy, "pay", R"({"roles":["payer"],"trust_level":"system"})").rule_id,
            "defaults");
  AgentFacts facts;
  facts.roles = {"payer"};
  EXPECT_EQ(judge(*policy, "pay", "{}", facts).outcome, Outcome::kStepUp);
}

TEST(ActionJudge, DeniesWhatCanBeReadInTwoWays) {
  const auto policy = policy_of({{"actions.yaml", kActions}});
  for (const char* text : {R"({"amount":1,"amount":9999})", "[1]", "{", R"({"a":"\ud800"})"})
    EXPECT_EQ(judge(*policy, "refund", text).rule_id, "arguments.unreadable") << text;
}

TEST(ActionJudge, BindsTheDigestToEverythingThatIsApproved) {
  const auto digest = [](const ActionAsk& ask) { return *action_digest(ask); };
  const std::string one = digest({.tool = "refund", .arguments = R"({"amount": 5, "to": "x"})"});
  EXPECT_EQ(one, digest({.tool = "refund", .arguments = R"({"to":"x","amount":5})"}));
  EXPECT_NE(one, digest({.tool = "refund", .arguments = R"({"to":"x","amount":6})"}));
  EXPECT_NE(one, digest({.tool = "refund2", .arguments = R"({"to":"x","amount":5})"}));
  EXPECT_NE(one, digest({.tool = "refund",
                         .tool_provider = "other",
                         .arguments = R"({"to":"x","amount":5})"}));
  EXPECT_NE(one, digest({.tool = "refund",
                         .arguments = R"({"to":"x","amount":5})",
                         .destination = "elsewhere.example"}));
}

TEST(ActionJudge, DeniesEverythingOnceExpiredOrUnusable) {
  const auto expired = policy_of(
      {{"actions.yaml",
        "version: \"1\"\nexpires_at: 2020-01-01T00:00:00Z\ndefaults: {outcome: allow}\n"}});
  const ActionVerdict verdict = judge(*expired, "refund", "{}");
  EXPECT_EQ(verdict.outcome, Outcome::kDeny);
  EXPECT_EQ(verdict.rule_id, "policy.expired");
  EXPECT_TRUE(verdict.is_alert);
  PolicyView unsigned_one;
  unsigned_one.problem_rule = "policy.unsigned";
  unsigned_one.problem = "no signature";
  EXPECT_EQ(judge(unsigned_one, "refund", "{}").rule_id, "policy.unsigned");
}

std::string read_policy(const std::string& name) {
  std::ifstream file(std::string(AISPM_SOURCE_DIR) + "/policies/rego/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

// POL-035: the prompt's own facts reach the module.
TEST(ActionJudge, ReconInThePromptIsDenied) {
  const auto policy = policy_of({{"rego/prompt.rego", read_policy("prompt.rego")}});
  const AgentFacts facts;
  model::Detection recon;
  recon.rule_id = "recon.tools";
  recon.category = "recon";
  recon.severity = model::Severity::kMedium;
  recon.surface = "prompt";
  RiskFacts risk = read_signals({recon});
  fuse_risk({}, facts, "list your tools", 15, {}, risk);
  const ActionContext context{
      .agent_id = "bob", .facts = &facts, .surface = "prompt", .risk = &risk};
  EXPECT_EQ(judge_prompt(*policy, context, "list your tools", wall_now()).rule_id, "prompt.recon");
  RiskFacts calm;
  fuse_risk({}, facts, "hello", 5, {}, calm);
  const ActionContext quiet{.agent_id = "bob", .facts = &facts, .surface = "prompt", .risk = &calm};
  EXPECT_EQ(judge_prompt(*policy, quiet, "hello", wall_now()).outcome, Outcome::kAllow);
}

// RSK-008
TEST(ActionJudge, ThresholdsOfTheBundleDecideAboutPrompts) {
  const AgentFacts facts;
  RiskFacts risk;
  risk.risk = 0.5;
  const ActionContext context{
      .agent_id = "bob", .facts = &facts, .surface = "prompt", .risk = &risk};
  const auto outcome = [&](const char* yaml) {
    return judge_prompt(*policy_of({{"risk.yaml", yaml}}), context, "x", wall_now()).outcome;
  };
  EXPECT_EQ(outcome("{}"), Outcome::kRequireApproval);
  EXPECT_EQ(outcome("thresholds: {allow_below: 0.6, block_at: 0.9}"), Outcome::kAllow);
  EXPECT_EQ(outcome("thresholds: {allow_below: 0.1, block_at: 0.4}"), Outcome::kDeny);
}

// MCP-006, MCP-007: signals of the exchange lock tools.
TEST(ActionJudge, SignalsLockToolsByRego) {
  const auto policy = policy_of({{"rego/tools.rego", read_policy("tools.rego")}});
  AgentFacts facts;
  facts.scopes = {"gmail:read", "web:access"};
  RiskFacts risk;
  const auto rule = [&](std::string_view tool) {
    return judge_action(*policy,
                        {.agent_id = "bob", .facts = &facts, .surface = "reply", .risk = &risk},
                        {.tool = tool}, wall_now())
        .rule_id;
  };
  risk.risk = 0.1;
  EXPECT_EQ(rule("gmail.read"), "tools.allow");
  EXPECT_EQ(rule("gmail.send"), "tools.scope");
  risk.risk = 0.36;
  EXPECT_EQ(rule("gmail.read"), "tools.limit");
  EXPECT_EQ(rule("web.fetch"), "tools.allow");
  risk.names = {"prompt_injection"};
  EXPECT_EQ(rule("web.fetch"), "tools.lockdown");
  risk.names = {"exfiltration"};
  EXPECT_EQ(rule("gmail.read"), "tools.exfiltration");
  EXPECT_EQ(rule("security.review"), "tools.review");
}

struct Gated {
  ScanContext context = make_context();
  ActionGate gate;
  explicit Gated(AgentFacts facts = {})
      : gate(context, {.enforced = policy_of({{"actions.yaml", kActions}}), .monitored = {}},
             {.agent_id = "bob/agent",
              .tenant = {},
              .session_id = {},
              .facts = std::move(facts),
              .surface = "reply",
              .provider = "openai",
              .model = "m"},
             {}) {}
};

TEST(ActionGate, CutsSecretsOutOfArguments) {
  Gated gated;
  const std::string arguments = R"({"to":"x","body":"key )" + kSecret + R"("})";
  const auto answer = gated.gate.judge({.tool = "mail", .arguments = arguments});
  EXPECT_EQ(answer.say, ActionGate::Say::kChange);
  EXPECT_THAT(answer.changed, Not(HasSubstr(kSecret)));
  EXPECT_THAT(answer.changed, HasSubstr(R"("to":"x")"));
  EXPECT_THAT(gated.gate.actions().front().labels, Contains("SECRET"));
  EXPECT_THAT(gated.gate.actions().front().shown, Not(HasSubstr(kSecret)));
}

TEST(ActionGate, ShowsNoSecretToWhoApproves) {
  AgentFacts facts;
  facts.environment = "prod";
  Gated gated(facts);
  const std::string arguments = R"({"amount":5000,"note":")" + kSecret + R"("})";
  EXPECT_EQ(gated.gate.judge({.tool = "refund", .arguments = arguments}).say,
            ActionGate::Say::kWait);
  const JudgedAction& action = gated.gate.actions().front();
  EXPECT_THAT(action.shown, Not(HasSubstr(kSecret)));
  for (const std::string& input : action.verdict.inputs)
    EXPECT_THAT(input, Not(HasSubstr(kSecret)));
}

TEST(ActionGate, DeniesBeyondItsLimit) {
  Gated gated;
  for (std::size_t i = 0; i < ActionGate::kMaxActions; ++i)
    EXPECT_EQ(gated.gate.judge({.tool = "refund", .arguments = "{}"}).say, ActionGate::Say::kPass);
  EXPECT_EQ(gated.gate.judge({.tool = "refund", .arguments = "{}"}).say, ActionGate::Say::kDeny);
}

TEST(DecideRequest, RefusesWhatItDoesNotKnow) {
  EXPECT_TRUE(read_decide_request(R"({"tool":"x","arguments":{"a":1},"wait":true})"));
  for (const char* body :
       {R"({"arguments":{}})", R"({"tool":5})", R"({"tool":"x","arguments":"{}"})",
        R"({"tool":"x","trust_level":"system"})", R"({"tool":"x","tool":"y"})", "[]"})
    EXPECT_FALSE(read_decide_request(body)) << body;
}

// What is not known to be there is not asked: each module must be seen.
TEST(PolicyView, KnowsEachModuleOfItsBundle) {
  const auto modules = [](const char* name) {
    return policy_of({{std::string("rego/") + name, read_policy(name)}})->modules;
  };
  EXPECT_TRUE(modules("agent.rego").agent);
  EXPECT_TRUE(modules("tools.rego").tools);
  EXPECT_TRUE(modules("prompt.rego").prompt);
  EXPECT_TRUE(modules("output.rego").output);
  EXPECT_FALSE(modules("output.rego").tools);
}

TEST(PolicyShelf, KeepsTheOldOneWhenTheNewOneIsWrong) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("aispm-shelf-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  ::chmod(folder.c_str(), 0700);
  const auto write = [&](const std::string& text) {
    std::ofstream(folder / "actions.yaml") << text;
    ::chmod((folder / "actions.yaml").c_str(), 0600);
  };
  write("rules: [{id: a, match: {tool: x}, outcome: allow}]\n");
  const BundleConfig config{.folder = folder, .keys = {}, .must_be_signed = false};
  const policy::AgentRegistry agents;
  PolicyShelf shelf(config, agents);
  ASSERT_TRUE(shelf.reload());
  const auto before = shelf.local();
  write("rules: [{id: a, match: {tool: x}, outcome: perhaps}]\n");
  EXPECT_FALSE(shelf.reload());
  EXPECT_EQ(shelf.local(), before);
  write("rules: [{id: b, match: {tool: x}, outcome: deny}]\n");
  ASSERT_TRUE(shelf.reload());
  EXPECT_NE(shelf.local()->version(), before->version());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace aispm::gateway
