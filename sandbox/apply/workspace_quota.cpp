// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/workspace_quota.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "sandbox/apply/project.hpp"
#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

constexpr const char* kRecords = "/var/lib/aispm/projects";
constexpr std::uint32_t kFirstProject = 0x61000000;  // as the host user ids of root's runs
constexpr std::uint32_t kProjects = 65536;
constexpr int kTries = 256;
constexpr std::size_t kMaxSwept = 64;
constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::uint64_t kLeastInodes = 65536;  // as a scratch folder has
constexpr std::uint64_t kBytesAnInode = 4096;

Result<UniqueFd> open_workspace(const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how))));
  if (!fd) return fail_errno("open " + path);
  return fd;
}

std::string record_path(std::uint32_t project) {
  return std::string(kRecords) + "/" + std::to_string(project);
}

// Nothing: somebody else has it. Never one that was unlinked meanwhile.
UniqueFd lock_record(const std::string& path, int flags) {
  UniqueFd record(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600));
  struct stat held {};
  struct stat named {};
  if (!record || ::flock(record.get(), LOCK_EX | LOCK_NB) != 0 ||
      ::fstat(record.get(), &held) != 0 || ::stat(path.c_str(), &named) != 0 ||
      held.st_ino != named.st_ino)
    return UniqueFd();
  return record;
}

Result<> give_back(int folder, const std::string& path, std::uint32_t project) {
  AISPM_CHECK(limit_project(folder, project, 0, 0));
  return give_back_from_project(path, project);
}

// True: nothing is left to do for this record, whose lock is held.
bool settle(int record, std::uint32_t project) {
  std::string path(kMaxPathBytes, '\0');
  const ssize_t size = ::pread(record, path.data(), path.size(), 0);
  if (size < 0) return false;
  path.resize(static_cast<std::size_t>(size));
  if (path.empty()) return true;  // it had only begun
  const auto folder = open_workspace(path);
  if (!folder) return folder.error().system_errno == ENOENT;
  (void)give_back(folder->get(), path, project);
  return true;
}

}  // namespace

void sweep_projects() {
  const CPtr<DIR, closedir> folder(::opendir(kRecords));
  if (!folder) return;
  for (std::size_t i = 0; i < kMaxSwept; ++i) {
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) return;
    const std::string_view name = entry->d_name;
    std::uint32_t project = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), project);
    if (error != std::errc() || end != name.data() + name.size() ||
        project - kFirstProject >= kProjects)
      continue;
    const std::string path = record_path(project);
    const UniqueFd record = lock_record(path, 0);
    if (record && settle(record.get(), project)) (void)::unlink(path.c_str());
  }
}

Result<WorkspaceQuota> WorkspaceQuota::open(const Plan& plan) {
  WorkspaceQuota quota;
  if (plan.limits.workspace_bytes == 0) return quota;
  const std::string refusal = "limits.workspace cannot be kept, so nothing was started: ";
  if (::geteuid() != 0)
    return fail(Errc::kUnsupported, refusal +
                                        "only root may set a quota. Remedy: run aispm-run as root, "
                                        "or leave the limit out");
  quota.path_ = plan.workspace;
  AISPM_TRY(quota.folder_, open_workspace(quota.path_));
  if (auto checked = check_projects(quota.folder_.get(), quota.path_); !checked)
    return fail(checked.error().code, refusal + checked.error().message);
  sweep_projects();
  if (auto taken = quota.take_number(); !taken)
    return fail(taken.error().code, refusal + taken.error().message);
  if (auto begun = quota.begin(plan.limits.workspace_bytes); !begun) {
    const Error error = begun.error();
    (void)quota.close();
    return fail(error.code, refusal + error.message);
  }
  return quota;
}

// One that no file of this file system has.
Result<> WorkspaceQuota::take_number() {
  AISPM_CHECK(make_directories(kRecords, 0700));
  const auto first = static_cast<std::uint32_t>(::getpid());
  for (std::uint32_t i = 0; i < kTries; ++i) {
    const std::uint32_t project = kFirstProject + (first + i) % kProjects;
    UniqueFd record = lock_record(record_path(project), O_CREAT);
    struct stat status {};
    if (!record || ::fstat(record.get(), &status) != 0 || status.st_size != 0) continue;
    AISPM_TRY(const ProjectUse use, project_use(folder_.get(), project));
    if (use.is_used()) {
      (void)::unlink(record_path(project).c_str());
      continue;
    }
    if (::write(record.get(), path_.data(), path_.size()) != static_cast<ssize_t>(path_.size()) ||
        ::fsync(record.get()) != 0)
      return fail_errno("write " + record_path(project));
    record_ = std::move(record);
    project_ = project;
    return {};
  }
  return fail(Errc::kExhausted, "no free project number was found");
}

Result<> WorkspaceQuota::begin(std::uint64_t bytes) {
  AISPM_CHECK(take_into_project(path_, project_));
  AISPM_TRY(const ProjectUse use, project_use(folder_.get(), project_));
  if (use.bytes > bytes)
    return fail(Errc::kInvalid, path_ + " holds " + std::to_string(use.bytes) +
                                    " bytes already, more than " + std::to_string(bytes));
  return limit_project(folder_.get(), project_, bytes,
                       use.inodes + std::max(kLeastInodes, bytes / kBytesAnInode));
}

WorkspaceQuota::WorkspaceQuota(WorkspaceQuota&& other) noexcept
    : path_(std::move(other.path_)),
      folder_(std::move(other.folder_)),
      record_(std::move(other.record_)),
      project_(std::exchange(other.project_, 0)) {}

WorkspaceQuota::~WorkspaceQuota() { (void)close(); }

bool WorkspaceQuota::is_full() const {
  if (project_ == 0) return false;
  const auto use = project_use(folder_.get(), project_);
  return use && use->limit_bytes != 0 &&
         (use->bytes + kBytesAnInode > use->limit_bytes || use->inodes >= use->limit_inodes);
}

Result<> WorkspaceQuota::close() {
  const std::uint32_t project = std::exchange(project_, 0);
  if (project == 0) return {};
  auto given = give_back(folder_.get(), path_, project);
  (void)::unlink(record_path(project).c_str());
  record_.reset();
  return given;
}

Result<std::string> describe_workspace_quota(const std::string& folder) {
  AISPM_TRY(const UniqueFd fd, open_workspace(folder));
  AISPM_CHECK(check_projects(fd.get(), folder));
  return name_of_file_system(fd.get()) + " with project quotas";
}

}  // namespace aispm::sandbox
