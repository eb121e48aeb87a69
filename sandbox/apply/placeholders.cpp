// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/placeholders.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace aispm::sandbox {
namespace {

constexpr std::time_t kMark = 946684800;  // 2000-01-01: no file of a project is from that second
constexpr mode_t kFolderMode = 0555;
constexpr mode_t kFileMode = 0444;
constexpr int kTries = 16;  // another run may remove it between our look and our lock

Result<UniqueFd> open_folder(const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how))));
  if (!fd) return fail_errno("open " + path);
  return fd;
}

// Belongs to the owner of the folder it stands in, so that root's runs leave nothing foreign.
Result<> mark(int itself, int parent, bool is_folder, const std::string& path) {
  struct stat folder {};
  if (::fstat(parent, &folder) != 0) return fail_errno("stat the folder of " + path);
  if (::geteuid() == 0 && ::fchown(itself, folder.st_uid, folder.st_gid) != 0)
    return fail_errno("chown " + path);
  const timespec times[2] = {{kMark, 0}, {kMark, 0}};
  if (::fchmod(itself, is_folder ? kFolderMode : kFileMode) != 0 || ::futimens(itself, times) != 0)
    return fail_errno("mark " + path);
  return {};
}

// 0, or the errno. EEXIST: something is there.
int make(int parent, const std::string& name, const std::string& content) {
  if (content.empty()) return ::mkdirat(parent, name.c_str(), 0755) == 0 ? 0 : errno;
  UniqueFd file(::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) return errno;
  return ::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size())
             ? 0
             : EIO;
}

bool is_still_at(int parent, const std::string& name, const struct stat& status) {
  struct stat now {};
  return ::fstatat(parent, name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0 &&
         now.st_dev == status.st_dev && now.st_ino == status.st_ino;
}

}  // namespace

bool is_placeholder(const struct stat& status) {
  const mode_t mode = status.st_mode & 07777;
  return status.st_mtim.tv_sec == kMark && status.st_mtim.tv_nsec == 0 &&
         (S_ISDIR(status.st_mode) ? mode == kFolderMode
                                  : S_ISREG(status.st_mode) && mode == kFileMode);
}

Result<Placeholders::Found> Placeholders::hold(const Placeholder& wanted, bool may_make) {
  const auto slash = wanted.path.rfind('/');
  AISPM_TRY(UniqueFd parent, open_folder(wanted.path.substr(0, std::max<std::size_t>(slash, 1))));
  const std::string name = wanted.path.substr(slash + 1);
  for (int i = 0; i < kTries; ++i) {
    int error = may_make ? make(parent.get(), name, wanted.content) : EEXIST;
    const bool is_ours = error == 0;
    if (!is_ours && error != EEXIST) {
      struct stat folder {};
      // The agent counts as the caller, and as root as the folder's owner. Who owns a folder can
      // give himself the right.
      if ((error == EACCES || error == EROFS) && ::fstat(parent.get(), &folder) == 0 &&
          folder.st_uid != ::geteuid() && ::geteuid() != 0)
        return Found::kImpossible;
      errno = error;
      return fail_errno("protect " + wanted.path);
    }
    UniqueFd itself(
        ::openat(parent.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (!itself || ::fstat(itself.get(), &status) != 0) {
      if (errno == ENOENT && may_make) continue;
      return Found::kOther;
    }
    if (is_ours)
      AISPM_CHECK(mark(itself.get(), parent.get(), S_ISDIR(status.st_mode), wanted.path));
    else if (!is_placeholder(status))
      return Found::kOther;
    if (::flock(itself.get(), LOCK_SH) != 0) return fail_errno("lock " + wanted.path);
    if (!is_still_at(parent.get(), name, status)) {
      if (!may_make) return Found::kOther;
      continue;
    }
    held_.push_back({std::move(parent), name, std::move(itself)});
    return Found::kHeld;
  }
  return fail(Errc::kUnavailable, "protect " + wanted.path + ": other runs keep removing it");
}

Result<Placeholders> Placeholders::open(Plan& plan) {
  Placeholders placeholders;
  for (const auto& wanted : plan.placeholders) {
    AISPM_TRY(const Found found, placeholders.hold(wanted, true));
    if (found == Found::kImpossible)
      std::erase_if(plan.mounts, [&](const Mount& mount) {
        return mount.is_in_workspace && mount.target == wanted.path;
      });
  }
  // What another run has made, or a killed one left, is shared and cleared away in the same manner.
  for (const auto& mount : plan.mounts) {
    if (!mount.is_in_workspace || mount.kind != Mount::Kind::kBindReadOnly) continue;
    if (std::any_of(plan.placeholders.begin(), plan.placeholders.end(),
                    [&](const Placeholder& one) { return one.path == mount.target; }))
      continue;
    AISPM_CHECK(placeholders.hold({mount.target, ""}, false));
  }
  return placeholders;
}

Placeholders::~Placeholders() {
  for (auto one = held_.rbegin(); one != held_.rend(); ++one) {
    struct stat status {};
    if (::flock(one->itself.get(), LOCK_EX | LOCK_NB) != 0 ||  // another run still needs it
        ::fstat(one->itself.get(), &status) != 0 || !is_placeholder(status) ||
        !is_still_at(one->parent.get(), one->name, status))
      continue;
    // A folder that is not empty any more stays.
    (void)::unlinkat(one->parent.get(), one->name.c_str(),
                     S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0);
  }
}

}  // namespace aispm::sandbox
