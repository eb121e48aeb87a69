// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gateway/proxy/pipeline/guard.hpp"

// Scanners of others as further voters: the HTTP interfaces of Presidio's analyzer and of LLM
// Guard. Pure.
namespace aispm::gateway {

// Kinds of findings of one answer; beyond it the answer is none of its form.
inline constexpr std::size_t kMaxGuardFindings = 64;

// The body of POST /analyze; `language` as Presidio names it: "en".
std::string presidio_request(std::string_view language, std::string_view text);
// [{"entity_type": "EMAIL_ADDRESS", "start": 3, "end": 15, "score": 1.0, ...}, ...]: one finding
// for each kind of entity, with its best score, from kGuardThreshold on. kInvalid: none of that
// form.
Result<GuardAnswer> read_presidio(std::string_view content);

// The body of POST /analyze/prompt.
std::string llm_guard_request(std::string_view text);
// {"is_valid": false, "scanners": {"PromptInjection": 0.9, ...}, ...}: attacks on the model, toxic
// words and code become classes of the taxonomy, secrets and personal data findings; a text that is
// not valid for another reason is unsafe without a class. kInvalid: none of that form.
Result<GuardAnswer> read_llm_guard(std::string_view content);

}  // namespace aispm::gateway
