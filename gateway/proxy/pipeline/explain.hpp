// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/model/event.hpp"

// What a refusal tells programs and people beside the dialect's own error: fixed words, chosen by
// category, so that equal refusals read alike and no judge's own words reach a client. Pure.
namespace aispm::gateway {

enum class BlockReason : std::uint8_t {
  kLexical,            // rules or the classifier found something that policy denies
  kGuardUnsafe,        // a guard model named an unsafe category
  kGuardUnavailable,   // a judge that must speak did not
  kPolicy,             // access, actions and whatever else a policy decides
  kPolicyUnavailable,  // it could not be judged
};
// "lexical_block", "llama_guard_unsafe_category", "guard_unavailable", "policy_block",
// "policy_unavailable"
std::string_view name_of(BlockReason reason);

struct Explanation {
  std::string_view key;  // "S2", "secret", "guard_unavailable", ...
  std::string_view title;
  std::string_view reason;   // why it was stopped
  std::string_view risk;     // what such a text is a sign of
  std::string_view impact;   // what it may lead to
  std::string_view details;  // how it is found
};
std::span<const Explanation> all_explanations();
// Of a class ("S9"), a detection's category, or a reason; that of kPolicy for what is not known.
const Explanation& explanation_of(std::string_view key);

// What denies where a judge that must speak did not.
inline constexpr std::string_view kGuardRule = "aispm.guard_unavailable";
inline constexpr std::size_t kMaxFragment = 200;  // characters of the caller's own text
inline constexpr std::size_t kMaxBlockCategories = 16;

struct BlockFacts {
  BlockReason reason = BlockReason::kPolicy;
  std::vector<std::string> categories;  // classes of guards first; each once
  std::string fragment;  // of what the caller sent, masked where it is data; "" = nothing is shown
  std::string matched_rule;
  std::string session_id;
  std::string correlation_id;
};

// `deciding`: the detections for which policy denies; none: it denied for something else. `rule` is
// the decision's.
BlockFacts read_block(std::string_view rule, std::span<const model::Detection> deciding);

// {"error":"blocked_by_policy","reason",...,"explanation":{...}}: one line.
std::string block_json(const BlockFacts& facts);
// The same as name and value, for forms that know strings only: flat, "explanation.title" likewise.
std::vector<std::pair<std::string, std::string>> block_words(const BlockFacts& facts);

}  // namespace aispm::gateway
