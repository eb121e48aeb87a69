// SPDX-License-Identifier: Apache-2.0
#include "sensor/discover/discovery.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "sdk/core/common/log.hpp"
#include "sensor/capture/proc_reader.hpp"
#include "sensor/discover/local_probe.hpp"

namespace aispm::sensor {
namespace {

constexpr std::chrono::milliseconds kFirstLook{700};  // the loader and imports need time
constexpr std::chrono::milliseconds kSecondLook{5000};
constexpr std::chrono::milliseconds kWatchInterval{5000};
// For each moment of work nine of rest.
constexpr int kRestFactor = 9;
constexpr std::chrono::milliseconds kLongestRest{500};
constexpr int kIdlePriority = 19;

void be_modest() {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  constexpr int kWhoProcess = 1;       // IOPRIO_WHO_PROCESS
  constexpr int kIdleClass = 3 << 13;  // IOPRIO_CLASS_IDLE
  if (::setpriority(PRIO_PROCESS, thread, kIdlePriority) != 0 ||
      ::syscall(SYS_ioprio_set, kWhoProcess, thread, kIdleClass) != 0)
    log::warn("discover.priority", {{"errno", errno}});
}

}  // namespace

Discovery::Discovery(Signatures signatures, Options options, Secret host_key)
    : options_(std::move(options)),
      signatures_(std::move(signatures)),
      processes_(signatures_, options_.gpu_devices),
      files_(
          signatures_, options_.users, std::move(host_key),
          [this](Found found) { give(std::move(found)); },
          [this](const std::string& path, ModelFile& model) { hash(path, model); }) {}

Discovery::~Discovery() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Discovery::start() {
  next_scan_ = next_probe_ = next_watch_ = rest_until_ = Clock::now();
  thread_ = std::thread([this] { run(); });
}

void Discovery::on_started(std::uint32_t pid) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  if (soon_.size() >= kMaxVisits || later_.size() >= 8 * kMaxVisits) {
    ++stats_.visits_refused;  // the next whole scan finds it
    return;
  }
  soon_.push_back({now + kFirstLook, pid});
  later_.push_back({now + kSecondLook, pid});
}

void Discovery::on_listen(std::uint32_t pid) {
  const std::lock_guard lock(mutex_);
  if (soon_.size() < kMaxVisits)
    soon_.push_back({Clock::now() + kFirstLook, pid});
  else
    ++stats_.visits_refused;
}

std::vector<Found> Discovery::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(found_, {});
}

Discovery::Stats Discovery::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Discovery::give(Found found) {
  const std::lock_guard lock(mutex_);
  if (found_.size() < kMaxFound)
    found_.push_back(std::move(found));
  else
    ++stats_.found_refused;
}

Discovery::Clock::time_point Discovery::next_due() const {
  auto due = std::min({next_scan_, next_watch_, next_probe_});
  if (is_scanning_ || hasher_.has_work()) due = Clock::now();
  if (!soon_.empty()) due = std::min(due, soon_.front().due);
  if (!later_.empty()) due = std::min(due, later_.front().due);
  return std::max(due, rest_until_);
}

void Discovery::run() {
  be_modest();
  std::unique_lock lock(mutex_);
  while (!stops_) {
    const auto due = next_due();
    if (Clock::now() < due) {
      // Not woken by new visits: they are due later than this sleep is long.
      changed_.wait_until(lock, std::min(due, Clock::now() + kLongestRest));
      continue;
    }
    lock.unlock();
    const auto begin = Clock::now();
    const bool has_worked = work();
    const auto end = Clock::now();
    if (has_worked)
      rest_until_ = end + std::min<Clock::duration>(kRestFactor * (end - begin), kLongestRest);
    lock.lock();
    stats_.files = files_.files();
    stats_.files_refused = files_.refused();
    stats_.hashed = hasher_.hashed();
    stats_.hashes_refused = hasher_.refused();
  }
}

bool Discovery::work() {
  const auto now = Clock::now();
  std::uint32_t pid = 0;
  {
    const std::lock_guard lock(mutex_);
    for (auto* queue : {&soon_, &later_}) {
      if (pid != 0 || queue->empty() || queue->front().due > now) continue;
      pid = queue->front().pid;
      queue->pop_front();
    }
  }
  if (pid != 0) {
    processes_.start_round();
    visit(pid);
  } else if (now >= next_watch_) {
    next_watch_ = now + kWatchInterval;
    watch_signatures();
  } else if (now >= next_probe_) {
    next_probe_ = now + options_.probe_interval;
    probe_targets();
  } else if (hasher_.has_work() && (hashes_next_ || !is_scanning_)) {
    hashes_next_ = false;  // by turns with a scan, so that neither waits for the other's end
    hash_slice();
  } else if (is_scanning_) {
    hashes_next_ = true;
    is_scanning_ = step_scan();
  } else if (now >= next_scan_) {
    next_scan_ = now + options_.scan_interval;
    start_scan();
  } else {
    return false;
  }
  return true;
}

