// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sdk/core/policy/explain.hpp"
#include "sdk/core/policy/learn.hpp"
#include "sdk/core/policy/problems.hpp"
#include "sdk/core/policy/shell_tool.hpp"
#include "tests/unit/policy/replay_support.hpp"

namespace aispm::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using v1::Decision;

const char* const kRefunds = R"(
rules:
  - {id: large, match: {tool: refund}, when: {tool_args_match: {amount: {gt: 1000}}}, outcome: require_approval}
  - {id: small, match: {tool: refund}, outcome: allow}
)";

TEST(Replay, GroupsWhatFlipsWithExamples) {  // POL-022, POL-023
  const std::vector<v1::Event> events = {
      action("refund", R"({"amount": 5})"), action("refund", R"({"amount": 2000})"),
      action("refund", R"({"amount": 3000})"),
      action("refund", R"({"amount": 7})", Decision::OUTCOME_DENY),
      action("mail", "{}", Decision::OUTCOME_ALLOW, "bob")};
  const v1::Simulation report = replay(rules(kRefunds), events);
  EXPECT_EQ(report.events(), 5U);
  EXPECT_EQ(report.unchanged(), 1U);
  EXPECT_EQ(report.stricter(), 3U);
  EXPECT_EQ(report.looser(), 1U);
  ASSERT_EQ(report.flips_size(), 3);
  const auto& most = report.flips(0);
  EXPECT_EQ(most.rule_id(), "large");
  EXPECT_EQ(most.rule_before(), "old");
  EXPECT_EQ(most.count(), 2U);
  EXPECT_EQ(most.after(), Decision::OUTCOME_REQUIRE_APPROVAL);
  EXPECT_THAT(most.event_ids(), ElementsAre(events[1].id(), events[2].id()));
  EXPECT_EQ(report.newest().seconds(), events[4].time().seconds());
  // Another candidate, another answer; the same twice is the same.
  const auto open = rules("{defaults: {outcome: allow}, rules: []}");
  EXPECT_EQ(replay(open, events).stricter(), 0U);
  EXPECT_EQ(replay(open, events).looser(), 1U);
  EXPECT_EQ(replay(rules(kRefunds), events).SerializeAsString(), report.SerializeAsString());
  EXPECT_EQ(replay(rules(kRefunds), events, "bob").events(), 1U);
}

TEST(Replay, SaysWhatCannotBeJudged) {
  v1::Event bare = action("refund", "");
  v1::Event told = action("refund", "");
  told.mutable_action_call()->add_inputs("tool=refund");
  told.mutable_action_call()->add_inputs("args.amount=2000");
  v1::Event redacted = action("refund", R"({"amount": 5, "card": "[REDACTED:pii.card]"})");
  v1::Event stopped = action("refund", "{}", Decision::OUTCOME_KILL_SWITCH);
  const v1::Simulation report = replay(rules(kRefunds), {bare, told, redacted, stopped});
  EXPECT_EQ(report.events(), 4U);
  EXPECT_EQ(report.stricter(), 1U);   // by the recorded input
  EXPECT_EQ(report.unchanged(), 1U);  // `amount` was not redacted
  ASSERT_EQ(report.not_judged_size(), 2);
  EXPECT_THAT(report.not_judged(0).reason(), HasSubstr("freeze"));
  EXPECT_THAT(report.not_judged(1).reason(), HasSubstr("arguments that were not recorded"));
  // Where every answer is the same, nothing needs to be known.
  EXPECT_EQ(replay(rules("rules: [{id: a, match: {tool: refund}, when: {contains_any: [x]}, "
                         "outcome: deny}]"),
                   {bare})
                .stricter(),
            1U);
}

TEST(Replay, DoesNotSayWhereACallWentThatWasNotRecorded) {  // MCP-022
  const auto candidate = bundle_of({{"tools.yaml",
                                     "builtin: false\n"
                                     "tools: [{name: mail, channel: m, destination_field: to}]\n"
                                     "channels: {m: {kind: email, destinations: [\n"
                                     "  {to: '*@example.com', outcome: allow}]}}\n"}});
  const v1::Event redacted = action("mail", R"({"to": "[REDACTED:pii.email]"})");
  const v1::Simulation report = replay(
      candidate, {redacted, action("mail", ""), action("mail", R"({"to": "x@nowhere.net"})")});
  EXPECT_EQ(report.stricter(), 1U);  // the one that is known
  ASSERT_EQ(report.not_judged_size(), 1);
  EXPECT_EQ(report.not_judged(0).count(), 2U);
}

