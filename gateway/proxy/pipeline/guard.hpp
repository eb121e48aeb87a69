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

// A guard model behind an OpenAI-compatible endpoint, or a scanner with an HTTP interface of its
// own, as a further voter: what it is asked, and what its answer means. Pure.
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
  kPresidio,     // Presidio's analyzer (guard_scanners.hpp)
  kLlmGuard,     // LLM Guard's API
};
inline constexpr std::array kGuardForms = {GuardForm::kLlamaGuard, GuardForm::kJson,
                                           GuardForm::kPromptGuard, GuardForm::kPresidio,
                                           GuardForm::kLlmGuard};
// "llama_guard", "json", "prompt_guard", "presidio", "llm_guard"
std::string_view name_of(GuardForm form);
// Whether it is asked as a model, by POST /v1/chat/completions.
bool is_chat(GuardForm form);
// What it is asked at: "/v1/chat/completions", "/analyze", "/analyze/prompt".
std::string_view guard_path(GuardForm form);

inline constexpr std::size_t kMaxGuardReason = 140;
// From this probability on a classifier's answer counts.
inline constexpr double kGuardThreshold = 0.5;

// The body of a question. `model` is the model's name, for Presidio the language of texts. `nonce`
// (letters and digits, new for each call) makes the marks around a text for a model unforgeable:
// what is in the text cannot end it.
std::string guard_request(GuardForm form, std::string_view model, std::string_view text,
                          std::string_view nonce);

// One kind of data that a scanner found.
struct GuardFinding {
  std::string name;  // the scanner's: "EMAIL_ADDRESS"
  detect::Category category = detect::Category::kPii;
  double score = 0;  // 0..1
};

struct GuardAnswer {
  bool unsafe = false;
  std::vector<std::size_t> classes;         // indices of guard_classes(), sorted, each once
  std::vector<GuardFinding> findings = {};  // of scanners, each kind once
  double score = 0;      // 0..1: 0.35 for each class, or a classifier's or scanner's own
  bool is_weak = false;  // by the configuration too little to deny for: medium severity at most
  std::string reason;    // cut to kMaxGuardReason characters; "" when none was given
};
// `content` is what a model said, or a scanner's whole answer. kInvalid: not one of that form.
Result<GuardAnswer> read_guard_answer(GuardForm form, std::string_view content);

// One per class and finding, or one for an unsafe answer without any. Rule "guard.s9", category
// harmful; S15 and classifiers: prompt_injection. Of findings "guard.email_address", category pii
// or secret. The features name who said so.
std::vector<model::Detection> describe_guard(const GuardAnswer& answer, detect::Surface surface,
                                             std::size_t text_bytes, std::string_view guard);

}  // namespace aispm::gateway
