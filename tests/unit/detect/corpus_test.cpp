// SPDX-License-Identifier: Apache-2.0
// Measures the shipped packs on a development corpus, where there is one: AISPM_SHARED_DATA, or
// ../shared/data beside the sources. Floors stand slightly below what was measured, so that a
// change which costs recall or precision is seen. Patterns were tuned on this corpus: the figures
// say nothing about other sources.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {
namespace {

std::string corpus_folder() {
  const char* const configured = std::getenv("AISPM_SHARED_DATA");
  const std::string data =
      configured != nullptr ? configured : std::string(AISPM_SOURCE_DIR) + "/../shared/data";
  return data + "/detection/dev";
}

const std::map<std::string, Surface, std::less<>> kSurfaces = {
    {"user_prompt", Surface::kPrompt},
    {"tool_result", Surface::kToolResult},
    {"tool_description", Surface::kToolDescription},
    {"llm_output", Surface::kReply},
    {"email", Surface::kToolResult},
    {"web", Surface::kToolResult},
    {"tool_call", Surface::kToolArguments}};

struct Share {
  std::size_t rows = 0;
  std::size_t fired = 0;
  double percent() const {
    return rows == 0 ? 0 : 100.0 * static_cast<double>(fired) / static_cast<double>(rows);
  }
};

struct Question {
  const char* file;
  bool benign;  // rows labelled benign, or all others
  Category category;
  model::Severity severity;  // at least
  double low;                // percent
  double high;
};

// What the rules found in one row.
struct Row {
  bool benign = false;
  std::vector<std::pair<Category, model::Severity>> found;
};

std::vector<Row> scan_rows(const std::string& path) {
  const auto engine = shipped_engine();
  auto scratch = engine->make_scratch();
  EXPECT_TRUE(scratch);
  std::vector<Row> rows;
  std::ifstream file(path);
  simdjson::dom::parser parser;
  std::vector<Match> matches;
  for (std::string line; std::getline(file, line);) {
    const auto row = parser.parse(line);
    const auto surface = kSurfaces.find(std::string_view(row["surface"]));
    if (surface == kSurfaces.end()) continue;
    const auto scanned =
        engine->scan(std::string_view(row["text"]), surface->second, *scratch, matches);
    EXPECT_TRUE(scanned) << scanned.error().message;
    Row& kept = rows.emplace_back();
    kept.benign = std::string_view(row["label"]) == "benign";
    for (const Match& match : matches) {
      const Rule& rule = engine->rules()[match.rule];
      kept.found.emplace_back(rule.category, rule.severity);
    }
  }
  return rows;
}

Share measure(const Question& question) {
  static std::map<std::string, std::vector<Row>> scanned;  // each file once
  auto known = scanned.find(question.file);
  if (known == scanned.end())
    known = scanned.emplace(question.file, scan_rows(corpus_folder() + "/" + question.file)).first;
  Share share;
  for (const Row& row : known->second) {
    if (row.benign != question.benign) continue;
    ++share.rows;
    share.fired += std::any_of(row.found.begin(), row.found.end(), [&](const auto& found) {
      return found.first == question.category && found.second >= question.severity;
    });
  }
  return share;
}

class Corpus : public testing::TestWithParam<Question> {};

TEST_P(Corpus, StaysWithinItsBounds) {
  if (!std::filesystem::exists(corpus_folder()))
    GTEST_SKIP() << "no corpus at " << corpus_folder()
                 << "; set AISPM_SHARED_DATA to a folder that holds detection/dev";
  const Question& question = GetParam();
  const Share share = measure(question);
  std::printf("%s %s, %s of severity %s and above: %zu of %zu (%.2f %%)\n", question.file,
              question.benign ? "benign" : "others",
              std::string(name_of(question.category)).c_str(),
              std::string(model::name_of(question.severity)).c_str(), share.fired, share.rows,
              share.percent());
  ASSERT_GT(share.rows, 0U);
  EXPECT_GE(share.percent(), question.low);
  EXPECT_LE(share.percent(), question.high);
}

constexpr auto kAny = model::Severity::kInfo;
constexpr auto kHigh = model::Severity::kHigh;
INSTANTIATE_TEST_SUITE_P(
    Figures, Corpus,
    testing::Values(
        Question{"prompts_attack.jsonl", false, Category::kJailbreak, kHigh, 13, 100},
        Question{"prompts_benign.jsonl", true, Category::kJailbreak, kHigh, 0, 0.1},
        Question{"indirect_benign.jsonl", true, Category::kExfiltration, kAny, 0, 0.25},
        Question{"prompts_benign.jsonl", true, Category::kExfiltration, kHigh, 0, 0.1},
        Question{"prompts_benign.jsonl", true, Category::kExtraction, kHigh, 0, 0.1},
        Question{"prompts_benign.jsonl", true, Category::kPromptInjection, kAny, 0, 0.5},
        Question{"prompts_benign.jsonl", true, Category::kPromptInjection, kHigh, 0, 0.15},
        // More than half of these are hard negatives that talk about attacks.
        Question{"indirect_benign.jsonl", true, Category::kPromptInjection, kAny, 0, 1.2},
        Question{"indirect_benign.jsonl", true, Category::kPromptInjection, kHigh, 0, 0.6},
        Question{"prompts_benign.jsonl", true, Category::kObfuscation, kAny, 0, 0.05},
        Question{"indirect_benign.jsonl", true, Category::kObfuscation, kAny, 0, 0.1},
        Question{"secrets.jsonl", true, Category::kObfuscation, kAny, 0, 0.2},
        Question{"tool_desc.jsonl", true, Category::kObfuscation, kAny, 0, 0.1},
        // These rows hold the tricks around harmless words: the trick is the finding.
        Question{"obfuscated.jsonl", true, Category::kObfuscation, kAny, 0, 30},
        Question{"obfuscated.jsonl", false, Category::kObfuscation, kAny, 30, 100},
        // Passwords and passport numbers that users of these prompts do tell.
        // Prompts that tell a function a password or a token, which is what was found.
        Question{"prompts_benign.jsonl", true, Category::kSecret, kAny, 0, 0.4},
        Question{"indirect_benign.jsonl", true, Category::kSecret, kAny, 0, 0.2},
        Question{"prompts_benign.jsonl", true, Category::kPii, kHigh, 0, 0.15},
        Question{"pii.jsonl", true, Category::kPii, kAny, 0, 0.5},
        Question{"secrets.jsonl", true, Category::kSecret, kAny, 0, 5},
        Question{"prompts_attack.jsonl", false, Category::kPromptInjection, kAny, 34, 100},
        Question{"indirect_attack.jsonl", false, Category::kPromptInjection, kAny, 32, 100},
        Question{"obfuscated.jsonl", false, Category::kPromptInjection, kAny, 38, 100},
        Question{"secrets.jsonl", false, Category::kSecret, kAny, 89, 100},
        Question{"pii.jsonl", false, Category::kPii, kAny, 54, 100}));

}  // namespace
}  // namespace aispm::detect
