// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/library_watcher.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "sdk/core/common/file.hpp"
#include "sdk/core/common/log.hpp"
#include "sensor/capture/proc_reader.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxMapsBytes = 16U << 20;
constexpr std::chrono::milliseconds kDelays[] = {
    std::chrono::milliseconds(20), std::chrono::milliseconds(200), std::chrono::milliseconds(1000),
    std::chrono::milliseconds(5000)};
constexpr std::chrono::seconds kTick{1};
// How often mapping events are looked at: nothing wakes us for a few of them.
constexpr std::chrono::milliseconds kLookInterval{5};       // while processes map
constexpr std::chrono::milliseconds kIdleLookInterval{20};  // when none did for kQuiet
constexpr std::chrono::seconds kQuiet{1};
// Between two full scans that were asked for by something that happened.
constexpr std::chrono::seconds kScanPause{10};
constexpr int kScansKept = 10;  // intervals that probes stay after their file's last process ended
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

LibraryWatcher::LibraryWatcher(const TlsProbes& probes, Options options)
    : options_(std::move(options)),
      files_(probes, options_.cache_folder),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  stats_.trigger = "timed scans: not asked for";
  if (!options_.uses_mapping_events) return;
  if (auto events = MappingEvents::open(); events) {
    events_ = std::move(*events);
    stats_.trigger = "perf mmap2";
  } else {
    stats_.trigger = "timed scans: " + events.error().message;
  }
}

LibraryWatcher::~LibraryWatcher() {
  stops_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void LibraryWatcher::set_planner(std::shared_ptr<const Planner> planner) {
  files_.set_planner(std::move(planner));
  looks_again_ = true;
}

void LibraryWatcher::start() {
  // Probes belong to files: once these are probed, a program started later is captured from its
  // first byte. Mapping events run already, so that nothing falls between the scan and the thread.
  full_scan();
  drain_events();
  thread_ = std::thread([this] { run(); });
}

void LibraryWatcher::on_exec(std::uint32_t pid) {
  if (events_) return;
  const auto now = Clock::now();
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = visits_.front().empty();  // else the thread wakes up early enough anyway
    for (std::size_t i = 0; i < visits_.size(); ++i) {
      if (visits_[i].size() >= kMaxQueue)
        ++stats_.scans_refused;
      else
        visits_[i].push_back({now + kDelays[i], pid});
    }
  }
  if (is_first) wake();
}

void LibraryWatcher::wake() {
  const std::uint64_t one = 1;
  // Only a full counter can refuse, and then a wake-up is pending already.
  if (::write(wake_.get(), &one, sizeof(one)) < 0) return;
}

std::vector<TlsLibraryFact> LibraryWatcher::take_facts() {
  const std::lock_guard lock(mutex_);
  return std::exchange(facts_, {});
}

LibraryWatcher::Stats LibraryWatcher::stats() const {
  ProbedFiles::Stats files = files_.stats();
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  stats.files = std::move(files);
  return stats;
}

void LibraryWatcher::run() {
  auto last_scan = Clock::now();
  while (!stops_) {
    wait();
    drain_events();
    do_visits();
    tell_facts();
    const auto age = Clock::now() - last_scan;
    const auto interval = events_ ? options_.scan_interval : options_.scan_interval_alone;
    const bool has_unused = std::any_of(users_.begin(), users_.end(),
                                        [this](const auto& file) { return is_over(file.second); });
    const bool is_asked = has_unused || (events_ && events_->has_lost());
    if (age < (is_asked ? std::min<Clock::duration>(kScanPause, interval) : interval) &&
        !looks_again_)
      continue;
    full_scan();
    let_go();
    last_scan = Clock::now();
  }
}

void LibraryWatcher::wait() {
  const auto now = Clock::now();
  auto due = now + kTick;
  if (events_) due = now + (now - last_mapping_ < kQuiet ? kLookInterval : kIdleLookInterval);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& queue : visits_)
      if (!queue.empty()) due = std::min(due, queue.front().due);
  }
  std::vector<pollfd> waiting{{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  if (events_)
    for (const int fd : events_->descriptors())
      waiting.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  const auto left = std::max(std::chrono::milliseconds(0),
                             std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now()));
  const int ready = ::poll(waiting.data(), waiting.size(), static_cast<int>(left.count()));
  std::uint64_t wakes = 0;
  if (ready > 0 && waiting.front().revents != 0) (void)!::read(wake_.get(), &wakes, sizeof(wakes));
}

void LibraryWatcher::drain_events() {
  if (!events_) return;
  std::uint64_t mappings = 0;
  events_->drain({
      [&](CodeMapping mapping) {
        ++mappings;
        look_at(mapping.pid, mapping.range, {mapping.device, mapping.inode, mapping.generation},
                mapping.path);
      },
      [this](std::uint32_t parent, std::uint32_t child) {
        for (auto& [id, users] : users_)
          if (users.told.contains(parent)) add_user(id, child);
      },
      [this](std::uint32_t pid) { end_process(pid); },
  });
  if (mappings > 0) last_mapping_ = Clock::now();
  const std::lock_guard lock(mutex_);
  stats_.mappings += mappings;
  stats_.mappings_lost = events_->lost();
}

