// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/project.hpp"

#include <fcntl.h>
#include <fts.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::uint64_t kBlock = 1024;  // limits are counted in these
constexpr long kXfs = 0x58465342;
constexpr long kBtrfs = 0x9123683E;
constexpr long kOverlay = 0x794C7630;
constexpr long kExt = 0xEF53;

using Tree = CPtr<FTS, fts_close>;

long quota_call(int folder, unsigned command, std::uint32_t project, void* data) {
  return ::syscall(SYS_quotactl_fd, folder, QCMD(command, PRJQUOTA), project, data);
}

struct Change {
  std::uint32_t from;
  std::uint32_t to;
  bool is_strict;  // whatever is not `from` (nor `to`) is an error
};

// Of a regular file or folder, by its name in the current folder. True: it is as wanted.
Result<bool> change_one(const FTSENT& entry, const Change& change) {
  const bool is_folder = entry.fts_info == FTS_D;
  const UniqueFd file(::open(entry.fts_accpath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
                                                    O_CLOEXEC | (is_folder ? O_DIRECTORY : 0)));
  if (!file && errno == ENOENT) return true;
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail_errno("open");
  // Another one came in its place: it is new, and has what its folder gave it.
  if (status.st_ino != entry.fts_statp->st_ino || status.st_dev != entry.fts_statp->st_dev)
    return true;
  fsxattr attributes{};
  if (::ioctl(file.get(), FS_IOC_FSGETXATTR, &attributes) != 0) return fail_errno("ask");
  const bool inherits = (attributes.fsx_xflags & FS_XFLAG_PROJINHERIT) != 0;
  const bool is_new = change.to != 0;
  if (attributes.fsx_projid == change.to && inherits == (is_new && is_folder)) return true;
  const bool is_other = attributes.fsx_projid != change.from && attributes.fsx_projid != change.to;
  if (is_other || (is_new && inherits && attributes.fsx_projid != change.to)) {
    if (!change.is_strict) return true;
    return fail(Errc::kDenied,
                "belongs to project " + std::to_string(attributes.fsx_projid) + " already");
  }
  attributes.fsx_projid = change.to;
  attributes.fsx_xflags &= ~static_cast<unsigned>(FS_XFLAG_PROJINHERIT);
  if (is_new && is_folder) attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  if (::ioctl(file.get(), FS_IOC_FSSETXATTR, &attributes) != 0) return fail_errno("change");
  return true;
}

// Folders come before what is in them, so nothing new in them is missed. Follows no link, stays on
// the file system, works at any depth.
Result<> change_all(const std::string& folder, const Change& change) {
  char* const roots[] = {const_cast<char*>(folder.c_str()), nullptr};
  const Tree tree(::fts_open(roots, FTS_PHYSICAL | FTS_XDEV, nullptr));
  if (!tree) return fail_errno("walk through " + folder);
  std::uint64_t seen = 0;
  std::uint64_t left = 0;
  std::string first;
  for (;;) {
    errno = 0;
    const FTSENT* entry = ::fts_read(tree.get());
    if (entry == nullptr) break;
    const int kind = entry->fts_info;
    Result<bool> changed = true;
    if (kind == FTS_D || kind == FTS_F) {
      changed = change_one(*entry, change);
      if (change.is_strict && ++seen > kMaxProjectFiles)
        return fail(Errc::kTooLarge,
                    folder + ": more than " + std::to_string(kMaxProjectFiles) + " files");
    } else if (kind == FTS_DNR || kind == FTS_ERR ||
               (kind == FTS_NS && entry->fts_errno != ENOENT)) {
      errno = entry->fts_errno;
      changed = fail_errno("read");
    }
    if (changed) continue;
    const std::string what = std::string(entry->fts_path) + ": " + changed.error().message;
    if (change.is_strict) return fail(changed.error().code, what);
    if (left++ == 0) first = what;
  }
  if (errno != 0) return fail_errno("walk through " + folder);
  if (left != 0)
    return fail(Errc::kUnavailable,
                std::to_string(left) + " files kept their project, e.g. " + first);
  return {};
}

}  // namespace

std::string name_of_file_system(int folder) {
  struct statfs status {};
  if (::fstatfs(folder, &status) != 0) return "unknown";
  switch (static_cast<long>(status.f_type)) {
    case kExt:
      return "ext4";
    case kXfs:
      return "XFS";
    case kBtrfs:
      return "btrfs";
    case kOverlay:
      return "overlayfs";
    case TMPFS_MAGIC:
      return "tmpfs";
    default:
      return "file system " + std::to_string(status.f_type);
  }
}

Result<> check_projects(int folder, const std::string& path) {
  fs_quota_stat state{};
  const bool is_told = quota_call(folder, Q_XGETQSTAT, 0, &state) == 0;
  if (is_told && (state.qs_flags & FS_QUOTA_PDQ_ACCT) != 0 &&
      (state.qs_flags & FS_QUOTA_PDQ_ENFD) != 0)
    return {};
  const int error = is_told ? ENOSYS : errno;
  const std::string name = name_of_file_system(folder);
  std::string text = path + " (" + name + ") enforces no project quotas. Remedy: ";
  if (error == EPERM)
    text = path + ": quotas may not be changed here. Remedy: run aispm-run as root of the host";
  else if (name == "ext4")
    text +=
        "unmount it, `tune2fs -O project,quota -Q prjquota DEVICE`, and mount it with the option "
        "prjquota (the kernel needs CONFIG_QFMT_V2)";
  else if (name == "XFS")
    text += "mount it with the option prjquota (for /: rootflags=prjquota)";
  else
    text += "put the workspace on ext4 or XFS with prjquota";
  return fail(Errc::kUnsupported, text, error);
}

Result<ProjectUse> project_use(int folder, std::uint32_t project) {
  if_dqblk quota{};
  if (quota_call(folder, Q_GETQUOTA, project, &quota) != 0) {
    if (errno == ENOENT) return ProjectUse{};  // XFS: nobody has ever used it
    return fail_errno("ask for the quota of project " + std::to_string(project));
  }
  return ProjectUse{quota.dqb_curspace, quota.dqb_curinodes, quota.dqb_bhardlimit * kBlock,
                    quota.dqb_ihardlimit};
}

Result<> limit_project(int folder, std::uint32_t project, std::uint64_t bytes,
                       std::uint64_t inodes) {
  if_dqblk quota{};
  quota.dqb_bhardlimit = bytes / kBlock;
  quota.dqb_ihardlimit = inodes;
  quota.dqb_valid = QIF_LIMITS;
  if (quota_call(folder, Q_SETQUOTA, project, &quota) != 0)
    return fail_errno("set the quota of project " + std::to_string(project));
  return {};
}

Result<> take_into_project(const std::string& folder, std::uint32_t project) {
  return change_all(folder, {0, project, true});
}

Result<> give_back_from_project(const std::string& folder, std::uint32_t project) {
  return change_all(folder, {project, 0, false});
}

}  // namespace aispm::sandbox
