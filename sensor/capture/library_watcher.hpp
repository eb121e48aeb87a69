// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sensor/capture/probed_files.hpp"
#include "sensor/capture/proc_text.hpp"
#include "sensor/capture/tls_probes.hpp"

namespace aispm::sensor {

// Keeps every TLS library that a process uses probed: those of the usual folders at once, those of
// running processes at start, those of new processes some moments after their exec (the loader
// needs time, dlopen more), and all again every `full_scan_interval`. A file is probed once,
// whoever maps it, in whatever mount namespace. Has a thread of its own, because attaching takes
// milliseconds that the rings' reader does not have.
class LibraryWatcher {
 public:
  static constexpr std::size_t kMaxQueue = 16384;

  struct Stats {
    ProbedFiles::Stats files;
    std::uint64_t processes_scanned = 0;
    std::uint64_t scans_refused = 0;  // queue full; the next full scan finds what they missed
  };

  explicit LibraryWatcher(const TlsProbes& probes,
                          std::chrono::seconds full_scan_interval = std::chrono::seconds(10));
  ~LibraryWatcher();

  // How to find TLS in a file; replaces the planner of the same name. Any thread; what was not
  // understood before is looked at again with the next scan.
  void set_planner(std::shared_ptr<const Planner> planner) {
    files_.set_planner(std::move(planner));
  }

  // Attaches to libraries of the usual folders and of running processes before it returns, then
  // starts the thread.
  void start();
  // A process was started: look at its maps soon, and again later. Any thread.
  void on_exec(std::uint32_t pid);
  Stats stats() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Visit {
    Clock::time_point due;
    std::uint32_t pid;
  };

  void run();
  void scan_folders();
  void scan_all_processes();
  void scan_process(std::uint32_t pid);

  ProbedFiles files_;
  const std::chrono::seconds full_scan_interval_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::array<std::deque<Visit>, 4> visits_;  // one queue for each delay, so each is in order
  std::uint64_t processes_scanned_ = 0;
  std::uint64_t scans_refused_ = 0;
  bool stops_ = false;
  std::thread thread_;
};

}  // namespace aispm::sensor