TEST(Replay, AnExpiredCandidateDeniesEverything) {
  v1::Event prompt = action("prompt", "");
  prompt.mutable_action_call()->set_surface("prompt");
  const auto expired =
      rules("expires_at: 2020-01-01T00:00:00Z\ndefaults: {outcome: allow}\nrules: []\n");
  const v1::Simulation said = replay(expired, {prompt, action("x", "{}")});
  ASSERT_EQ(said.flips_size(), 2);
  for (const auto& flip : said.flips()) EXPECT_EQ(flip.rule_id(), "bundle.expired");
}

TEST(Replay, CountsEachActionOnce) {
  v1::Event beside = action("refund", R"({"amount": 1})", Decision::OUTCOME_DENY);
  beside.mutable_decision()->set_mode("monitor");  // of a policy that was only monitored
  EXPECT_EQ(replay(rules(kRefunds), {beside}).events(), 0U);
  v1::Event asked = action("refund", R"({"amount": 2000})", Decision::OUTCOME_REQUIRE_APPROVAL);
  asked.set_trace_id("0af7651916cd43dd8448eb211c80319c");
  v1::Event settled = asked;
  settled.mutable_decision()->set_outcome(Decision::OUTCOME_TIMEOUT);
  for (const auto& events : {std::vector{asked, settled}, std::vector{settled, asked}}) {
    EXPECT_EQ(replay(rules(kRefunds), events).events(), 1U);
    EXPECT_EQ(replay(rules(kRefunds), events).unchanged(), 1U);
  }
  v1::Event again = settled;  // in another exchange
  again.set_trace_id("b7ad6b7169203331b7ad6b7169203331");
  EXPECT_EQ(replay(rules(kRefunds), {asked, settled, again, asked}).events(), 3U);
}

TEST(Replay, JudgesPromptsByTheirRisk) {  // POL-012
  v1::Event prompt = action("prompt", "who are you", Decision::OUTCOME_REQUIRE_APPROVAL);
  prompt.mutable_action_call()->set_surface("prompt");
  prompt.mutable_action_call()->set_risk(0.5);
  EXPECT_EQ(replay(bundle_of({{"risk.yaml", "{}"}}), {prompt}).unchanged(), 1U);
  const auto strict = bundle_of({{"risk.yaml", "thresholds: {allow_below: 0.1, block_at: 0.4}"}});
  EXPECT_EQ(replay(strict, {prompt}).stricter(), 1U);
  EXPECT_EQ(replay(rules(kRefunds), {prompt}).looser(), 1U);
}

TEST(Replay, JudgesCommandsAndRego) {  // POL-016
  const std::string module = R"(package aispm.tools
import rego.v1
default decision := {"outcome": "deny", "rule": "d", "reason": "no"}
decision := {"outcome": "allow", "rule": "a", "reason": "yes"} if { input.posture < 0.2; "net" in input.scopes }
)";
  v1::Event safe = action("fetch", "{}");
  safe.mutable_action_call()->add_inputs("scope=net");
  v1::Event risky = safe;
  risky.mutable_action_call()->set_risk(0.5);
  const v1::Simulation report = replay(bundle_of({{"rego/tools.rego", module}}), {safe, risky});
  EXPECT_EQ(report.unchanged(), 1U);
  EXPECT_EQ(report.stricter(), 1U);
  const auto scopeless = replay(bundle_of({{"rego/tools.rego", module}}), {action("fetch", "{}")});
  EXPECT_EQ(scopeless.stricter(), 0U);  // nobody recorded which scopes there were
  EXPECT_EQ(scopeless.not_judged_size(), 1);
  const std::string guarded = module + "\nhas_guard if input.guard.verdict == \"allow\"\n";
  const auto unknown = replay(bundle_of({{"rego/tools.rego", guarded}}), {safe});
  ASSERT_EQ(unknown.not_judged_size(), 1);
  EXPECT_THAT(unknown.not_judged(0).reason(), HasSubstr("input.guard"));
  const auto commands = bundle_of(
      {{"commands.yaml",
        "{defaults: {outcome: deny}, rules: [{id: t, command: npm test, outcome: allow}]}"}});
  const v1::Simulation shells =
      replay(commands, {action("Bash", R"({"command": "npm test"})"),
                        action("mcp__host__run_shell", R"({"command": "x"})"),
                        action("exec", R"({"cmd": ["rm", "-rf", "/"]})"), action("Bash", "")});
  EXPECT_EQ(shells.unchanged(), 1U);  // `npm test`
  EXPECT_EQ(shells.stricter(), 2U);   // and a tool that is no shell, about which nothing is said
  EXPECT_EQ(shells.not_judged_size(), 1);
}

