// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "gateway/proxy/counters.hpp"
#include "gateway/proxy/observe/latency_histogram.hpp"
#include "sdk/core/codec/llm_api.hpp"
#include "sdk/core/detect/rule.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

// What became of an exchange, as metrics tell it.
enum class ExchangeVerdict : std::uint8_t { kAllowed, kFlagged, kRedacted, kBlocked, kFrozen };
inline constexpr std::size_t kVerdicts = 5;
constexpr std::string_view name_of(ExchangeVerdict verdict) {
  constexpr std::array<std::string_view, kVerdicts> kNames = {"allowed", "flagged", "redacted",
                                                              "blocked", "frozen"};
  return kNames[static_cast<std::size_t>(verdict)];
}

// One thread's figures of exchanges and scans since the start: only it adds, any thread reads.
struct WorkerFigures {
  std::array<LatencyHistogram, codec::kApiCount> exchanges;  // whole, by API
  LatencyHistogram upstream;  // from asking a provider to its reply's first byte
  LatencyHistogram scans;     // of the scan API
  LatencyHistogram own_work;  // as WorkWatch measures it
  std::array<Counter, kVerdicts> verdicts;
  std::array<Counter, detect::kCategoryCount> threats;  // detections, by category
  std::array<Counter, 6> statuses;                      // by hundreds: 2 = 200 to 299
  Counter input_tokens;                                 // as providers told
  Counter output_tokens;
  Counter scans_blocked;
  Counter scans_redacted;
};

// The same of all threads, for reading; 29 KB.
struct FigureTotals {
  LatencyTotals exchanges;  // of all APIs together
  LatencyTotals upstream;
  LatencyTotals scans;
  LatencyTotals own_work;
  std::array<std::uint64_t, kVerdicts> verdicts{};
  std::array<std::uint64_t, detect::kCategoryCount> threats{};
  std::array<std::uint64_t, 6> statuses{};
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
  std::uint64_t scans_blocked = 0;
  std::uint64_t scans_redacted = 0;

  void add(const WorkerFigures& one);
};

// Adds an exchange that has ended. `event` is its record, whose body is an LlmCall; `upstream_us`
// is 0 where no provider answered. No lock, no allocation.
void note_exchange(WorkerFigures& figures, codec::Api api, const model::Event& event,
                   std::uint64_t upstream_us);

}  // namespace aispm::gateway
