// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/engine.hpp"
#include "sdk/core/model/event.hpp"
#include "sdk/core/report/reporter.hpp"

namespace aispm::sensor {

// Where events go.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // Takes the event or counts it as lost. Never blocks on the network.
  virtual void offer(model::Event event) = 0;
  // Adds what was lost on the way, and why delivery is degraded, to a health report.
  virtual void add_health(model::ComponentHealth& health) const = 0;
};

// To the collector, by way of the disk spool.
std::unique_ptr<EventSink> make_reporter_sink(std::unique_ptr<report::Reporter> reporter);

// Cuts secrets out of the texts of events (detect::scrub_secrets) before `sink` takes them; counted
// in health. Arguments of processes were looked at when the process was learnt.
Result<std::unique_ptr<EventSink>> make_scrubbing_sink(
    std::unique_ptr<EventSink> sink, std::shared_ptr<const detect::Engine> engine);

// One line of JSON each on stdout: for tests and for looking.
std::unique_ptr<EventSink> make_stdout_sink();

}  // namespace aispm::sensor
