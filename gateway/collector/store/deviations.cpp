// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <set>
#include <vector>

#include "gateway/collector/store/inventory_reader.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::uint64_t kMinCalls = 20;  // fewer say nothing about a distribution
constexpr double kMuchMore = 2.0;
constexpr double kMoreFailures = 0.1;

using Uses = google::protobuf::RepeatedPtrField<pb::BaselineUse>;

void add_new(const char* what, const Uses& reference, const Uses& current,
             std::vector<std::string>& deviations) {
  std::set<std::string> known;
  for (const auto& use : reference) known.insert(use.name());
  for (const auto& use : current)
    if (!known.contains(use.name()))
      deviations.push_back(std::string("new ") + what + ": " + use.name());
}

void add_growth(const char* what, double before, double now, std::vector<std::string>& deviations) {
  if (before <= 0 || now <= before * kMuchMore) return;
  char text[160];
  std::snprintf(text, sizeof(text), "%s: %.1f times the baseline (%.0f instead of %.0f)", what,
                now / before, now, before);
  deviations.emplace_back(text);
}

double failure_share(const pb::Baseline& baseline) {
  return baseline.calls() == 0
             ? 0
             : static_cast<double>(baseline.failures()) / static_cast<double>(baseline.calls());
}

}  // namespace

std::vector<std::string> find_deviations(const pb::Baseline& reference,
                                         const pb::Baseline& current) {
  std::vector<std::string> deviations;
  add_new("model", reference.models(), current.models(), deviations);
  add_new("tool", reference.tools(), current.tools(), deviations);
  add_new("destination", reference.destinations(), current.destinations(), deviations);
  if (current.calls() < kMinCalls || reference.calls() < kMinCalls) return deviations;
  add_growth("calls per hour", reference.calls_per_hour(), current.calls_per_hour(), deviations);
  add_growth("mean input tokens", reference.input_tokens().mean(), current.input_tokens().mean(),
             deviations);
  add_growth("mean output tokens", reference.output_tokens().mean(), current.output_tokens().mean(),
             deviations);
  add_growth("95th percentile of latency in us", static_cast<double>(reference.latency_us().p95()),
             static_cast<double>(current.latency_us().p95()), deviations);
  const double failures = failure_share(current);
  if (failures > failure_share(reference) + kMoreFailures) {
    char text[96];
    std::snprintf(text, sizeof(text), "failed calls: %.0f %% instead of %.0f %%", failures * 100,
                  failure_share(reference) * 100);
    deviations.emplace_back(text);
  }
  return deviations;
}

}  // namespace aispm::collector::store
