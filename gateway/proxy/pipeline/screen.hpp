// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/guard.hpp"
#include "gateway/proxy/pipeline/scan_request.hpp"

// Texts judged for their own sake: no model is called and nothing is recorded.
namespace aispm::gateway {

inline constexpr std::size_t kMaxScreenBodyBytes = 4U << 20;
inline constexpr std::size_t kMaxScreenBatch = 64;

struct ScreenText {
  std::string text;
  detect::Surface surface = detect::Surface::kPrompt;
};

// {"text": "...", "surface": "tool_result"}, or a batch {"texts": [such objects or strings]}.
// kInvalid and kTooLarge say what is wrong.
Result<std::vector<ScreenText>> read_screen(std::string_view body, bool is_batch);

// What the guard model said, where there is one; an error is why it said nothing.
using GuardOpinion = std::optional<Result<GuardAnswer>>;

// One result as JSON: verdict (allow, flag, block), score, categories, detections (never the text),
// policy's outcome, backend, processing_ms. A text that cannot be judged is blocked, with `error`,
// as is, where policy fails closed, one whose guard model did not answer.
std::string screen_text(const ScanContext& context, const ScreenText& item,
                        const GuardOpinion& guard, std::string_view guard_name,
                        std::chrono::steady_clock::time_point started);

// {"categories": [{"code": "S1", "name": "...", "action": "block"}, ...]}
std::string screen_categories();

}  // namespace aispm::gateway
