// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "sensor/capture/proc_text.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// What remains without eBPF: differences between two looks at /proc. Misses what lives shorter than
// the interval and knows no exit codes; says so in health. Lives on the pipeline thread.
class ProcPoller {
 public:
  static constexpr std::size_t kMaxProcesses = 65536;
  static constexpr std::size_t kMaxSockets = 262144;

  struct Subjects {
    bool processes = true;
    bool sockets = true;
  };
  explicit ProcPoller(Subjects subjects) : subjects_(subjects) {}

  // Looks, and hands over what is new (Exec, Listen, Connect) and what is gone (Exit). The first
  // look reports listeners and running processes as Exec, so that inventory is complete.
  void poll(const std::function<void(Record)>& on_record);

 private:
  void poll_processes(const std::function<void(Record)>& on_record);
  void poll_sockets(const std::function<void(Record)>& on_record);

  Subjects subjects_;
  std::map<ProcessId, Exec> processes_;
  std::set<std::uint64_t> sockets_;  // inodes reported
};

}  // namespace aispm::sensor
