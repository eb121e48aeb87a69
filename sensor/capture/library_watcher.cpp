// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/library_watcher.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "sdk/core/common/file.hpp"
#include "sensor/capture/proc_reader.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxMapsBytes = 16U << 20;
constexpr std::chrono::milliseconds kDelays[] = {
    std::chrono::milliseconds(20), std::chrono::milliseconds(200), std::chrono::milliseconds(1000),
    std::chrono::milliseconds(5000)};
constexpr std::string_view kFolders[] = {"/lib",
                                         "/lib64",
                                         "/usr/lib",
                                         "/usr/lib64",
                                         "/usr/local/lib",
                                         "/usr/local/lib64",
                                         "/usr/local/ssl/lib",
                                         "/usr/lib/x86_64-linux-gnu",
                                         "/usr/lib/aarch64-linux-gnu"};

}  // namespace

LibraryWatcher::LibraryWatcher(const TlsProbes& probes, std::chrono::seconds full_scan_interval)
    : files_(probes), full_scan_interval_(full_scan_interval) {}

LibraryWatcher::~LibraryWatcher() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LibraryWatcher::start() {
  // Probes belong to files: once these are probed, a program started later is captured from its
  // first byte.
  scan_folders();
  scan_all_processes();
  thread_ = std::thread([this] { run(); });
}

void LibraryWatcher::on_exec(std::uint32_t pid) {
  const auto now = Clock::now();
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = visits_.front().empty();  // else the thread wakes up early enough anyway
    for (std::size_t i = 0; i < visits_.size(); ++i) {
      if (visits_[i].size() >= kMaxQueue)
        ++scans_refused_;
      else
        visits_[i].push_back({now + kDelays[i], pid});
    }
  }
  if (is_first) changed_.notify_all();
}

LibraryWatcher::Stats LibraryWatcher::stats() const {
  Stats stats{files_.stats(), 0, 0};
  const std::lock_guard lock(mutex_);
  stats.processes_scanned = processes_scanned_;
  stats.scans_refused = scans_refused_;
  return stats;
}

void LibraryWatcher::run() {
  auto next_full_scan = Clock::now() + full_scan_interval_;
  std::unique_lock lock(mutex_);
  while (!stops_) {
    auto due = next_full_scan;
    for (const auto& queue : visits_)
      if (!queue.empty()) due = std::min(due, queue.front().due);
    if (Clock::now() < due) {
      changed_.wait_until(lock, due);
      continue;
    }
    if (due == next_full_scan) {
      lock.unlock();
      scan_all_processes();
      next_full_scan = Clock::now() + full_scan_interval_;
      lock.lock();
      continue;
    }
    for (auto& queue : visits_) {
      if (queue.empty() || queue.front().due > Clock::now()) continue;
      const std::uint32_t pid = queue.front().pid;
      queue.pop_front();
      lock.unlock();
      scan_process(pid);
      lock.lock();
    }
  }
}

void LibraryWatcher::scan_folders() {
  for (const std::string_view folder : kFolders) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error))
      if (is_tls_library(entry.path().native()) && entry.is_regular_file(error))
        files_.look_at(entry.path().native(), entry.path().native());
  }
}

void LibraryWatcher::scan_all_processes() {
  for (const std::uint32_t pid : list_processes()) scan_process(pid);
}

void LibraryWatcher::scan_process(std::uint32_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  const auto maps = read_file(folder + "/maps", kMaxMapsBytes);
  {
    const std::lock_guard lock(mutex_);
    ++processes_scanned_;
  }
  if (!maps) return;  // gone already, or a kernel thread
  for (const MappedLibrary& library : find_libraries(*maps)) {
    // map_files leads to the mapped file itself, deleted or not, in whatever mount namespace.
    files_.look_at(folder + "/map_files/" + library.range, library.path);
  }
}

}  // namespace aispm::sensor