void LibraryWatcher::do_visits() {
  for (std::size_t i = 0; i < visits_.size(); ++i) {
    while (!stops_) {
      std::uint32_t pid = 0;
      {
        const std::lock_guard lock(mutex_);
        if (visits_[i].empty() || visits_[i].front().due > Clock::now()) break;
        pid = visits_[i].front().pid;
        visits_[i].pop_front();
      }
      scan_process(pid);
    }
  }
}

void LibraryWatcher::full_scan() {
  looks_again_ = false;
  if (events_) events_->forget_lost();
  looked_at_.clear();  // an inode number may belong to another file by now
  for (auto& [id, users] : users_) {
    users.seen.clear();
    users.is_in_folder = false;
  }
  scan_folders();
  for (const std::uint32_t pid : list_processes()) {
    if (stops_) return;
    scan_process(pid);
  }
  for (auto& [id, users] : users_)
    user_count_ -= std::erase_if(
        users.told, [&](const auto& told) { return !users.seen.contains(told.first); });
  tell_facts();
}

void LibraryWatcher::scan_folders() {
  for (const std::string_view folder : kFolders) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (!is_tls_library(entry.path().native()) || !entry.is_regular_file(error)) continue;
      const std::string path = std::filesystem::canonical(entry.path(), error).native();
      if (error) continue;
      if (const auto id = files_.look_at(path, path); id) users_[*id].is_in_folder = true;
    }
  }
}

void LibraryWatcher::scan_process(std::uint32_t pid) {
  const auto maps = read_file("/proc/" + std::to_string(pid) + "/maps", kMaxMapsBytes);
  {
    const std::lock_guard lock(mutex_);
    ++stats_.processes_scanned;
  }
  if (!maps) return;  // gone already, or a kernel thread
  for (const MappedFile& file : find_mapped_files(*maps))
    look_at(pid, file.range, {file.device, file.inode, 0}, file.path);
}

void LibraryWatcher::look_at(std::uint32_t pid, const std::string& range, const MappingKey& key,
                             const std::string& path) {
  if (const auto known = looked_at_.find(key); known != looked_at_.end())
    return add_user(known->second, pid);
  // map_files leads to the mapped file itself, deleted or not, in whatever mount namespace.
  const std::string folder = "/proc/" + std::to_string(pid);
  auto id = files_.look_at(folder + "/map_files/" + range, path);
  // The mapping may have been split meanwhile; then its name has to do, in the process's own view.
  if (!id) id = files_.look_at(folder + "/root" + path, path);
  if (!id) return;
  if (looked_at_.size() >= ProbedFiles::kMaxFiles) looked_at_.clear();
  looked_at_[key] = *id;
  add_user(*id, pid);
}

void LibraryWatcher::add_user(const FileId& id, std::uint32_t pid) {
  const auto known = users_.find(id);
  if (known == users_.end() && !files_.may_have_tls(id)) return;
  Users& users = known == users_.end() ? users_[id] : known->second;
  users.seen.insert(pid);
  users.last_used = Clock::now();
  if (users.told.contains(pid)) return;
  if (user_count_ >= kMaxUsers) {
    const std::lock_guard lock(mutex_);
    ++stats_.facts_lost;
    return;
  }
  users.told[pid] = 0;
  ++user_count_;
  has_news_ = true;
}

void LibraryWatcher::end_process(std::uint32_t pid) {
  for (auto& [id, users] : users_) {
    if (users.told.erase(pid) == 0) continue;
    --user_count_;
    users.last_used = Clock::now();
  }
}

void LibraryWatcher::tell_facts() {
  const std::uint64_t changes = files_.changes();
  if (!has_news_ && changes == told_changes_) return;
  has_news_ = false;
  told_changes_ = changes;
  std::vector<TlsLibraryFact> facts;
  for (auto file = users_.begin(); file != users_.end();) {
    auto& [id, users] = *file;
    const ProbedFiles::Verdict verdict = files_.verdict_of(id);
    if (!verdict.is_pending && verdict.libraries.empty() && !users.is_in_folder) {
      user_count_ -= users.told.size();  // a slow planner found nothing in it
      file = users_.erase(file);
      continue;
    }
    for (auto& [pid, version] : users.told) {
      if (version == verdict.version) continue;
      version = verdict.version;
      const auto process = read_identity(pid);
      if (!process) continue;
      for (const ProbedLibrary& library : verdict.libraries)
        facts.push_back({boot_now(), *process, library.library, library.path, library.error.empty(),
                         library.error});
    }
    ++file;
  }
  const std::lock_guard lock(mutex_);
  for (TlsLibraryFact& fact : facts) {
    if (facts_.size() >= kMaxFacts)
      ++stats_.facts_lost;
    else
      facts_.push_back(std::move(fact));
  }
}

bool LibraryWatcher::is_over(const Users& users) const {
  return users.told.empty() && !users.is_in_folder &&
         Clock::now() - users.last_used > kScansKept * options_.scan_interval;
}

void LibraryWatcher::let_go() {
  for (auto file = users_.begin(); file != users_.end();) {
    if (!is_over(file->second)) {
      ++file;
      continue;
    }
    files_.forget(file->first);
    file = users_.erase(file);
  }
}

}  // namespace aispm::sensor
