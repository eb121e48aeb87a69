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

// What rules and tier 1 find in a text.
struct Screened {
  Findings findings;
  FirstLook look;
  std::string trouble;   // why it could not be judged; "" = it was
  std::size_t cut = 0;   // pieces that policy withholds
  std::string redacted;  // the text without them, where there are some
};
Screened screen_text(const ScanContext& context, const ScreenText& item);

// What slower judges said of it.
struct ScreenOpinions {
  bool semantic = false;                     // the semantic tier was asked
  std::vector<model::Detection> detections;  // of that tier
  std::string missing;                       // why it did not answer; "" = it did
  // Guard models that answered.
  struct Guard {
    std::string_view name;
    GuardAnswer answer;
  };
  std::vector<Guard> guards;
  std::string no_guard;  // which of those that must answer did not, and why; "" = all did
};

// One result as JSON: verdict (allow, flag, block), score, categories, detections (never the text),
// policy's outcome, backend, processing_ms. A text that cannot be judged is blocked, with `error`,
// as is, where policy fails closed, one of which a judge did not speak.
std::string describe_screened(const ScanContext& context, const ScreenText& item, Screened screened,
                              const ScreenOpinions& opinions,
                              std::chrono::steady_clock::time_point started);

// {"categories": [{"code": "S1", "name": "...", "action": "block"}, ...]}
std::string screen_categories();

}  // namespace aispm::gateway
