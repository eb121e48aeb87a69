// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/probed_files.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "sdk/core/common/log.hpp"
#include "sensor/capture/elf_image.hpp"

namespace aispm::sensor {
namespace {

constexpr int kLowPriority = 19;

FileStamp stamp_of(const struct stat& facts) {
  return {static_cast<std::uint64_t>(facts.st_size),
          facts.st_ctim.tv_sec * 1'000'000'000 + facts.st_ctim.tv_nsec};
}

ProbedLibrary describe(const ProbePlan& plan, const std::string& name) {
  ProbedLibrary library{name, plan.library, plan.method, plan.points.size(), 0, plan.reason};
  for (const ProbePoint& point : plan.points) library.emulated += point.is_emulated ? 1 : 0;
  return library;
}

}  // namespace

ProbedFiles::ProbedFiles(const TlsProbes& probes) : probes_(probes) {
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
  std::erase_if(files_, [](const auto& known) { return known.second.links.empty(); });
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
    // Changed in place: its probes sit on instructions that may be gone.
    files_[id] = File{stamp_of(facts), name, {}, {}};
  }
  if (analyse(file.get(), id, name, Planner::Speed::kFast)) return id;
  const std::lock_guard lock(mutex_);
  if (slow_.size() >= kMaxQueue) {
    ++refused_;
    files_.erase(id);  // so that the next look tries again
    return id;
  }
  slow_.push_back({id, std::move(file), name});
  changed_.notify_all();
  return id;
}

bool ProbedFiles::analyse(int fd, const FileId& id, const std::string& name, Planner::Speed speed) {
  const Planners planners = planners_of(speed);
  const auto image = ElfImage::open(fd);
  if (!image) return true;  // no ELF file: nothing for anybody
  std::vector<std::string> texts;
  for (const auto& planner : planners)
    for (std::string& symbol : planner->symbols()) texts.push_back(std::move(symbol));
  const std::vector<std::string_view> names(texts.begin(), texts.end());
  const Functions functions = names.empty() ? Functions() : image->find_functions(names);
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return true;
  const ElfSubject subject{
      name,
      static_cast<std::uint64_t>(facts.st_size),
      image->is_x86_64(),
      [&](std::uint64_t offset, std::span<std::byte> into) { return image->read_at(offset, into); },
      image->is_x86_64() ? CodeAt([&](std::uint64_t address, std::size_t limit) {
        return image->code_at(address, limit);
      })
                         : CodeAt(),
      functions};
  std::vector<ProbePlan> plans;
  for (const auto& planner : planners) {
    if (!planner->may_apply(subject)) continue;
    for (ProbePlan& plan : planner->plan(subject)) plans.push_back(std::move(plan));
  }
  if (plans.empty()) return false;
  attach(fd, id, name, std::move(plans), *image);
  return true;
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
                         std::vector<ProbePlan> plans, const ElfImage& image) {
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
    }
    if (library.error.empty())
      log::info("tls.library", {{"path", name},
                                {"library", library.library},
                                {"method", library.method},
                                {"probes", library.probes},
                                {"emulated", library.emulated}});
    else
      log::warn("tls.library_not_probed",
                {{"path", name}, {"library", library.library}, {"why", library.error}});
    libraries.push_back(std::move(library));
  }
  const std::lock_guard lock(mutex_);
  const auto file = files_.find(id);
  if (file == files_.end()) return;  // forgotten meanwhile: the links go with us
  for (auto& library : libraries) file->second.libraries.push_back(std::move(library));
  for (auto& link : links) file->second.links.push_back(std::move(link));
}

void ProbedFiles::run_slow() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kLowPriority);
  std::unique_lock lock(mutex_);
  while (!stops_) {
    if (slow_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const SlowWork work = std::move(slow_.front());
    slow_.pop_front();
    lock.unlock();
    (void)analyse(work.file.get(), work.id, work.name, Planner::Speed::kSlow);
    lock.lock();
  }
}

std::vector<ProbedLibrary> ProbedFiles::libraries_of(const FileId& id) const {
  const std::lock_guard lock(mutex_);
  const auto file = files_.find(id);
  return file == files_.end() ? std::vector<ProbedLibrary>() : file->second.libraries;
}

bool ProbedFiles::is_known(const FileId& id) const {
  const std::lock_guard lock(mutex_);
  return files_.contains(id);
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

std::vector<FileId> ProbedFiles::probed_ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<FileId> ids;
  for (const auto& [id, file] : files_)
    if (!file.libraries.empty()) ids.push_back(id);
  return ids;
}

ProbedFiles::Stats ProbedFiles::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats{{}, files_.size(), refused_};
  for (const auto& [id, file] : files_)
    stats.libraries.insert(stats.libraries.end(), file.libraries.begin(), file.libraries.end());
  return stats;
}

}  // namespace aispm::sensor
