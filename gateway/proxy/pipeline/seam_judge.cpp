// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/seam_judge.hpp"

#include <algorithm>
#include <iterator>

namespace aispm::gateway {
namespace {

using model::Outcome;

// Stands for the middle of a long part. No encoding goes on over it.
constexpr std::string_view kGap = " \n \n ";
// The words before a value (`password: `) are no part of a match: they may be all that stands in
// the part before.
constexpr std::size_t kReach = 64;

}  // namespace

SeamJudge::SeamJudge(const ScanContext& context, policy::Direction direction, Findings& findings)
    : context_(context),
      direction_(direction),
      findings_(findings),
      judge_(context, direction, seen_) {}

void SeamJudge::add(std::string_view text) {
  if (text.empty()) return;
  if (!text_.empty()) seams_.push_back(text_.size());
  if (text.size() <= 2 * kBytes) {
    text_ += text;
    return;
  }
  text_ += text.substr(0, kBytes);
  text_ += kGap;
  text_ += text.substr(text.size() - kBytes);
}

bool SeamJudge::is_at_seam(std::uint64_t begin, std::uint64_t length) const {
  // The first seam before which it does not end.
  const auto seam =
      std::lower_bound(seams_.begin(), seams_.end(), begin + length,
                       [](std::size_t one, std::uint64_t end) { return one + kReach < end; });
  const auto touches = [&](std::size_t one) {
    return one < begin + length && begin < one + kReach;
  };
  return (seam != seams_.end() && touches(*seam)) ||
         (seam != seams_.begin() && touches(*std::prev(seam)));
}

bool SeamJudge::is_told(std::string_view rule) const {
  return std::any_of(findings_.detections.begin(), findings_.detections.end(),
                     [&](const model::Detection& one) { return one.rule_id == rule; });
}

// Adds what was found at the seams; true: policy denies.
bool SeamJudge::take_found(detect::Surface surface, const detect::Outcomes& outcomes) {
  const auto& rules = context_.book->engine->rules();
  bool denied = false;
  for (const detect::Match& match : context_.bench->inspection.matches) {
    // The classifier, without which such a match says little, read each part by itself.
    if (rules[match.rule].needs_support_on(surface)) continue;
    if (!is_at_seam(match.offset, match.length)) continue;
    const Outcome outcome = outcomes[match.rule];
    denied = denied || outcome == Outcome::kDeny || outcome == Outcome::kRedact;
    model::Detection detection = detect::describe(rules[match.rule], match, text_, surface);
    policy::Verdict verdict = verdict_on(context_, direction_, detection);
    if (verdict.applied == Outcome::kRedact) verdict.decided = verdict.applied = Outcome::kDeny;
    denied = denied || verdict.applied == Outcome::kDeny;
    strengthen(findings_.verdict, verdict);
    if (!is_told(detection.rule_id)) findings_.add(std::move(detection));
  }
  if (denied) findings_.verdict.decided = findings_.verdict.applied = Outcome::kDeny;
  return denied;
}

Result<bool> SeamJudge::judge(detect::Surface surface, const detect::Outcomes& outcomes) {
  bool denied = false;
  Result<> inspected;
  if (!seams_.empty()) {
    seen_ = {};
    const auto judged = judge_.judge(
        text_, {.surface = surface, .outcomes = &outcomes, .classify = false, .editable = false});
    findings_.late += seen_.late;
    findings_.cut += seen_.cut;
    if (judged) {
      denied = take_found(surface, outcomes);
    } else {
      inspected = fail(judged.error());
    }
  }
  text_.clear();
  seams_.clear();
  if (!inspected) return fail(inspected.error());
  return denied;
}

}  // namespace aispm::gateway
