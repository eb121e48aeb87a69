// SPDX-License-Identifier: Apache-2.0
// Whatever a guard model answers, in any of the forms: an answer of that form, or an error; and
// whatever text it is asked about, the marks around it cannot be closed from within. The first byte
// chooses the form.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdlib>

#include "gateway/proxy/pipeline/guard.hpp"
#include "sdk/core/common/utf8.hpp"

namespace {

using namespace aispm::gateway;

void require(bool claim) {
  if (!claim) std::abort();
}

void check_answer(const GuardAnswer& answer) {
  require(answer.score >= 0 && answer.score <= 1);
  require(std::is_sorted(answer.classes.begin(), answer.classes.end()));
  require(std::adjacent_find(answer.classes.begin(), answer.classes.end()) == answer.classes.end());
  for (const std::size_t index : answer.classes) require(index < kGuardClasses);
  require(answer.unsafe || (answer.classes.empty() && answer.findings.empty()));
  require(answer.reason.size() <= kMaxGuardReason);
  const auto detections = describe_guard(answer, aispm::detect::Surface::kPrompt, 99, "one");
  require(detections.empty() == !answer.unsafe);
  for (const auto& detection : detections)
    require(detection.confidence > 0 && detection.confidence <= 1 && detection.length == 99);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const auto form = kGuardForms[data[0] % kGuardForms.size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (const auto answer = read_guard_answer(form, text)) check_answer(*answer);
  constexpr std::string_view kNonce = "0a1b2c3d4e5f";
  // Classifiers and scanners read the bare text.
  if (form == GuardForm::kPromptGuard || !is_chat(form)) return 0;
  const boost::json::value body =
      boost::json::parse(guard_request(form, "m", aispm::to_utf8(text.substr(0, 4096)), kNonce));
  const std::string content(body.at("messages").as_array().front().at("content").as_string());
  std::size_t marks = 0;
  for (std::size_t at = 0; (at = content.find(kNonce, at)) != std::string::npos; ++at) ++marks;
  require(marks == 2);
  return 0;
}