TEST(Replay, JudgesTextsByTheirDetections) {
  v1::Event call;
  call.set_id("call");
  call.set_agent_id("alice/bot");
  call.set_source(v1::SOURCE_GATEWAY);
  call.mutable_llm_call()->set_provider("openai");
  call.mutable_llm_call()->set_request_model("gpt");
  auto* const detection = call.add_detections();
  detection->set_rule_id("secret.aws");
  detection->set_category("secret");
  detection->set_severity(v1::SEVERITY_HIGH);
  detection->set_confidence(0.9);
  detection->set_surface("prompt");
  const auto texts = [&](const std::string& yaml) {
    const auto policy = Policy::parse(yaml, "texts.yaml");
    Replay replay(nullptr, policy ? *policy : nullptr, {Glob("*"), kNow});
    replay.add(call);
    return replay.report();
  };
  const std::string redact =
      "rules: [{id: s, match: {category: secret, direction: request}, outcome: redact}]";
  EXPECT_EQ(texts(redact).stricter(), 1U);
  EXPECT_EQ(texts(redact).flips(0).tool(), "secret.aws");
  EXPECT_EQ(texts("rules: [{id: s, match: {category: secret, direction: reply}, outcome: deny}]")
                .unchanged(),
            1U);
  EXPECT_EQ(texts("{access: [{agent: '*', models: [claude*]}], rules: []}").stricter(), 1U);
}

