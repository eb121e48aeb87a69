// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/proxy/observe/observatory.hpp"
#include "sdk/core/model/event.hpp"

// Metrics as others read them. Pure.
namespace aispm::gateway {

// All that is told, read at one time.
struct MetricsView {
  model::ComponentHealth health;  // describe_health()'s
  FigureTotals totals;
  std::vector<std::pair<std::string_view, LatencyTotals>> by_api;  // those that were used
  std::vector<std::pair<std::string, LatencyTotals>> by_provider;  // first bytes; likewise
  std::vector<Figure> figures;                                     // of other sources
};

// Prometheus' text exposition format 0.0.4.
std::string prometheus_text(const MetricsView& view);
inline constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

// {"since_start": {...}, "window": {...}}: exchanges by verdict, threats by category, rates per
// second, and P50, P95 and P99 of whole exchanges, providers and scans in milliseconds. `window` is
// what was added since `before`; null where there is none yet.
std::string security_metrics_json(const Observatory::Moment& now, const Observatory::Moment* before,
                                  std::chrono::steady_clock::time_point started);

}  // namespace aispm::gateway
