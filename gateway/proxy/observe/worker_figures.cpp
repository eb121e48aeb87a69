// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/worker_figures.hpp"

#include <algorithm>

namespace aispm::gateway {
namespace {

using model::Outcome;

ExchangeVerdict verdict_of(const model::Event& event) {
  if (event.decision) {
    const bool applies = event.decision->mode.empty() || event.decision->mode == "enforce";
    switch (event.decision->outcome) {
      case Outcome::kKillSwitch:
        return ExchangeVerdict::kFrozen;
      case Outcome::kRedact:
        if (applies) return ExchangeVerdict::kRedacted;
        break;
      case Outcome::kUnspecified:
      case Outcome::kAllow:
      case Outcome::kApproved:
        break;
      default:
        if (applies) return ExchangeVerdict::kBlocked;
        break;
    }
  }
  return event.detections.empty() ? ExchangeVerdict::kAllowed : ExchangeVerdict::kFlagged;
}

template <std::size_t N>
void add_all(std::array<std::uint64_t, N>& totals, const std::array<Counter, N>& one) {
  for (std::size_t i = 0; i < N; ++i) totals[i] += one[i].get();
}

}  // namespace

void note_exchange(WorkerFigures& figures, codec::Api api, const model::Event& event,
                   std::uint64_t upstream_us) {
  const auto& call = std::get<model::LlmCall>(event.body);
  figures.exchanges[static_cast<std::size_t>(api)].add(call.duration_us);
  if (upstream_us != 0) figures.upstream.add(upstream_us);
  figures.verdicts[static_cast<std::size_t>(verdict_of(event))].add();
  figures.statuses[std::min<std::size_t>(call.status / 100, figures.statuses.size() - 1)].add();
  figures.input_tokens.add(call.input_tokens);
  figures.output_tokens.add(call.output_tokens);
  for (const model::Detection& detection : event.detections)
    if (const auto category = detect::parse_category(detection.category))
      figures.threats[static_cast<std::size_t>(*category)].add();
}

void FigureTotals::add(const WorkerFigures& one) {
  for (const LatencyHistogram& of_api : one.exchanges) of_api.read_into(exchanges);
  one.upstream.read_into(upstream);
  one.scans.read_into(scans);
  one.own_work.read_into(own_work);
  add_all(verdicts, one.verdicts);
  add_all(threats, one.threats);
  add_all(statuses, one.statuses);
  input_tokens += one.input_tokens.get();
  output_tokens += one.output_tokens.get();
  scans_blocked += one.scans_blocked.get();
  scans_redacted += one.scans_redacted.get();
}

}  // namespace aispm::gateway
