// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "sensor/capture/mapping_events.hpp"
#include "sensor/capture/probed_files.hpp"
#include "sensor/capture/proc_text.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Keeps every file with TLS in it that a process runs probed: libraries of the usual folders before
// anybody maps them, whatever running processes map at start, and from then on what any process
// maps as code, when it does (MappingEvents; where the kernel refuses those, by looking at a
// process some moments after its exec). All again every full scan. A file is probed once, whoever
// maps it, in whatever mount namespace, deleted or not, and detached when nobody maps it any more.
// Has a thread of its own, because attaching takes milliseconds that the rings' reader does not
// have.
class LibraryWatcher {
 public:
  static constexpr std::size_t kMaxQueue = 16384;
  static constexpr std::size_t kMaxFacts = 16384;
  static constexpr std::size_t kMaxUsers = 65536;  // (process, file with TLS) pairs

  struct Options {
    std::chrono::seconds scan_interval{60};        // of all processes
    std::chrono::seconds scan_interval_alone{10};  // the same without mapping events
    std::string cache_folder;                      // see ProbedFiles
    bool uses_mapping_events = true;
  };
  struct Stats {
    ProbedFiles::Stats files;
    std::uint64_t processes_scanned = 0;
    std::uint64_t scans_refused = 0;  // queue full; the next full scan finds what they missed
    std::uint64_t mappings = 0;       // told by the kernel
    std::uint64_t mappings_lost = 0;  // not told, for lack of room; a full scan follows
    std::uint64_t facts_lost = 0;     // nobody took them in time, or too many users
    std::string trigger;              // "perf mmap2" or "timed scans: <why>"
  };

  LibraryWatcher(const TlsProbes& probes, Options options);
  ~LibraryWatcher();

  // How to find TLS in a file; replaces the planner of the same name. Any thread; what was not
  // understood before is looked at again.
  void set_planner(std::shared_ptr<const Planner> planner);

  // Attaches to libraries of the usual folders and of running processes before it returns, then
  // starts the thread.
  void start();
  // A process was started: look at its maps soon, and again later. Does nothing while mapping
  // events tell. Any thread.
  void on_exec(std::uint32_t pid);
  // Which processes use which TLS libraries, as far as it became known or changed since the last
  // call. Any thread.
  std::vector<TlsLibraryFact> take_facts();
  Stats stats() const;

 private:
  using Clock = std::chrono::steady_clock;
  // Device, inode and its generation (0 where only /proc tells) as the kernel names a mapped file.
  using MappingKey = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;
  struct Visit {
    Clock::time_point due;
    std::uint32_t pid;
  };
  // Who maps a file that has TLS in it, or may have.
  struct Users {
    std::map<std::uint32_t, std::uint64_t> told;  // pid -> version of the file it was told about
    std::set<std::uint32_t> seen;                 // since the last full scan began
    bool is_in_folder = false;
    Clock::time_point last_used;
  };
  // Nobody maps it any more, and a while ago too: a program that is started again and again keeps
  // its probes, or each of its starts would race with attaching them.
  bool is_over(const Users& users) const;

  void run();
  void wake();
  void wait();
  void drain_events();
  void do_visits();
  void full_scan();
  void scan_folders();
  void scan_process(std::uint32_t pid);
  void look_at(std::uint32_t pid, const std::string& range, const MappingKey& key,
               const std::string& path);
  void add_user(const FileId& id, std::uint32_t pid);
  void tell_facts();
  void end_process(std::uint32_t pid);
  void let_go();

  const Options options_;
  ProbedFiles files_;
  std::optional<MappingEvents> events_;
  UniqueFd wake_;

  // Of the thread (before it runs: of start()).
  std::map<MappingKey, FileId> looked_at_;
  std::map<FileId, Users> users_;
  std::size_t user_count_ = 0;
  std::atomic<bool> looks_again_ = false;  // planners changed
  bool has_news_ = false;
  std::uint64_t told_changes_ = 0;
  Clock::time_point last_mapping_;

  mutable std::mutex mutex_;
  std::array<std::deque<Visit>, 4> visits_;  // one queue for each delay, so each is in order
  std::vector<TlsLibraryFact> facts_;
  Stats stats_;
  std::atomic<bool> stops_ = false;
  std::thread thread_;
};

}  // namespace aispm::sensor
