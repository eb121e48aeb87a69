// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "gateway/proxy/config.hpp"
#include "gateway/proxy/key_store.hpp"
#include "sdk/core/report/reporter.hpp"

namespace aispm::gateway {

// For a configuration with a report section.
report::ReporterOptions reporter_options(const Config& config);

// Where exchanges are recorded: the report section's collector, through its spool. Any thread.
class Recorder {
 public:
  struct State {
    bool configured = false;
    bool failing = false;  // the last events could not be kept
    std::uint64_t refused = 0;
    report::ReporterStats delivery;
  };

  // Follows agent keys into `keys` when a report section is there.
  static Result<std::unique_ptr<Recorder>> open(const Config& config, KeyStore& keys);
  virtual ~Recorder() = default;

  // Takes the event; what cannot be taken is counted and makes `is_failing` true. Never blocks.
  virtual void offer(model::Event&& event) = 0;
  // Events are being lost: spool full, disk error, queue full. Ends by itself when events are kept
  // again.
  virtual bool is_failing() const = 0;
  // Looks at the reporter's counters; called every second.
  virtual void poll() = 0;
  virtual State state() const = 0;
  // Waits for what was taken to be on disk.
  virtual void flush() = 0;
};

}  // namespace aispm::gateway
