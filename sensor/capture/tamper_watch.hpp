// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sdk/core/common/unique_fd.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::sensor {

// Looks whether somebody does something to the sensor: traces it, deletes its executable, makes the
// loader preload a library everywhere, or takes its kernel programs away. Each finding is told once
// until it changes. Lives on the pipeline thread.
class TamperWatch {
 public:
  // How long a canary may take from the system call to its record.
  static constexpr std::chrono::seconds kCanaryLimit{5};

  // `preload` is /etc/ld.so.preload but in tests.
  explicit TamperWatch(std::string preload = "/etc/ld.so.preload");

  // What is new. Call about once a second. `expects_records`: the network programs are attached, so
  // that a canary (listening on loopback for a moment) must come back as a record.
  std::vector<model::Tamper> look(bool expects_records);
  // A listen record of this very process arrived.
  void on_own_listen(std::uint16_t port);

 private:
  using Clock = std::chrono::steady_clock;
  void check_tracer(std::vector<model::Tamper>& out);
  void check_executable(std::vector<model::Tamper>& out);
  void check_preload(std::vector<model::Tamper>& out);
  void check_canary(std::vector<model::Tamper>& out);

  const std::string preload_;
  std::uint32_t tracer_ = 0;
  bool is_deleted_ = false;
  std::string preloaded_;
  std::optional<std::uint16_t> canary_;
  Clock::time_point canary_sent_;
  Clock::time_point next_canary_;
  bool is_blind_ = false;
};

}  // namespace aispm::sensor
