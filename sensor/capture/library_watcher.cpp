// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/library_watcher.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "sdk/core/common/file.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "sensor/capture/elf_image.hpp"
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
    : probes_(probes), full_scan_interval_(full_scan_interval) {}

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
  const std::lock_guard lock(mutex_);
  Stats stats{{}, processes_scanned_, scans_refused_};
  for (const auto& [id, probed] : probed_) stats.libraries.push_back(probed.library);
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
        probe_file(entry.path().native(), entry.path().native());
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
    probe_file(folder + "/map_files/" + library.range, library.path);
  }
}

void LibraryWatcher::probe_file(const std::string& open_path, const std::string& name) {
  const UniqueFd file(::open(open_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return;
  const FileId id{facts.st_dev, facts.st_ino};
  {
    const std::lock_guard lock(mutex_);
    if (probed_.contains(id) || probed_.size() >= kMaxLibraries) return;
  }
  Probed probed;
  probed.library.path = name;
  const auto attach = [&]() -> Result<> {
    AISPM_TRY(const ElfImage image, ElfImage::open(file.get()));
    const CodeAt code = image.is_x86_64() ? CodeAt([&](std::uint64_t address, std::size_t limit) {
      return image.code_at(address, limit);
    })
                                          : CodeAt();
    const auto plan = make_probe_plan(image.find_functions(tls_function_names()), code);
    if (plan.empty())
      return {};  // another library of that name, such as NSS's libssl3: its API is not OpenSSL's
    AISPM_TRY(probed.links,
              probes_.attach("/proc/self/fd/" + std::to_string(file.get()), plan,
                             [&](std::uint64_t address) { return image.file_offset(address); }));
    probed.library.probes = plan.size();
    for (const ProbePoint& point : plan) probed.library.emulated += point.is_emulated ? 1 : 0;
    return {};
  };
  if (const auto attached = attach(); attached && probed.library.probes > 0)
    log::info(
        "tls.library",
        {{"path", name}, {"probes", probed.library.probes}, {"emulated", probed.library.emulated}});
  else if (!attached)
    probed.library.error = attached.error().message;
  const std::lock_guard lock(mutex_);
  if (!probed.library.error.empty())
    log::warn("tls.library_not_probed", {{"path", name}, {"why", probed.library.error}});
  probed_.emplace(id, std::move(probed));
}

}  // namespace aispm::sensor
