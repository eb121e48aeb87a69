// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/leak_screen.hpp"

#include <algorithm>

#include "gateway/proxy/observe/guardrails.hpp"
#include "sdk/core/codec/json_edit.hpp"

namespace aispm::gateway {

std::string sentinel_pack(const LeakConfig& config) {
  if (config.sentinels.empty()) return {};
  std::string patterns;
  std::string hits;
  for (const std::string& one : config.sentinels) {
    const std::string comma = patterns.empty() ? "" : ",";
    patterns += comma + codec::json_string(literal_pattern(one));
    hits += comma + codec::json_string(one);
  }
  // JSON is YAML.
  return R"({"pack":"sentinels","category":"extraction","rules":[{"id":")" +
         std::string(kSentinelRule) +
         R"(","severity":"critical","confidence":0.99,"caseless":true,)"
         R"("surfaces":["reply","tool_arguments"],"tags":["owasp-llm:LLM07"],)"
         R"("message":"Holds a string that stands in a system prompt to show that it leaks",)"
         R"("patterns":[)" +
         patterns + R"(],"hits":[)" + hits + R"(],"misses":["~"]}]})";
}

namespace {

constexpr std::array<std::string_view, 4> kSchemaKeys = {
    "\"parameters\"", "\"input_schema\"", "\"inputSchema\"", "\"parametersJsonSchema\""};
constexpr std::size_t kLongestKey = 24;
constexpr std::array<std::string_view, 4> kSchemaMarks = {"\"name\"", "\"description\"",
                                                          "\"properties\"", "\"required\""};

bool names_tool(std::string_view text, std::string_view tool) {
  for (auto at = text.find("\"name\""); at != std::string_view::npos;
       at = text.find("\"name\"", at + 1)) {
    const std::size_t value = text.find_first_not_of(" \t\r\n:", at + 6);
    if (value == std::string_view::npos || text[value] != '"') continue;
    const std::string_view said = text.substr(value + 1);
    if (said.starts_with(tool) && said.size() > tool.size() && said[tool.size()] == '"')
      return true;
  }
  return false;
}

// What of a description stands in JSON as it is said.
std::string_view plain_head(std::string_view text) {
  constexpr std::size_t kMost = 48;
  const auto end = text.find_first_of("\"\\\n\r\t");
  return text.substr(0, std::min({end, text.size(), kMost}));
}

}  // namespace

bool SchemaScreen::has_words_of_tool() const {
  constexpr std::size_t kFew = 16;
  return std::any_of(request_.parts.begin(), request_.parts.end(),
                     [&](const codec::TextPart& part) {
                       if (part.surface != codec::Surface::kToolDescription || part.is_key)
                         return false;
                       const auto& names = request_.tools_offered;
                       if (std::find(names.begin(), names.end(), part.text) != names.end())
                         return false;
                       const std::string_view head = plain_head(part.text);
                       return head.size() >= kFew && tail_.find(head) != std::string::npos;
                     });
}

SchemaScreen::Find SchemaScreen::judge() const {
  const bool has_mark =
      std::any_of(kSchemaMarks.begin(), kSchemaMarks.end(),
                  [&](std::string_view mark) { return tail_.find(mark) != std::string::npos; });
  if (!has_mark) return Find::kNothing;
  std::size_t named = 0;
  for (const std::string& tool : request_.tools_offered)
    if (names_tool(tail_, tool) && ++named > 1) break;
  if (named == 0) return Find::kNothing;
  return named > 1 || has_words_of_tool() ? Find::kSure : Find::kSome;
}

SchemaScreen::Find SchemaScreen::feed(std::string_view text) {
  Find found = Find::kNothing;
  // A definition may come whole and be longer than the window: it is read in steps.
  while (!text.empty() && found != Find::kSure) {
    const std::string_view step = text.substr(0, kWindowBytes / 2);
    text.remove_prefix(step.size());
    const std::size_t from = tail_.size() - std::min(tail_.size(), kLongestKey);
    tail_ += step;
    for (const std::string_view key : kSchemaKeys)
      saw_key_ = saw_key_ || tail_.find(key, from) != std::string::npos;
    if (saw_key_ && step.find_first_of("\",}]") != std::string_view::npos)
      found = std::max(found, judge());
    if (tail_.size() > kWindowBytes) tail_.erase(0, tail_.size() - kWindowBytes);
  }
  return found;
}

LeakScreen::LeakScreen(const LeakSource& source)
    : echo_(source.prompt, source.echo),
      has_prompt_(source.prompt != nullptr),
      schemas_(source.tools != nullptr && !source.tools->tools_offered.empty()
                   ? std::make_unique<SchemaScreen>(*source.tools)
                   : nullptr) {}

void LeakScreen::tell(std::string_view rule, bool is_sure, std::uint64_t length,
                      std::string message, std::vector<model::Detection>& found) {
  model::Detection detection;
  detection.rule_id = rule;
  detection.category = "extraction";
  detection.severity = is_sure ? model::Severity::kHigh : model::Severity::kMedium;
  detection.confidence = is_sure ? 0.95 : 0.6;
  detection.surface = "reply";
  detection.length = std::min(length, bytes_);
  detection.offset = bytes_ - detection.length;
  detection.evidence = "[" + std::to_string(detection.length) + " bytes]";
  detection.message = std::move(message);
  detection.tags = {"owasp-llm:LLM07"};
  found.push_back(std::move(detection));
}

void LeakScreen::feed(std::string_view text, std::vector<model::Detection>& found) {
  bytes_ += text.size();
  if (has_prompt_ && echo_told_ < 2) {
    echo_.feed(text);
    const int strength = echo_.is_much() ? 2 : echo_.echoed() > 0 ? 1 : 0;
    if (strength > echo_told_)
      tell(kEchoRule, strength == 2, echo_.echoed(),
           "Repeats " + std::to_string(echo_.echoed()) + " characters of the system prompt", found);
    echo_told_ = std::max(echo_told_, strength);
  }
  if (!schemas_ || schema_told_ == SchemaScreen::Find::kSure) return;
  const SchemaScreen::Find shown = schemas_->feed(text);
  if (shown <= schema_told_) return;
  schema_told_ = shown;
  tell(kSchemaRule, shown == SchemaScreen::Find::kSure, SchemaScreen::kWindowBytes,
       "Shows the definition of a tool that the model was offered", found);
}

}  // namespace aispm::gateway