void Discovery::visit(std::uint32_t pid) {
  auto scan = processes_.scan(pid);
  if (!scan) return;
  ++scanned_in_round_;
  for (ModelFile& model : scan->models) {
    const bool is_of_host = model.path.starts_with('/');
    hash(is_of_host ? model.path
                    : "/proc/" + std::to_string(pid) + "/root" +
                          model.path.substr(model.path.find(':') + 1),
         model);
    // It stays on the disk when the process ends.
    if (!is_of_host || models_.size() >= kMaxFound) continue;
    if (!models_.emplace(model.path, model).second && model.sha256.empty()) continue;
    FoundFile found;
    found.path = model.path;
    found.what = "model";
    found.models.push_back(model);
    give(std::move(found));
  }
  std::vector<AnsweredProbe> answers;
  if (options_.asks_listeners) {
    for (const std::uint16_t port : scan->ports) {
      const bool is_of_interest = !signatures_.find_ports(port).empty() || !scan->evidence.empty();
      if (!is_of_interest || !asked_.emplace(pid, port).second) continue;
      for (EvidenceItem& evidence : ask_listener(port, signatures_))
        answers.push_back({scan->process, {port, std::move(evidence)}});
    }
  }
  {
    const std::lock_guard lock(mutex_);
    ++stats_.processes_scanned;
  }
  give(std::move(*scan));
  for (AnsweredProbe& answer : answers) give(std::move(answer));
}

void Discovery::start_scan() {
  waiting_ = list_processes();
  processes_.start_round();
  asked_.clear();
  scanned_in_round_ = 0;
  is_scanning_ = true;
  for (auto model = models_.begin(); model != models_.end();) {
    struct stat facts {};
    if (::stat(model->first.c_str(), &facts) == 0) {
      ++model;
      continue;
    }
    give(FileGone{model->first});
    model = models_.erase(model);
  }
}

bool Discovery::step_scan() {
  if (!waiting_.empty()) {
    visit(waiting_.back());
    waiting_.pop_back();
    if (waiting_.empty()) files_.start(processes_.projects());
    return true;
  }
  if (files_.step()) return true;
  give(ScanDone{scanned_in_round_, files_.files()});
  ::malloc_trim(0);  // maps and scripts of hundreds of processes went through
  const std::lock_guard lock(mutex_);
  ++stats_.scans;
  return false;
}

void Discovery::hash(const std::string& open_path, ModelFile& model) {
  if (auto known = hasher_.find(open_path, model)) model.sha256 = std::move(*known);
}

void Discovery::hash_slice() {
  auto model = hasher_.work();
  // One inside a container is told with its process: the next look finds its hash known.
  if (!model || !model->path.starts_with('/')) return;
  FoundFile found;
  found.path = model->path;
  found.what = "model";
  if (const auto known = models_.find(model->path); known != models_.end())
    known->second.sha256 = model->sha256;
  found.models.push_back(std::move(*model));
  give(std::move(found));
}

void Discovery::probe_targets() {
  for (const ProbeTarget& target : options_.probe_targets) {
    const std::pair key(target.address, target.port);
    if (!can_reach(target.address, target.port))
      reached_.erase(key);
    else if (reached_.insert(key).second)
      give(ReachedTarget{target.address, target.port});
  }
}

void Discovery::watch_signatures() {
  if (options_.signature_folder.empty()) return;
  std::map<std::string, std::pair<std::int64_t, std::uint64_t>> now;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(options_.signature_folder, error), end;
       !error && entry != end && now.size() <= kMaxSignatureFiles; entry.increment(error)) {
    struct stat facts {};
    if (entry->path().extension() == ".yaml" && ::stat(entry->path().c_str(), &facts) == 0)
      now[entry->path().string()] = {facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec,
                                     static_cast<std::uint64_t>(facts.st_size)};
  }
  if (now == signature_files_ && has_watched_) return;
  signature_files_ = std::move(now);
  if (!std::exchange(has_watched_, true)) return;  // what is in force was read from these
  auto loaded = Signatures::load(options_.signature_folder);
  {
    const std::lock_guard lock(mutex_);
    stats_.signature_error = loaded ? "" : loaded.error().message;
  }
  if (!loaded) return log::warn("signatures.refused", {{"why", loaded.error().message}});
  log::info("signatures.loaded", {{"count", loaded->size()}});
  signatures_ = *loaded;
  processes_.replace(*loaded);
  files_.replace(*loaded);
  give(NewSignatures{std::move(*loaded)});
  next_scan_ = Clock::now();
}

}  // namespace aispm::sensor
