// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sensor/classify/signatures.hpp"
#include "sensor/discover/file_scanner.hpp"
#include "sensor/discover/found.hpp"
#include "sensor/discover/model_files.hpp"
#include "sensor/discover/options.hpp"
#include "sensor/discover/process_scanner.hpp"

namespace aispm::sensor {

// Finds the AI that is on this host already, and what the kernel's records do not tell of new
// processes: a whole scan at the start and each `scan_interval`, and a look into each process that
// lives longer than a moment. Has a thread of the lowest priority that rests between its steps, so
// that it never takes more than a tenth of a core; what it finds is collected by take().
class Discovery {
 public:
  static constexpr std::size_t kMaxVisits = 4096;
  static constexpr std::size_t kMaxFound = 16384;

  using Options = DiscoveryOptions;
  struct Stats {
    std::uint64_t processes_scanned = 0;
    std::uint64_t scans = 0;  // whole ones
    std::uint64_t visits_refused = 0;
    std::uint64_t found_refused = 0;
    std::uint64_t files = 0;
    std::uint64_t files_refused = 0;
    std::uint64_t hashed = 0;
    std::uint64_t hashes_refused = 0;
    std::string signature_error;  // why changed signatures were not taken; empty when they were
  };

  // `host_key` hashes the secrets that stand in configuration files; may be empty.
  Discovery(Signatures signatures, Options options, Secret host_key);
  ~Discovery();

  void start();
  // A process was started, or listens: look into it soon, and once more later. Any thread.
  void on_started(std::uint32_t pid);
  void on_listen(std::uint32_t pid);
  // What was found since the last call. Any thread.
  std::vector<Found> take();
  Stats stats() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Visit {
    Clock::time_point due;
    std::uint32_t pid;
  };

  void run();
  // Does the next piece of work that is due; false when there is none.
  bool work();
  void visit(std::uint32_t pid);
  void start_scan();
  bool step_scan();
  void hash(const std::string& open_path, ModelFile& model);
  void hash_slice();
  void probe_targets();
  void watch_signatures();
  void give(Found found);
  Clock::time_point next_due() const;

  Options options_;
  Signatures signatures_;
  ProcessScanner processes_;
  ModelHasher hasher_;
  FileScanner files_;
  std::vector<std::uint32_t> waiting_;  // of the scan under way
  bool is_scanning_ = false;
  bool hashes_next_ = false;
  std::uint64_t scanned_in_round_ = 0;
  std::set<std::pair<std::uint32_t, std::uint16_t>> asked_;  // pid, port
  std::set<std::pair<std::string, std::uint16_t>> reached_;
  std::map<std::string, std::pair<std::int64_t, std::uint64_t>> signature_files_;
  bool has_watched_ = false;
  std::map<std::string, ModelFile> models_;  // reported with a process, still to be seen to exist
  Clock::time_point next_scan_;
  Clock::time_point next_probe_;
  Clock::time_point next_watch_;
  Clock::time_point rest_until_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Visit> soon_;   // in order of time
  std::deque<Visit> later_;  // the same, for a second look
  std::vector<Found> found_;
  Stats stats_;
  bool stops_ = false;
  std::thread thread_;
};

}  // namespace aispm::sensor
