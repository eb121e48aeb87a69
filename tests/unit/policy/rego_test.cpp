// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/rego.hpp"

#include <gmock/gmock.h>
#include <simdjson.h>

#include <filesystem>
#include <map>
#include <set>

#include "sdk/core/common/file.hpp"
#include "sdk/core/policy/rego_decision.hpp"

namespace aispm::policy {
namespace {

using testing::HasSubstr;

const std::string kFolder = std::string(AISPM_SOURCE_DIR) + "/policies/rego";
constexpr const char* kSettings =
    R"({"settings": {"models": {"denied": ["denied-model", "toy-*"]}, "egress": {"allowed": ["api.example.com", "*.example.org", "webhook.site"]}}})";

std::vector<RegoModule> shipped() {
  std::vector<RegoModule> modules;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".rego") continue;
    const auto text = read_file(entry.path(), 1U << 20);
    if (text) modules.push_back({entry.path().filename(), *text});
  }
  return modules;
}

std::string error_of(const std::string& text) {
  const auto rego = Rego::compile({{"m.rego", text}}, "{}");
  return rego ? "" : rego.error().message;
}

// POL-011 to POL-018 and MCP-005 to MCP-008: the table that `opa test policies/rego` is held to,
// too.
TEST(ShippedRego, DecidesTheTable) {
  const auto rego = Rego::compile(shipped(), kSettings);
  ASSERT_TRUE(rego) << rego.error().message;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  ASSERT_EQ(parser.load(kFolder + "/tests/cases.json").get(root), simdjson::SUCCESS);
  std::size_t judged = 0;
  for (const auto module : root["cases"].get_object()) {
    for (const auto one : module.value.get_array()) {
      const auto answer = rego->evaluate("data.aispm." + std::string(module.key) + ".decision",
                                         simdjson::minify(one["input"]));
      ASSERT_TRUE(answer) << answer.error().message;
      simdjson::dom::parser other;
      simdjson::dom::element decision;
      ASSERT_EQ(other.parse(*answer).get(decision), simdjson::SUCCESS) << *answer;
      for (const auto field : one["expect"].get_object()) {
        simdjson::dom::element got;
        ASSERT_EQ(decision[field.key].get(got), simdjson::SUCCESS)
            << module.key << ": " << one["name"] << ": " << *answer;
        EXPECT_EQ(simdjson::minify(got), simdjson::minify(field.value))
            << module.key << ": " << one["name"] << ": " << *answer;
      }
      ++judged;
    }
  }
  EXPECT_GE(judged, 200U);
}

TEST(Rego, SaysWhereAModuleIsWrong) {  // POL-021
  EXPECT_THAT(error_of("package a\nimport rego.v1\nx := {\n"), HasSubstr("m.rego:"));
  EXPECT_THAT(error_of("package a\nimport rego.v1\nx if unknown_function(1)\n"),
              HasSubstr("m.rego:3"));
  EXPECT_NE(error_of("x := 1"), "");
}

// `decision` runs as a program, `x` in the interpreter.
class RegoBothWays : public testing::TestWithParam<const char*> {
 protected:
  // A module whose rule is named by the parameter.
  static Result<Rego> compile(const std::string& body, RegoLimits limits = {}) {
    return Rego::compile({{"m", "package a\nimport rego.v1\n" + with_name(body)}}, "{}", limits);
  }
  static std::string rule() { return std::string("data.a.") + GetParam(); }

 private:
  static std::string with_name(std::string body) {
    for (std::size_t at = body.find('@'); at != std::string::npos; at = body.find('@'))
      body.replace(at, 1, GetParam());
    return body;
  }
};
INSTANTIATE_TEST_SUITE_P(Ways, RegoBothWays, testing::Values("decision", "x"),
                         [](const auto& way) { return std::string(way.param); });

TEST_P(RegoBothWays, UndefinedIsNull) {
  const auto rego = compile("@ if input.y == 1\n");
  ASSERT_TRUE(rego) << rego.error().message;
  EXPECT_EQ(rego->evaluate(rule(), "{}").value(), "null");
  EXPECT_EQ(rego->evaluate(rule(), R"({"y": 1})").value(), "true");
  EXPECT_FALSE(rego->evaluate(rule(), "{"));
  EXPECT_FALSE(rego->evaluate("data.nothing.x", "{}"));
}

