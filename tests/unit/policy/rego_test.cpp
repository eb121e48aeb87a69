// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/rego.hpp"

#include <gmock/gmock.h>
#include <simdjson.h>

#include <filesystem>

#include "sdk/core/common/file.hpp"

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

TEST(Rego, UndefinedIsNull) {
  const auto rego = Rego::compile({{"m", "package a\nimport rego.v1\nx if input.y == 1\n"}}, "{}");
  ASSERT_TRUE(rego) << rego.error().message;
  EXPECT_EQ(rego->evaluate("data.a.x", "{}").value(), "null");
  EXPECT_EQ(rego->evaluate("data.a.x", R"({"y": 1})").value(), "true");
  EXPECT_FALSE(rego->evaluate("data.a.x", "{"));
  EXPECT_FALSE(rego->evaluate("data.nothing.x", "{}"));
}

TEST(Rego, StopsWhatTakesTooLong) {
  const auto rego =
      Rego::compile({{"m",
                      "package a\nimport rego.v1\nx := count([1 | some i in numbers.range(1, "
                      "3000); some j in numbers.range(1, 3000); i == j])\n"}},
                    "{}", {.time = std::chrono::milliseconds(20)});
  ASSERT_FALSE(rego) << "evaluated once when it is compiled";
  EXPECT_THAT(rego.error().message, HasSubstr("time"));
  const auto lazy =
      Rego::compile({{"m",
                      "package a\nimport rego.v1\nx := count([1 | some i in numbers.range(1, "
                      "input.n); some j in numbers.range(1, input.n); i == j])\n"}},
                    "{}", {.time = std::chrono::milliseconds(20)});
  ASSERT_TRUE(lazy) << lazy.error().message;
  EXPECT_EQ(lazy->evaluate("data.a.x", R"({"n": 3})").value(), "3");
  EXPECT_FALSE(lazy->evaluate("data.a.x", R"({"n": 5000})"));
}

TEST(Rego, StopsWhatTakesTooMuchMemory) {
  const auto rego =
      Rego::compile({{"m",
                      "package a\nimport rego.v1\nx := [s | some i in numbers.range(1, input.n); s "
                      ":= sprintf(\"%d%s\", [i, input.s])]\n"}},
                    "{}", {.time = std::chrono::seconds(20)});
  ASSERT_TRUE(rego) << rego.error().message;
  const std::string text(100'000, 'a');
  EXPECT_TRUE(rego->evaluate("data.a.x", R"({"n": 3, "s": "a"})"));
  const auto greedy = rego->evaluate("data.a.x", R"({"n": 20000, "s": ")" + text + R"("})");
  ASSERT_FALSE(greedy) << "2 GB";
  EXPECT_THAT(greedy.error().message, HasSubstr("memory"));
  EXPECT_TRUE(rego->evaluate("data.a.x", R"({"n": 3, "s": "a"})")) << "it was given back";
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

TEST(Rego, OverlappingRulesOfOneValueAreAnErrorNotAChoice) {  // POL-033
  const auto rego = Rego::compile(
      {{"m", "package a\nimport rego.v1\nx := 1 if input.a\nx := 2 if input.b\n"}}, "{}");
  ASSERT_TRUE(rego) << rego.error().message;
  EXPECT_EQ(rego->evaluate("data.a.x", R"({"a": true})").value(), "1");
  EXPECT_FALSE(rego->evaluate("data.a.x", R"({"a": true, "b": true})"));
}

}  // namespace
}  // namespace aispm::policy
