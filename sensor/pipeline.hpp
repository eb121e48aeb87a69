// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sdk/core/common/time.hpp"
#include "sensor/capture/capture.hpp"
#include "sensor/config.hpp"
#include "sensor/model/records.hpp"
#include "sensor/report/event_sink.hpp"
#include "sensor/report/process_table.hpp"
#include "sensor/report/user_names.hpp"

namespace aispm::sensor {

// The sensor's one path, on one thread: capture -> decode -> correlate -> classify -> report.
class Pipeline {
 public:
  Pipeline(const Config& config, std::unique_ptr<Capture> capture, std::unique_ptr<EventSink> sink);

  // Works until stop(). Fails only when capture itself fails.
  Result<> run();
  // Any thread, also from a signal handler.
  void stop();

  const Capture& capture() const { return *capture_; }

 private:
  // capture: everything that is waiting
  Result<> take_all();
  // decode
  void take_bytes(std::span<const std::byte> bytes);
  // correlate, classify, report
  void take_record(Record record);
  void report_exec(const Exec& exec);
  void report_exit(const Exit& exit);
  void report_listen(const Listen& listen);
  void report_connect(const Connect& connect);

  void do_periodic_work();
  void report_health(model::ComponentHealth health);
  model::ComponentHealth make_health() const;

  const std::chrono::milliseconds health_interval_;
  std::unique_ptr<Capture> capture_;
  std::unique_ptr<EventSink> sink_;
  UserNames user_names_;
  ProcessTable processes_;
  ClockConverter clock_;
  std::vector<Exit> exits_;  // held back until the plaintext before them was taken

  std::atomic<bool> stops_ = false;
  std::chrono::steady_clock::time_point next_health_;
  std::chrono::steady_clock::time_point next_health_look_;
  std::chrono::steady_clock::time_point next_sweep_;
  std::map<std::string, std::uint64_t> reported_losses_;
  std::vector<std::string> reported_reasons_;
  std::uint64_t malformed_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t chunks_ = 0;
};

}  // namespace aispm::sensor