TEST_P(RegoBothWays, StopsWhatTakesTooLong) {
  const auto eager = compile(
      "@ := count([1 | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); i == "
      "j])\n",
      {.time = std::chrono::milliseconds(20)});
  ASSERT_FALSE(eager) << "evaluated once when it is compiled";
  EXPECT_THAT(eager.error().message, HasSubstr("time"));
  const auto lazy = compile(
      "@ := count([1 | some i in numbers.range(1, input.n); some j in numbers.range(1, input.n); i "
      "== j])\n",
      {.time = std::chrono::milliseconds(20)});
  ASSERT_TRUE(lazy) << lazy.error().message;
  EXPECT_EQ(lazy->evaluate(rule(), R"({"n": 3})").value(), "3");
  const auto late = lazy->evaluate(rule(), R"({"n": 5000})");
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().message, HasSubstr("time"));
}

TEST_P(RegoBothWays, StopsWhatTakesTooMuchMemory) {
  const auto rego = compile(
      "@ := [s | some i in numbers.range(1, input.n); s := sprintf(\"%d%s\", [i, input.s])]\n",
      {.time = std::chrono::seconds(20)});
  ASSERT_TRUE(rego) << rego.error().message;
  const std::string text(100'000, 'a');
  EXPECT_TRUE(rego->evaluate(rule(), R"({"n": 3, "s": "a"})"));
  const auto greedy = rego->evaluate(rule(), R"({"n": 20000, "s": ")" + text + R"("})");
  ASSERT_FALSE(greedy) << "2 GB";
  EXPECT_THAT(greedy.error().message, HasSubstr("memory"));
  EXPECT_TRUE(rego->evaluate(rule(), R"({"n": 3, "s": "a"})")) << "it was given back";
}

TEST_P(RegoBothWays, LongListsAreNoError) {
  const auto rego = compile("@ := count([1 | some i in input.all; i > 3])\n");
  ASSERT_TRUE(rego) << rego.error().message;
  std::string all = "1";
  for (int i = 2; i <= 10'000; ++i) all += "," + std::to_string(i);
  EXPECT_EQ(rego->evaluate(rule(), R"({"all": [)" + all + "]}").value(), "9997");
}

// Each row has its cases at the borders in that table.
TEST(ShippedRego, EveryRowIsInTheTable) {
  const std::map<std::string, std::size_t> rows = {{"prompt", 21},  // POL-012: 21 boundary cases
                                                   {"memory", 16},  // POL-013
                                                   {"output", 10},  // POL-014
                                                   {"write_approval", 6},  // POL-015
                                                   {"egress", 15},         // POL-016
                                                   {"retrieval", 15},      // POL-017
                                                   {"budget", 10},         // POL-018
                                                   {"tools", 60},          // MCP-005 to MCP-008
                                                   {"agent", 10},         {"model", 8}, {"pii", 7}};
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  ASSERT_EQ(parser.load(kFolder + "/tests/cases.json").get(root), simdjson::SUCCESS);
  for (const auto& [module, least] : rows) {
    simdjson::dom::array cases;
    ASSERT_EQ(root["cases"][module].get_array().get(cases), simdjson::SUCCESS) << module;
    EXPECT_GE(cases.size(), least) << module;
    std::set<std::string> outcomes;
    for (const auto one : cases)
      outcomes.insert(std::string(one["expect"]["outcome"].get_string().value()));
    EXPECT_GE(outcomes.size(), 2U) << module << ": cases that all say the same prove nothing";
  }
}

// Decisions run as programs; what is not called `decision` runs in the interpreter.
TEST(ShippedRego, RunsAsProgramsAndSaysWhatTheInterpreterSays) {  // POL-025
  std::vector<RegoModule> modules = shipped();
  for (const char* name : {"tools", "memory", "output", "prompt", "pii", "agent", "model", "egress",
                           "retrieval", "budget", "write_approval"})
    modules.push_back({std::string("by_interpreter_") + name,
                       std::string("package by_interpreter.") + name +
                           "\nimport rego.v1\nanswer := data.aispm." + name + ".decision\n"});
  const auto rego = Rego::compile(modules, kSettings);
  ASSERT_TRUE(rego) << rego.error().message;
  EXPECT_TRUE(rego->interpreted().empty())
      << rego->interpreted().begin()->first << ": " << rego->interpreted().begin()->second;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  ASSERT_EQ(parser.load(kFolder + "/tests/cases.json").get(root), simdjson::SUCCESS);
  std::vector<std::string> inputs = {"{}", "null", "[]", R"({"tool": 1, "signals": "x"})"};
  for (const auto module : root["cases"].get_object())
    for (const auto one : module.value.get_array())
      inputs.push_back(simdjson::minify(one["input"]));
  // Each module is asked about the others' inputs, too.
  for (const std::string& package : rego->packages()) {
    if (!package.starts_with("data.aispm.")) continue;
    const std::string slow = "data.by_interpreter." + package.substr(11) + ".answer";
    for (const std::string& input : inputs) {
      const auto program = rego->evaluate(package + ".decision", input);
      const auto interpreter = rego->evaluate(slow, input);
      ASSERT_EQ(program.has_value(), interpreter.has_value()) << package << " " << input;
      if (program) {
        EXPECT_EQ(*program, *interpreter) << package << " " << input;
      }
    }
  }
}

// The machine would choose one value where Rego says that two are an error.
TEST(Rego, InterpretsWhateverCouldGiveTwoValues) {  // POL-033
  const struct {
    const char* body;
    const char* input;
    bool fails;
  } cases[] = {
      {"decision := 1 if input.a\ndecision := 2 if input.b", R"({"a": true, "b": true})", true},
      {"decision := v if some v in input.a", R"({"a": [1, 2]})", true},
      {"decision := v if v := input.a[_]", R"({"a": [1, 2]})", true},
      {"decision := input.a[i] if {\n some i in [0, 1]\n input.a[i]\n}", R"({"a": [1, 2]})", true},
      {"decision := {\"x\": v} if {\n some v in input.a\n v > 0\n}", R"({"a": [1, 2]})", true},
      {"f(x) := 1 if x > 1\nf(x) := 2 if x > 2\ndecision := f(input.a)", R"({"a": 3})", true},
      {"f(x) := v if some v in x\ndecision := f(input.a)", R"({"a": [1, 2]})", true},
      {"decision if not c\nc := 1 if input.a\nc := 2 if input.b", R"({"a": true, "b": true})",
       true},
      {"decision if not data.a.c\nc := 1 if input.a\nc := 2 if input.b", R"({"a": 1, "b": 1})",
       true},
      {"o[k] := v if {\n some p in input.a\n k := p[0]\n v := p[1]\n}\ndecision := 1 if o[1]",
       R"({"a": [[1, 2], [1, 3]]})", true},
      {"decision := {k: v | some k in [1]; some v in input.a}", R"({"a": [1, 2]})", true},
      {"decision if {\n x := {k: v | some k in [1]; some v in input.a}\n not x[2]\n}",
       R"({"a": [1, 2]})", true},
      {"decision contains x if {\n some y in input.a\n x := {k: z | some k in [1]; some z in "
       "input.a}\n}",
       R"({"a": [1, 2]})", true},
      {"default decision := 5\ndecision := 6 if input.a\ndecision := 7 if input.b",
       R"({"a": true, "b": true})", true},
      // These cannot, and run as programs.
      {"decision := 6 if input.a else := 7 if input.b", R"({"a": true, "b": true})", false},
      {"decision if input.a\ndecision if input.b", R"({"a": true, "b": true})", false},
      {"decision := \"x\" if some v in input.a", R"({"a": [1, 2]})", false},
      {"decision := [v | some v in input.a]", R"({"a": [1, 2]})", false},
      {"decision contains v if some v in input.a", R"({"a": [1, 2]})", false},
      {"decision := input.a[input.i]", R"({"a": [1, 2], "i": 1})", false},
      {"default decision := 5\ndecision := 6 if input.a", R"({"a": true})", false},
  };
  for (const auto& one : cases) {
    const auto rego =
        Rego::compile({{"m", std::string("package a\nimport rego.v1\n") + one.body + "\n"}}, "{}");
    ASSERT_TRUE(rego) << one.body << ": " << rego.error().message;
    EXPECT_EQ(rego->interpreted().size(), one.fails ? 1U : 0U) << one.body;
    EXPECT_EQ(rego->evaluate("data.a.decision", one.input).has_value(), !one.fails) << one.body;
  }
}

TEST(RegoDecision, OnlyAJudgesWordDecides) {
  const auto rego = Rego::compile(
      {{"m", "package aispm.x\nimport rego.v1\ndecision := input.said if input.said\n"}}, "{}");
  ASSERT_TRUE(rego) << rego.error().message;
  using model::Outcome;
  const auto asked = ask_module(
      *rego, "x",
      R"({"said": {"outcome": "step_up", "rule": "r", "reason": "why", "approver_role": "a"}})");
  EXPECT_EQ(asked.outcome, Outcome::kStepUp);
  EXPECT_EQ(asked.rule + asked.reason + asked.approver_role, "rwhya");
  EXPECT_EQ(ask_module(*rego, "x", R"({"said": {"outcome": "allow"}})").outcome, Outcome::kAllow);
  for (const char* said :
       {"{}", R"({"said": "allow"})", R"({"said": ["allow"]})",
        R"({"said": {"outcome": "approved"}})", R"({"said": {"outcome": 1}})",
        R"({"said": {"outcome": "unspecified"}})", R"({"said": {"outcome": ""}})"}) {
    EXPECT_EQ(ask_module(*rego, "x", said).outcome, Outcome::kDeny) << said;
    EXPECT_EQ(ask_module(*rego, "x", said).rule, "x.undecided") << said;
  }
  EXPECT_EQ(ask_module(*rego, "absent", "{}").rule, "absent.error");
  EXPECT_EQ(ask_module(*rego, "x", "{").outcome, Outcome::kDeny);
}

TEST(Rego, InterpretsWhatIsNoProgramAndSaysWhy) {
  const auto rego =
      Rego::compile({{"m.rego",
                      "package a\nimport rego.v1\nhelp if input.x == 1\ndecision := 7 if help with "
                      "input as {\"x\": input.y}\n"}},
                    "{}");
  ASSERT_TRUE(rego) << rego.error().message;
  ASSERT_EQ(rego->interpreted().count("data.a.decision"), 1U);
  EXPECT_THAT(rego->interpreted().at("data.a.decision"), HasSubstr("`with`"));
  EXPECT_EQ(rego->evaluate("data.a.decision", R"({"y": 1})").value(), "7");
  EXPECT_EQ(rego->evaluate("data.a.decision", R"({"x": 1})").value(), "null");
}

// Every rule's condition of these modules at once, and each of them alone: one decision, and always
// the same.
TEST(ShippedRego, OverlappingRulesGiveOneDecision) {  // POL-033
  const auto rego = Rego::compile(shipped(), kSettings);
  ASSERT_TRUE(rego) << rego.error().message;
  const std::vector<std::string> tools = {"security.review", "gmail.read", "gmail.send", "web.x",
                                          "unknown"};
  const std::vector<std::string> signals = {"[]", R"(["exfiltration"])", R"(["prompt_injection"])",
                                            R"(["exfiltration", "prompt_injection", "jailbreak"])"};
  std::size_t asked = 0;
  for (const char* module : {"tools", "memory", "pii", "output", "prompt", "egress"})
    for (const std::string& tool : tools)
      for (const std::string& signal : signals)
        for (const char* posture : {"0", "0.26", "0.5", "1"})
          for (
              const char* more :
              {"", R"(, "intent": "send mail", "scopes": ["gmail:send", "web:access"])",
               R"(, "pii": {"types": ["EMAIL", "CREDIT_CARD"], "count": 9}, "memory": {"operation": "write", "size": 9999999}, "output": {"secret": true, "pii": true, "guard": "block"}, "destination": "evil.com", "content": "x", "guard": {"verdict": "block", "score": 1})"}) {
            const std::string input = R"({"tool": {"name": ")" + tool + R"("}, "signals": )" +
                                      signal + R"(, "posture": )" + posture + more + "}";
            const std::string rule = std::string("data.aispm.") + module + ".decision";
            const auto once = rego->evaluate(rule, input);
            ASSERT_TRUE(once) << module << " " << input << ": " << once.error().message;
            EXPECT_THAT(*once, HasSubstr("\"outcome\"")) << module << " " << input;
            EXPECT_EQ(*once, rego->evaluate(rule, input).value());
            ++asked;
          }
  EXPECT_EQ(asked, 6U * 5 * 4 * 4 * 3);
}

TEST_P(RegoBothWays, OverlappingRulesOfOneValueAreAnErrorNotAChoice) {  // POL-033
  const auto rego = compile("@ := 1 if input.a\n@ := 2 if input.b\n");
  ASSERT_TRUE(rego) << rego.error().message;
  EXPECT_EQ(rego->evaluate(rule(), R"({"a": true})").value(), "1");
  EXPECT_FALSE(rego->evaluate(rule(), R"({"a": true, "b": true})"));
}

}  // namespace
}  // namespace aispm::policy
