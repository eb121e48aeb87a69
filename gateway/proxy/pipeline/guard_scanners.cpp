// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/guard_scanners.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "sdk/core/codec/json_edit.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;
using codec::json_string;

constexpr std::size_t kMaxNameBytes = 64;

std::optional<json::value> parse(std::string_view content) {
  boost::system::error_code error;
  json::value document = json::parse(json::string_view(content.data(), content.size()), error);
  if (error) return std::nullopt;
  return document;
}

// 0..1; scanners say less than 0 where they found nothing.
std::optional<double> score_of(const json::value* value) {
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return std::clamp(value->to_number<double>(), 0.0, 1.0);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == ' ';
         });
}

Result<> add(GuardAnswer& answer, std::string_view name, detect::Category category, double score) {
  if (!is_name(name)) return fail(Errc::kInvalid, "the scanner named a kind that is no name");
  answer.unsafe = true;
  answer.score = std::max(answer.score, score);
  const auto known = std::find_if(answer.findings.begin(), answer.findings.end(),
                                  [&](const GuardFinding& one) { return one.name == name; });
  if (known != answer.findings.end()) {
    known->score = std::max(known->score, score);
    return {};
  }
  if (answer.findings.size() >= kMaxGuardFindings)
    return fail(Errc::kTooLarge, "the scanner found more than 64 kinds of data");
  answer.findings.push_back({std::string(name), category, score});
  return {};
}

// What a scanner of LLM Guard looks for: a class of the taxonomy, or data.
struct Meaning {
  std::string_view scanner;
  std::string_view code;  // "" where it is data
  detect::Category category = detect::Category::kHarmful;
};
constexpr Meaning kMeanings[] = {
    {"PromptInjection", "S15"},
    {"InvisibleText", "S15"},
    {"Toxicity", "S10"},
    {"BanCode", "S14"},
    {"Code", "S14"},
    {"Anonymize", "", detect::Category::kPii},
    {"Sensitive", "", detect::Category::kPii},
    {"Secrets", "", detect::Category::kSecret},
};

Result<> add_scanner(GuardAnswer& answer, std::string_view name, double score) {
  const auto* const meaning = std::find_if(std::begin(kMeanings), std::end(kMeanings),
                                           [&](const Meaning& one) { return one.scanner == name; });
  if (meaning == std::end(kMeanings)) return {};
  if (meaning->code.empty()) return add(answer, name, meaning->category, score);
  const auto index = find_guard_class(meaning->code);
  if (!index) return fail(Errc::kInternal, "a class that is not in the taxonomy");
  const auto at = std::lower_bound(answer.classes.begin(), answer.classes.end(), *index);
  if (at == answer.classes.end() || *at != *index) answer.classes.insert(at, *index);
  answer.score = std::max(answer.score, score);
  return {};
}

}  // namespace

std::string presidio_request(std::string_view language, std::string_view text) {
  return R"({"text":)" + json_string(text) + R"(,"language":)" + json_string(language) + "}";
}

Result<GuardAnswer> read_presidio(std::string_view content) {
  const auto document = parse(content);
  if (!document || !document->is_array())
    return fail(Errc::kInvalid, "Presidio's answer is no JSON array");
  GuardAnswer answer;
  for (const json::value& one : document->get_array()) {
    const auto* const object = one.if_object();
    const auto* const type = object ? object->if_contains("entity_type") : nullptr;
    const auto score = score_of(object ? object->if_contains("score") : nullptr);
    if (type == nullptr || !type->is_string() || !score)
      return fail(Errc::kInvalid, "a result of Presidio has no \"entity_type\" or \"score\"");
    if (*score < kGuardThreshold) continue;
    AISPM_CHECK(add(answer, std::string_view(type->get_string()), detect::Category::kPii, *score));
  }
  return answer;
}

std::string llm_guard_request(std::string_view text) {
  return R"({"prompt":)" + json_string(text) + "}";
}

Result<GuardAnswer> read_llm_guard(std::string_view content) {
  const auto document = parse(content);
  const auto* const object = document ? document->if_object() : nullptr;
  const auto* const valid = object ? object->if_contains("is_valid") : nullptr;
  const auto* const scanners = object ? object->if_contains("scanners") : nullptr;
  if (valid == nullptr || !valid->is_bool() || scanners == nullptr || !scanners->is_object())
    return fail(Errc::kInvalid, "LLM Guard's answer has no \"is_valid\" or no \"scanners\"");
  GuardAnswer answer;
  if (valid->get_bool()) return answer;
  answer.unsafe = true;
  for (const auto& [name, value] : scanners->get_object()) {
    const auto score = score_of(&value);
    if (!score) return fail(Errc::kInvalid, "a score of LLM Guard is no number");
    if (*score > 0) AISPM_CHECK(add_scanner(answer, std::string_view(name), *score));
  }
  return answer;
}

}  // namespace aispm::gateway
