// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/observe/dependency_probe.hpp"
#include "gateway/proxy/observe/otlp_exporter.hpp"
#include "gateway/proxy/observe/scan_history.hpp"
#include "gateway/proxy/observe/scan_policies.hpp"
#include "gateway/proxy/observe/session_log.hpp"
#include "gateway/proxy/observe/worker_figures.hpp"

namespace aispm::gateway {

// One figure beside those of this folder, as a metric's line has it.
struct Figure {
  std::string name;  // after "aispm_gateway_": "breaker_open"
  std::string help;
  bool is_total = false;  // grows only; else a gauge
  std::vector<std::pair<std::string, std::string>> labels = {};
  double value = 0;
};

// Figures and their windows: what is seen of the gateway from outside. Any thread, but where a
// function says something else.
class Observatory {
 public:
  explicit Observatory(const ObserveConfig& config)
      : scans(config.scan.history),
        scan_policies(config.scan.policies),
        sessions({.sessions = config.sessions.sessions, .events = config.sessions.events}) {}

  // Adds a source of further figures, asked whenever they are read, on the reader's thread.
  using Source = std::function<void(std::vector<Figure>&)>;
  void add_source(Source source);
  std::vector<Figure> figures() const;

  // Of the whole gateway, as rates are told: the state `seconds` ago, or the oldest there is.
  struct Moment {
    std::chrono::steady_clock::time_point at;
    std::uint64_t requests = 0;
    FigureTotals totals;
  };
  static constexpr std::chrono::seconds kMomentEvery{10};
  static constexpr std::chrono::seconds kWindow{300};
  // Called every second; remembers one every kMomentEvery. Main thread.
  void note_moment(const std::function<Moment()>& read, std::chrono::steady_clock::time_point now);
  // Null before the first.
  std::shared_ptr<const Moment> moment_before(std::chrono::steady_clock::time_point now,
                                              std::chrono::seconds ago) const;

  // The last reload's error; "" = it went well.
  void set_reload_error(std::string error);
  std::string reload_error() const;

  ScanHistory scans;
  ScanPolicies scan_policies;
  SessionLog sessions;
  std::unique_ptr<OtlpExporter> otlp;      // null: nothing is exported; ends after the workers
  std::unique_ptr<DependencyProbe> probe;  // null: not begun yet

 private:
  mutable std::mutex mutex_;
  std::vector<Source> sources_;
  std::deque<std::shared_ptr<const Moment>> moments_;  // oldest first
  std::string reload_error_;
};

}  // namespace aispm::gateway
