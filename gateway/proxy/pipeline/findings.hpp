// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "gateway/proxy/rule_book.hpp"
#include "sdk/core/detect/stream.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

// Detections of one direction of one exchange, kept for the record up to a limit; the verdict
// counts all of them.
struct Findings {
  static constexpr std::size_t kMaxRecorded = 128;

  std::vector<model::Detection> detections;
  std::uint64_t dropped = 0;  // beyond kMaxRecorded
  policy::Verdict verdict;    // views into the policy of the exchange's rule book
  std::uint64_t redactions = 0;
  std::uint64_t late = 0;  // layers that took longer than their budget
  std::uint64_t cut = 0;   // texts that were not looked through to the end, for want of time

  bool denied() const { return verdict.applied == model::Outcome::kDeny; }
  void add(model::Detection detection) {
    if (detections.size() < kMaxRecorded) {
      detections.push_back(std::move(detection));
    } else {
      ++dropped;
    }
  }
};

// What denies where something could not be looked through.
inline constexpr std::string_view kUnscannableRule = "aispm.unscannable";

// Deny before redact before allow; the first of equals.
void strengthen(policy::Verdict& verdict, const policy::Verdict& other);

// How a record tells equal secrets from different ones.
std::string value_feature(std::string_view hash);

// The record of what was found in a stream (StreamScanner, StreamRuns).
template <typename Found>
model::Detection describe_found(const detect::Rule& rule, const Found& found,
                                detect::Surface surface) {
  model::Detection detection =
      detect::describe_evidence(rule, found.match, found.evidence, surface);
  if (!found.value_hash.empty()) detection.features.push_back(value_feature(found.value_hash));
  return detection;
}

}  // namespace aispm::gateway
