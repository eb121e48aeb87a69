// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/rule.hpp"
#include "sdk/core/model/event.hpp"

// A guard model behind an OpenAI-compatible endpoint as a further voter: what it is asked, and what
// its answer means. Pure.
namespace aispm::gateway {

// The taxonomy of content safety: S1 to S14 as Llama Guard 3 has them, S15 for attacks on the model
// itself.
struct GuardClass {
  std::string_view code;
  std::string_view name;
  bool blocks;  // else it is only flagged
};
inline constexpr std::size_t kGuardClasses = 15;
const std::array<GuardClass, kGuardClasses>& guard_classes();
// Index of "S9"; case does not matter.
std::optional<std::size_t> find_guard_class(std::string_view code);
// Of a rule: by its label where it is one of the codes, S15 for attacks on the model.
std::optional<std::size_t> guard_class_of(const detect::Rule& rule);
std::optional<std::size_t> guard_class_of(const model::Detection& detection);

// How a model is asked and answers.
enum class GuardForm : std::uint8_t {
  kLlamaGuard,   // "safe" or "unsafe\nS1,S9"
  kJson,         // {"safe": false, "categories": ["S9"], "reason": "..."}; any instructed model
  kPromptGuard,  // a classifier: a probability, or a label such as "INJECTION"
};
// "llama_guard", "json", "prompt_guard"
std::string_view name_of(GuardForm form);

inline constexpr std::size_t kMaxGuardReason = 140;
// From this probability on a classifier's answer counts.
inline constexpr double kGuardThreshold = 0.5;

// The body of POST /v1/chat/completions. `nonce` (letters and digits, new for each call) makes the
// marks around the text unforgeable: what is in the text cannot end it.
std::string guard_request(GuardForm form, std::string_view model, std::string_view text,
                          std::string_view nonce);

struct GuardAnswer {
  bool unsafe = false;
  std::vector<std::size_t> classes;  // indices of guard_classes(), sorted, each once
  double score = 0;                  // 0..1: 0.35 for each class, or the classifier's probability
  std::string reason;                // cut to kMaxGuardReason characters; "" when none was given
};
// kInvalid: not an answer of that form.
Result<GuardAnswer> read_guard_answer(GuardForm form, std::string_view content);

// One per class, or one for an unsafe answer without classes. Rule "guard.s9", category harmful;
// S15 and classifiers: prompt_injection.
std::vector<model::Detection> describe_guard(const GuardAnswer& answer, detect::Surface surface,
                                             std::size_t text_bytes);

}  // namespace aispm::gateway
