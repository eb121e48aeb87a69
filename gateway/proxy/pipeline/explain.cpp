// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/explain.hpp"

#include <algorithm>

#include "gateway/proxy/pipeline/findings.hpp"
#include "gateway/proxy/pipeline/guard.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;

// The code of a guard's class, else the category.
std::string category_of(const model::Detection& detection) {
  if (detection.rule_id.starts_with("guard.s"))
    if (const auto index = guard_class_of(detection))
      return std::string(guard_classes()[*index].code);
  return detection.category;
}

bool is_guards(const model::Detection& detection) {
  return detection.rule_id.starts_with("guard.");
}

// One line of at most kMaxFragment characters.
std::string fragment_of(const model::Detection& detection) {
  std::string text = to_utf8(detection.evidence);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U;
    if (begins && ++characters > kMaxFragment) {
      text.resize(i);
      break;
    }
  }
  return text;
}

const Explanation& explanation_for(const BlockFacts& facts) {
  const bool is_of_text =
      facts.reason == BlockReason::kLexical || facts.reason == BlockReason::kGuardUnsafe;
  return explanation_of(is_of_text && !facts.categories.empty()
                            ? std::string_view(facts.categories.front())
                            : name_of(facts.reason));
}

}  // namespace

std::string_view name_of(BlockReason reason) {
  switch (reason) {
    case BlockReason::kLexical:
      return "lexical_block";
    case BlockReason::kGuardUnsafe:
      return "llama_guard_unsafe_category";
    case BlockReason::kGuardUnavailable:
      return "guard_unavailable";
    case BlockReason::kPolicyUnavailable:
      return "policy_unavailable";
    default:
      return "policy_block";
  }
}

const Explanation& explanation_of(std::string_view key) {
  const auto all = all_explanations();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Explanation& one) { return one.key == key; });
  return found != all.end() ? *found : all.back();
}

BlockFacts read_block(std::string_view rule, std::span<const model::Detection> deciding) {
  BlockFacts facts;
  facts.matched_rule = rule;
  if (rule == kGuardRule) {
    facts.reason = BlockReason::kGuardUnavailable;
    return facts;
  }
  if (rule == kUnscannableRule) {
    facts.reason = BlockReason::kPolicyUnavailable;
    return facts;
  }
  for (const bool guards : {true, false})
    for (const model::Detection& detection : deciding) {
      if (is_guards(detection) != guards) continue;
      std::string category = category_of(detection);
      if (facts.categories.size() < kMaxBlockCategories &&
          std::find(facts.categories.begin(), facts.categories.end(), category) ==
              facts.categories.end())
        facts.categories.push_back(std::move(category));
      // What stands in a reply is what its reader must not get.
      if (facts.fragment.empty() && detection.surface != "reply" && !is_guards(detection))
        facts.fragment = fragment_of(detection);
    }
  if (deciding.empty()) return facts;
  const bool by_guard = std::any_of(deciding.begin(), deciding.end(), is_guards);
  facts.reason = by_guard ? BlockReason::kGuardUnsafe : BlockReason::kLexical;
  return facts;
}

std::string block_json(const BlockFacts& facts) {
  const Explanation& why = explanation_for(facts);
  std::string categories;
  for (const std::string& one : facts.categories)
    categories += (categories.empty() ? "" : ",") + json_string(one);
  return R"({"error":"blocked_by_policy","reason":")" + std::string(name_of(facts.reason)) +
         R"(","categories":[)" + categories + R"(],"matched_rule":)" +
         json_string(facts.matched_rule) + R"(,"session_id":)" + json_string(facts.session_id) +
         R"(,"correlation_id":)" + json_string(facts.correlation_id) +
         R"(,"explanation":{"title":)" + json_string(why.title) + R"(,"reason":)" +
         json_string(why.reason) + R"(,"risk":)" + json_string(why.risk) + R"(,"impact":)" +
         json_string(why.impact) + R"(,"technical_details":)" + json_string(why.details) +
         R"(,"fragment":)" + json_string(facts.fragment) + "}}";
}

std::vector<std::pair<std::string, std::string>> block_words(const BlockFacts& facts) {
  const Explanation& why = explanation_for(facts);
  std::string categories;
  for (const std::string& one : facts.categories)
    categories.append(categories.empty() ? "" : ",").append(one);
  return {{"error", "blocked_by_policy"},
          {"reason", std::string(name_of(facts.reason))},
          {"categories", std::move(categories)},
          {"matched_rule", facts.matched_rule},
          {"session_id", facts.session_id},
          {"correlation_id", facts.correlation_id},
          {"explanation.title", std::string(why.title)},
          {"explanation.reason", std::string(why.reason)},
          {"explanation.risk", std::string(why.risk)},
          {"explanation.impact", std::string(why.impact)},
          {"explanation.technical_details", std::string(why.details)},
          {"explanation.fragment", facts.fragment}};
}

}  // namespace aispm::gateway
