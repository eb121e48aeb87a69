// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/probed_files.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "sdk/core/common/file.hpp"
#include "sdk/core/common/log.hpp"
#include "sensor/capture/elf_image.hpp"
#include "sensor/capture/plan_cache.hpp"

namespace aispm::sensor {
namespace {

constexpr int kLowPriority = 19;
constexpr unsigned kFolderMode = 0700;

FileStamp stamp_of(const struct stat& facts) {
  return {static_cast<std::uint64_t>(facts.st_size),
          facts.st_ctim.tv_sec * 1'000'000'000 + facts.st_ctim.tv_nsec};
}

ProbedLibrary describe(const ProbePlan& plan, const std::string& name) {
  ProbedLibrary library;
  library.path = name;
  library.library = plan.library;
  library.method = plan.method;
  library.probes = plan.points.size();
  library.error = plan.reason;
  for (const ProbePoint& point : plan.points) {
    library.emulated += point.is_emulated ? 1 : 0;
    const auto is_write = [](const std::string& function) {
      return function.find("rite") != std::string::npos || function.ends_with("_send");
    };
    const bool is_better =
        library.site.empty() || (is_write(point.function) && !is_write(library.site));
    if (is_better) library.site = point.function + (point.is_emulated ? ", emulated" : ", stepped");
  }
  return library;
}

}  // namespace

ProbedFiles::ProbedFiles(const TlsProbes& probes, std::string cache_folder)
    : probes_(probes), cache_folder_(std::move(cache_folder)) {
  if (!cache_folder_.empty()) {
    if (const auto made = make_directories(cache_folder_, kFolderMode); !made)
      log::warn("tls.plan_not_kept", {{"why", made.error().message}});
  }
  slow_thread_ = std::thread([this] { run_slow(); });
}

ProbedFiles::~ProbedFiles() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  changed_.notify_all();
  slow_thread_.join();
}

void ProbedFiles::set_planner(std::shared_ptr<const Planner> planner) {
  const std::lock_guard lock(mutex_);
  std::erase_if(planners_, [&](const auto& old) { return old->name() == planner->name(); });
  planners_.push_back(std::move(planner));
  // Files that nobody understood may be understood now.
  std::erase_if(files_, [](const auto& known) {
    return known.second.links.empty() && !known.second.is_pending;
  });
}

ProbedFiles::Planners ProbedFiles::planners_of(Planner::Speed speed) const {
  const std::lock_guard lock(mutex_);
  Planners found;
  for (const auto& planner : planners_)
    if (planner->speed() == speed) found.push_back(planner);
  return found;
}

std::optional<FileId> ProbedFiles::look_at(const std::string& open_path, const std::string& name) {
  UniqueFd file(::open(open_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  const FileId id{facts.st_dev, facts.st_ino};
  {
    const std::lock_guard lock(mutex_);
    const auto known = files_.find(id);
    if (known != files_.end() && known->second.stamp == stamp_of(facts)) return id;
    if (known == files_.end() && files_.size() >= kMaxFiles) {
      ++refused_;
      return id;
    }
    // Changed in place, or another file by now: its probes sit on instructions that may be gone.
    const std::size_t links = known == files_.end() ? 0 : known->second.links.size();
    probed_ -= std::min(probed_, links);
    files_[id] = File{stamp_of(facts), name, {}, {}, ++changes_, false};
  }
  const auto image = ElfImage::open(file.get());
  if (!image) return id;  // no ELF file: nothing for anybody
  const auto plans = ask(*image, name, static_cast<std::uint64_t>(facts.st_size),
                         planners_of(Planner::Speed::kFast));
  if (!plans.empty())
    attach(file.get(), id, name, plans, *image);
  else
    queue_slowly({id, stamp_of(facts), std::move(file), name});
  return id;
}

void ProbedFiles::queue_slowly(SlowWork work) {
  if (planners_of(Planner::Speed::kSlow).empty()) return;
  const std::lock_guard lock(mutex_);
  if (slow_.size() >= kMaxQueue) {
    ++refused_;
    files_.erase(work.id);  // so that the next look tries again
    return;
  }
  files_[work.id].is_pending = true;
  slow_.push_back(std::move(work));
  changed_.notify_all();
}

std::vector<ProbePlan> ProbedFiles::ask(const ElfImage& image, const std::string& name,
                                        std::uint64_t size_bytes, const Planners& planners) const {
  std::vector<std::string> texts;
  for (const auto& planner : planners)
    for (std::string& symbol : planner->symbols()) texts.push_back(std::move(symbol));
  const std::vector<std::string_view> names(texts.begin(), texts.end());
  const Functions functions = names.empty() ? Functions() : image.find_functions(names);
  const CodeAt code = [&](std::uint64_t address, std::size_t limit) {
    return image.code_at(address, limit);
  };
  const ElfSubject subject{
      name,
      size_bytes,
      image.is_x86_64(),
      [&](std::uint64_t offset, std::span<std::byte> into) { return image.read_at(offset, into); },
      image.is_x86_64() ? code : CodeAt(),
      functions};
  std::vector<ProbePlan> plans;
  for (const auto& planner : planners) {
    if (!planner->may_apply(subject)) continue;
    for (ProbePlan& plan : planner->plan(subject)) plans.push_back(std::move(plan));
  }
  return plans;
}

std::vector<ProbePlan> ProbedFiles::ask_slowly(const ElfImage& image, const SlowWork& work) {
  const Planners planners = planners_of(Planner::Speed::kSlow);
  std::string key =
      std::to_string(work.stamp.size_bytes) + " " + std::to_string(work.stamp.changed_ns);
  for (const auto& planner : planners) key += " " + planner->name() + "@" + planner->version();
  const std::string path = cache_folder_.empty()
                               ? ""
                               : cache_folder_ + "/" + std::to_string(work.id.device) + "-" +
                                     std::to_string(work.id.inode);
  if (!path.empty()) {
    if (auto plans = load_plans(path, key); plans) {
      const std::lock_guard lock(mutex_);
      ++cached_;
      return std::move(*plans);
    }
  }
  auto plans = ask(image, work.name, work.stamp.size_bytes, planners);
  if (!path.empty())
    if (const auto saved = save_plans(path, key, plans); !saved)
      log::warn("tls.plan_not_kept", {{"why", saved.error().message}});
  return plans;
}

Result<TlsProbes::Attached> ProbedFiles::attach_plan(int fd, const ProbePlan& plan,
                                                     const ElfImage& image) {
  {
    const std::lock_guard lock(mutex_);
    if (probed_ >= kMaxLibraries)
      return fail(Errc::kTooLarge,
                  "more TLS libraries than the limit of " + std::to_string(kMaxLibraries));
    ++probed_;
  }
  auto links = probes_.attach("/proc/self/fd/" + std::to_string(fd), plan,
                              [&](std::uint64_t address) { return image.file_offset(address); });
  if (!links) {
    const std::lock_guard lock(mutex_);
    --probed_;
  }
  return links;
}

void ProbedFiles::attach(int fd, const FileId& id, const std::string& name,
                         const std::vector<ProbePlan>& plans, const ElfImage& image) {
  std::vector<ProbedLibrary> libraries;
  std::vector<TlsProbes::Attached> links;
  for (const ProbePlan& plan : plans) {
    ProbedLibrary library = describe(plan, name);
    if (plan.reason.empty()) {
      auto attached = attach_plan(fd, plan, image);
      if (attached)
        links.push_back(std::move(*attached));
      else
        library.error = attached.error().message;
      library.is_failure = !library.error.empty();
    }
    if (library.error.empty())
      log::info("tls.library", {{"path", name},
                                {"library", library.library},
                                {"method", library.method},
                                {"probes", library.probes},
                                {"emulated", library.emulated}});
    else
      log::info("tls.library_not_probed",
                {{"path", name}, {"library", library.library}, {"why", library.error}});
    libraries.push_back(std::move(library));
  }
  const std::lock_guard lock(mutex_);
  const auto file = files_.find(id);
  if (file == files_.end()) return;  // forgotten meanwhile: the links go with us
  for (auto& library : libraries) file->second.libraries.push_back(std::move(library));
  for (auto& link : links) file->second.links.push_back(std::move(link));
  file->second.version = ++changes_;
}

void ProbedFiles::run_slow() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kLowPriority);
  std::unique_lock lock(mutex_);
  while (!stops_) {
    if (slow_.empty()) {
      changed_.wait(lock);
      continue;
    }
    // The newest first: what was just started must not wait for all that ran before the sensor.
    const SlowWork work = std::move(slow_.back());
    slow_.pop_back();
    lock.unlock();
    if (const auto image = ElfImage::open(work.file.get()); image)
      attach(work.file.get(), work.id, work.name, ask_slowly(*image, work), *image);
    lock.lock();
    if (const auto file = files_.find(work.id); file != files_.end()) {
      file->second.is_pending = false;
      file->second.version = ++changes_;
    }
  }
}

ProbedFiles::Verdict ProbedFiles::verdict_of(const FileId& id) const {
  const std::lock_guard lock(mutex_);
  const auto file = files_.find(id);
  if (file == files_.end()) return {};
  return {file->second.libraries, file->second.version, file->second.is_pending};
}

bool ProbedFiles::may_have_tls(const FileId& id) const {
  const std::lock_guard lock(mutex_);
  const auto file = files_.find(id);
  return file != files_.end() && (file->second.is_pending || !file->second.libraries.empty());
}

void ProbedFiles::forget(const FileId& id) {
  std::vector<TlsProbes::Attached> links;  // detached outside of the lock
  const std::lock_guard lock(mutex_);
  const auto file = files_.find(id);
  if (file == files_.end()) return;
  links = std::move(file->second.links);
  probed_ -= std::min(probed_, links.size());
  files_.erase(file);
}

ProbedFiles::Stats ProbedFiles::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats{{}, files_.size(), refused_, slow_.size(), cached_};
  for (const auto& [id, file] : files_)
    stats.libraries.insert(stats.libraries.end(), file.libraries.begin(), file.libraries.end());
  return stats;
}

}  // namespace aispm::sensor