TEST(ShellTool, KnowsWhatWouldRun) {
  EXPECT_TRUE(is_shell_tool("Bash"));
  EXPECT_TRUE(is_shell_tool("functions.run_shell-command"));
  EXPECT_FALSE(is_shell_tool("bashful"));
  for (const char* shell :
       {"shell_exec", "host__run_bash", "bash_tool", "executeShell", "cmd", "run_terminal_command",
        "PowerShell", "ssh_exec", "os_command", "execute_system_command", "run_shell_script"})
    EXPECT_TRUE(is_shell_tool(shell)) << shell;
  for (const char* other : {"run_query", "system", "shell_history", "run", "terminal_of_airport",
                            "run_script", "python_exec", "command", "system_tool", "os_version"})
    EXPECT_FALSE(is_shell_tool(other)) << other;
  const auto line = [](const std::string& arguments) {
    const auto parsed = Arguments::parse(arguments);
    return parsed ? shell_command(parsed->leaves()) : std::nullopt;
  };
  EXPECT_EQ(line(R"({"command": "ls", "timeout": 5})"), "ls");
  EXPECT_EQ(line(R"({"cmd": ["echo", "it's"]})"), R"('echo' 'it'\''s')");
  EXPECT_EQ(line(R"({"cmd": "ls", "script": "rm"})"), std::nullopt);
  EXPECT_EQ(line(R"({"path": "ls"})"), std::nullopt);
  EXPECT_EQ(line(R"({"args": ["-c", "id; ls"], "command": "bash"})"), "bash '-c' 'id; ls'");
  EXPECT_EQ(line(R"({"command": "ls", "args": "-l /"})"), "ls -l /");
  EXPECT_EQ(line(R"({"command": "ls", "args": [5]})"), std::nullopt);
  EXPECT_EQ(line(R"({"command": "ls", "env": {"PATH": "/x"}})"), "PATH='/x' ls");
  EXPECT_EQ(line(R"({"command": "ls", "env": ["LD_PRELOAD=/x y"]})"), "LD_PRELOAD='/x y' ls");
  EXPECT_EQ(line(R"({"command": "ls", "env": {"A-B": "c"}})"), std::nullopt);
}

TEST(ShellTool, JudgesTheWordsBesideACommand) {
  const auto commands = CommandGovernor::compile(
      {{.id = "tests", .pattern = "npm test", .outcome = model::Outcome::kAllow, .reason = {}},
       {.id = "npm", .pattern = "npm run *", .outcome = model::Outcome::kAllow, .reason = {}}},
      model::Outcome::kDeny);
  ASSERT_TRUE(commands);
  const auto outcome = [&](const std::string& arguments) {
    const auto parsed = Arguments::parse(arguments);
    return parsed ? judge_shell_call(*commands, parsed->leaves()).outcome
                  : model::Outcome::kKillSwitch;
  };
  EXPECT_EQ(outcome(R"({"command": "npm test"})"), model::Outcome::kAllow);
  EXPECT_EQ(outcome(R"({"command": "npm", "args": ["test"]})"), model::Outcome::kAllow);
  EXPECT_EQ(outcome(R"({"command": "npm test", "env": {"CI": "1"}})"), model::Outcome::kAllow);
  EXPECT_EQ(outcome(R"({"command": "npm test", "args": ["; ls"]})"), model::Outcome::kDeny);
  EXPECT_EQ(outcome(R"({"command": "npm", "args": ["exec", "x"]})"), model::Outcome::kDeny);
  EXPECT_EQ(outcome(R"({"command": "npm run a", "args": ["; ls"]})"), model::Outcome::kDeny);
  EXPECT_EQ(outcome(R"({"command": "npm test #", "args": ["\nls"]})"), model::Outcome::kDeny);
  EXPECT_EQ(outcome(R"({"command": "npm test", "env": {"PATH": "/x"}})"), model::Outcome::kDeny);
}

TEST(ShellTool, JudgesTheProgramThatRunsACommand) {
  const auto commands = CommandGovernor::compile(
      {{.id = "tests", .pattern = "npm test", .outcome = model::Outcome::kAllow, .reason = {}},
       {.id = "npm", .pattern = "npm run *", .outcome = model::Outcome::kAllow, .reason = {}}},
      model::Outcome::kDeny);
  const auto forbids = CommandGovernor::compile(
      {{.id = "rm", .pattern = "rm *", .outcome = model::Outcome::kDeny, .reason = {}}},
      model::Outcome::kAllow);
  ASSERT_TRUE(commands && forbids);
  const auto outcome = [](const CommandGovernor& governor, const std::string& arguments) {
    const auto parsed = Arguments::parse(arguments);
    return parsed ? judge_shell_call(governor, parsed->leaves()).outcome
                  : model::Outcome::kKillSwitch;
  };
  for (const char* const shell :
       {R"("/bin/bash")", R"("sh")", "true", "false", R"("")", R"("/usr/bin/zsh")",
        R"(["bash", "-c"])", R"({"type": "bash", "login": true})"})
    EXPECT_EQ(outcome(*commands, R"({"command": "npm test", "shell": )" + std::string(shell) + "}"),
              model::Outcome::kAllow)
        << shell;
  for (const char* const shell : {R"("/bin/evil")", R"("/tmp/bash")", R"(["/bin/evil", "-x"])",
                                  R"({"program": "/bin/evil"})", R"("npm test #")", R"("npm run")"})
    EXPECT_EQ(outcome(*commands, R"({"command": "npm test", "shell": )" + std::string(shell) + "}"),
              model::Outcome::kDeny)
        << shell;
  EXPECT_EQ(outcome(*commands, R"({"command": "npm test", "executable": "/bin/evil"})"),
            model::Outcome::kDeny);
  EXPECT_EQ(outcome(*forbids, R"({"command": "ls", "shell": "rm -rf /"})"), model::Outcome::kDeny);
  EXPECT_EQ(outcome(*forbids, R"({"command": "rm x", "shell": "/x"})"), model::Outcome::kDeny);
  EXPECT_EQ(outcome(*forbids, R"({"command": "ls", "shell": "/x"})"), model::Outcome::kAllow);
}

TEST(ActionPolicy, ListsWhatArgumentsMayBe) {
  const auto bundle = rules(R"(
rules:
  - {id: a, match: {tool: t}, when: {tool_args_only: [kind, 'items.*'], tool_args_match: {kind: {one_of: [x, 5, true]}, 'items.*': {one_of: [1, 2]}}}, outcome: allow}
)");
  const auto outcome = [&](const std::string& arguments) {
    return replay(bundle, {action("t", arguments)}).unchanged() == 1;
  };
  EXPECT_TRUE(outcome(R"({"kind": "x", "items": [1, 2, 2]})"));
  EXPECT_TRUE(outcome(R"({"kind": "5", "items": [1]})"));
  EXPECT_TRUE(outcome(R"({"kind": "true", "items": ["2"]})"));
  EXPECT_FALSE(outcome(R"({"kind": "y", "items": [1]})"));
  EXPECT_FALSE(outcome(R"({"kind": "x", "items": [1, 3]})"));  // all of them must
  EXPECT_FALSE(outcome(R"({"kind": "x"})"));                   // not there
  EXPECT_FALSE(outcome(R"({"kind": "x", "items": [1], "more": 1})"));
  EXPECT_FALSE(Arguments::parse(R"({"a.b": 1, "a": {"b": 2}})"));
}

std::vector<v1::Event> a_week() {
  std::vector<v1::Event> events;
  for (int i = 0; i < 8; ++i) {
    events.push_back(action("search", R"({"query": "words )" + std::to_string(i) +
                                          R"(", "limit": )" + std::to_string(5 + i) + "}"));
    events.push_back(
        action("Bash", R"({"command": "git log -n )" + std::to_string(i) + " && npm test\"}"));
  }
  for (const char* place : {"a.example", "b.example"}) {
    events.push_back(action("post", R"({"kind": "note", "items": [{"price": 3}, {"price": 9}]})"));
    events.back().mutable_action_call()->set_destination(place);
  }
  events.push_back(action("Bash", R"({"command": "rm -rf /tmp/x"})", Decision::OUTCOME_DENY));
  events.push_back(action("search", R"({"query": "x", "limit": 5000})", Decision::OUTCOME_DENY));
  events.push_back(action("refund", R"({"amount": 1})", Decision::OUTCOME_REQUIRE_APPROVAL));
  events.push_back(action("drop", R"({})", Decision::OUTCOME_REJECTED));
  events.push_back(action("other", R"({})", Decision::OUTCOME_ALLOW, "bob"));
  return events;
}

TEST(Learner, ProposesWhatWasDoneAndNothingElse) {
  const auto events = a_week();
  Learner learner("alice/bot");
  for (const v1::Event& event : events) learner.add(event);
  const auto proposal = learner.propose();
  ASSERT_TRUE(proposal) << proposal.error().message;
  EXPECT_EQ(proposal->events(), 22U);
  EXPECT_EQ(proposal->learned(), 19U);
  std::vector<FolderFile> files;
  for (const auto& file : proposal->files()) files.push_back({file.path(), file.content()});
  const auto learned = bundle_of(files);
  ASSERT_NE(learned, nullptr);
  const v1::Simulation check = replay(learned, events, "alice/bot");
  EXPECT_EQ(check.stricter() + check.looser(), 1U) << check.DebugString() << files[0].content;
  ASSERT_EQ(check.flips_size(), 1);  // what a person refused needs nobody any more
  EXPECT_EQ(check.flips(0).tool(), "drop");
  EXPECT_EQ(check.not_judged_size(), 0);
  const auto passes = [&](const v1::Event& event) {
    return replay(learned, {event}).unchanged() == 1;
  };
  EXPECT_TRUE(passes(action("search", R"({"query": "anything", "limit": 12})")));
  EXPECT_FALSE(passes(action("search", R"({"query": "anything", "limit": 13})")));
  EXPECT_FALSE(passes(action("search", R"({"query": "anything", "limit": 5, "raw": true})")));
  EXPECT_FALSE(
      passes(action("search", R"({"query": "x", "limit": 5})", Decision::OUTCOME_ALLOW, "bob")));
  EXPECT_FALSE(passes(action("post", R"({"kind": "note", "items": [{"price": 3}]})")));  // nowhere
  v1::Event post = action("post", R"({"kind": "note", "items": [{"price": 3}]})");
  post.mutable_action_call()->set_destination("a.example");
  EXPECT_TRUE(passes(post));
  post.mutable_action_call()->set_arguments_text(R"({"kind": "note", "items": [{"price": 4}]})");
  EXPECT_FALSE(passes(post));  // between the two that were seen, and seen too seldom
  EXPECT_TRUE(passes(action("Bash", R"({"command": "git log --all"})")));
  EXPECT_FALSE(passes(action("Bash", R"({"command": "git push"})")));
  EXPECT_FALSE(passes(action("Bash", R"({"command": "npm test; rm -rf /"})")));
}

TEST(Learner, HasNothingToSayOfWhatWasDenied) {
  Learner learner("alice/bot");
  learner.add(action("x", "{}", Decision::OUTCOME_DENY));
  v1::Event seen = action("y", "{}");
  seen.add_detections()->set_rule_id("secret.a");
  learner.add(seen);
  EXPECT_FALSE(learner.propose());
}

TEST(Explain, NamesRuleAndWhatWouldChangeIt) {  // POL-026
  const auto bundle = rules(kRefunds);
  v1::Event event = action("refund", R"({"amount": 2000})", Decision::OUTCOME_REQUIRE_APPROVAL);
  event.mutable_decision()->set_rule_id("large");
  const v1::Explanation why = explain_action(bundle.get(), event);
  EXPECT_EQ(why.place(), "actions.yaml:3");
  EXPECT_THAT(why.held(), testing::Contains("args.amount is 2000, asked for greater than 1000"));
  EXPECT_THAT(why.otherwise(),
              ElementsAre("Without one of these rule `small` (actions.yaml:4) decides allow"));
  v1::Event small = action("refund", R"({"amount": 20})");
  small.mutable_decision()->set_rule_id("small");
  EXPECT_THAT(
      explain_action(bundle.get(), small).otherwise(1),
      "args.amount is 20, asked for greater than 1000: else rule `large` (actions.yaml:3) decides "
      "require_approval");
  EXPECT_EQ(explain_action(nullptr, event).gaps_size(), 1);
}

TEST(Problems, NameLineAndColumn) {  // POL-021
  const auto validation =
      validate_bundle({{"actions.yaml", "rules:\n  - {id: a, outcome: perhaps}\n"},
                       {"commands.yaml",
                        "rules:\n  - id: a\n    colour: red\n    command: x\n    outcome: allow\n"},
                       {"rego/a.rego", "package a\n\nimport rego.v1\n\nx := {\n"},
                       {"risk.yaml", "base: [\n"}});
  ASSERT_EQ(validation.problems_size(), 4) << validation.DebugString();
  const auto place = [&](int i) {
    const auto& problem = validation.problems(i);
    return problem.path() + ":" + std::to_string(problem.line()) + ":" +
           std::to_string(problem.column());
  };
  EXPECT_EQ(place(0), "actions.yaml:2:13");
  EXPECT_THAT(validation.problems(0).message(), HasSubstr("outcome: must be one of allow"));
  EXPECT_EQ(place(1), "commands.yaml:3:5");
  EXPECT_THAT(place(2), HasSubstr("risk.yaml:2"));
  EXPECT_THAT(place(3), HasSubstr("rego/a.rego:"));
  EXPECT_GT(validation.problems(3).line(), 4U);
  EXPECT_GT(validation.problems(3).column(), 0U);
  const auto good = validate_bundle({{"actions.yaml", kRefunds}});
  EXPECT_EQ(good.problems_size(), 0);
  EXPECT_EQ(good.action_rules(), 2U);
  EXPECT_EQ(good.digest().size(), 64U);
}

}  // namespace
}  // namespace aispm::policy
