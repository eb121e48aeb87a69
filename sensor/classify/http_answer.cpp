// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/http_answer.hpp"

#include <algorithm>

namespace aispm::sensor {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return result;
}

// Takes `"..."` with \" and \\ from the front.
Result<std::string> take_quoted(std::string_view& text) {
  if (!text.starts_with('"')) return fail(Errc::kInvalid, "\" is missing");
  std::string result;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return result;
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    result += text[i];
    if (result.size() > kMaxAnswerPartBytes)
      return fail(Errc::kInvalid,
                  "a text is longer than " + std::to_string(kMaxAnswerPartBytes) + " bytes");
  }
  return fail(Errc::kInvalid, "a text does not end");
}

}  // namespace

Result<AnswerCondition> parse_answer_condition(std::string_view text) {
  AnswerCondition condition;
  while (true) {
    AnswerCondition::Part part;
    part.in_header = text.starts_with("header=");
    if (!part.in_header && !text.starts_with("body="))
      return fail(Errc::kInvalid, "body=\"...\" or header=\"...\" is expected");
    text.remove_prefix(text.find('=') + 1);
    AISPM_TRY(const std::string wanted, take_quoted(text));
    if (wanted.empty()) return fail(Errc::kInvalid, "an empty text fits everything");
    part.text = lower(wanted);
    condition.parts.push_back(std::move(part));
    if (text.empty()) return condition;
    if (condition.parts.size() >= kMaxAnswerParts)
      return fail(Errc::kInvalid, "more than " + std::to_string(kMaxAnswerParts) + " parts");
    if (!text.starts_with(" && ")) return fail(Errc::kInvalid, "&& is expected between parts");
    text.remove_prefix(4);
  }
}

bool fits(const HttpFingerprint& fingerprint, std::string_view head, std::string_view body) {
  const std::string lower_head = lower(head);
  const std::string lower_body = lower(body);
  return std::any_of(
      fingerprint.any_of.begin(), fingerprint.any_of.end(), [&](const std::string& text) {
        const auto condition = parse_answer_condition(text);
        if (!condition) return false;  // the reader refused it
        return std::all_of(condition->parts.begin(), condition->parts.end(), [&](const auto& part) {
          return (part.in_header ? lower_head : lower_body).find(part.text) != std::string::npos;
        });
      });
}

}  // namespace aispm::sensor
