// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "sandbox/apply/remedy.hpp"
#include "sandbox/apply/steps.hpp"

// glibc's <sys/mount.h> and <linux/mount.h> disagree on Debian 12: only the kernel's is used, with
// raw calls.
namespace aispm::sandbox {
namespace {

constexpr unsigned long kMsRdonly = 1;
constexpr unsigned long kMsNosuid = 2;
constexpr unsigned long kMsNodev = 4;
constexpr unsigned long kMsNoexec = 8;
constexpr unsigned long kMsRemount = 32;
constexpr unsigned long kMsBind = 4096;
constexpr unsigned long kMsRec = 16384;
constexpr unsigned long kMsPrivate = 1UL << 18;
constexpr unsigned kOpenTreeRecursive = 0x8000;  // AT_RECURSIVE
constexpr const char* kStage = "/tmp";           // where the new root grows; exists on every host
constexpr const char* kRootOptions = "size=4m,nr_inodes=4096,mode=755";

int raw_mount(const char* source, const char* target, const char* type, unsigned long flags,
              const char* options) {
  return static_cast<int>(::syscall(SYS_mount, source, target, type, flags, options));
}

Result<UniqueFd> open_beneath(int folder, const char* path, std::uint64_t flags,
                              std::uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof(how))));
  if (!fd) return fail_errno(std::string("open ") + path);
  return fd;
}

// Files, copies and links that need no capability and lie where nothing is mounted over them.
bool is_text(const Mount& mount) {
  const bool is_kind = mount.kind == Mount::Kind::kFile || mount.kind == Mount::Kind::kCopy ||
                       mount.kind == Mount::Kind::kSymlink;
  const std::string_view target = mount.target;
  const auto last = target.rfind('/');
  return is_kind && !mount.is_in_workspace &&
         (target.starts_with("/etc/") || last == 0 || target.substr(0, last) == "/dev");
}

bool is_bind(const Mount& mount) { return mount.kind <= Mount::Kind::kDevice; }

// As root: the namespaces in which the owners of shared folders are the agent, one for each owner.
class Owners {
 public:
  explicit Owners(unsigned agent_uid) : agent_uid_(agent_uid) {}
  // -1: the agent is what it is. `folder` is a resolved path.
  Result<int> space_of(const std::string& folder) {
    if (agent_uid_ == 0 || folder.empty()) return -1;
    AISPM_TRY(const UniqueFd path, open_beneath(AT_FDCWD, folder.c_str(), O_PATH | O_NOFOLLOW,
                                                RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
    struct stat status {};
    if (::fstat(path.get(), &status) != 0) return fail_errno("stat " + folder);
    if (status.st_uid == agent_uid_) return -1;
    auto& space = spaces_[{status.st_uid, status.st_gid}];
    if (!space) {
      AISPM_TRY(space, owner_namespace(status.st_uid, status.st_gid, agent_uid_));
    }
    return space.get();
  }

 private:
  unsigned agent_uid_;
  std::map<std::pair<uid_t, gid_t>, UniqueFd> spaces_;
};

Result<> restrict_tree(const Mount& mount, int tree, int owner_space,
                       std::vector<std::string>& notes) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NOSUID;
  if (mount.kind != Mount::Kind::kDevice) attributes.attr_set |= MOUNT_ATTR_NODEV;
  if (mount.kind == Mount::Kind::kDevice) attributes.attr_set |= MOUNT_ATTR_NOEXEC;
  if (mount.kind == Mount::Kind::kBindReadOnly) attributes.attr_set |= MOUNT_ATTR_RDONLY;
  const auto set = [&] {
    return ::syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | kOpenTreeRecursive, &attributes,
                     sizeof(attributes)) == 0;
  };
  if (owner_space >= 0) {
    attributes.attr_set |= MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(owner_space);
    if (set()) return {};
    if (mount.kind == Mount::Kind::kBindReadWrite && !mount.is_in_workspace)
      notes.push_back(mount.source +
                      ": its filesystem knows no id-mapped mounts, so the agent may change only "
                      "what every user may. Run aispm-run as the folder's owner instead");
    attributes.attr_set &= ~static_cast<std::uint64_t>(MOUNT_ATTR_IDMAP);
    attributes.userns_fd = 0;
  }
  if (!set()) return fail_errno("restrict the mount of " + mount.source);
  return {};
}

Result<UniqueFd> open_source(const Mount& mount, Owners& owners, std::vector<std::string>& notes) {
  // The plan holds resolved paths: a symlink met now was put there since, and is refused.
  AISPM_TRY(UniqueFd path, open_beneath(AT_FDCWD, mount.source.c_str(), O_PATH | O_NOFOLLOW,
                                        RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
  UniqueFd tree(static_cast<int>(
      ::syscall(SYS_open_tree, path.get(), "",
                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | kOpenTreeRecursive)));
  if (!tree) return fail_errno("copy the mount of " + mount.source);
  AISPM_TRY(const int owner_space, owners.space_of(mount.owner_of));
  AISPM_CHECK(restrict_tree(mount, tree.get(), owner_space, notes));
  return tree;
}

// Relative to the stage, which is the current folder.
const char* inside(const Mount& mount) { return mount.target.c_str() + 1; }

// `previous` is the target made before, whose folders exist: the plan is sorted.
Result<> make_parents(const std::string& target, const std::string& previous) {
  const auto differ = std::mismatch(target.begin(), target.end(), previous.begin(), previous.end());
  const auto same = static_cast<std::size_t>(differ.first - target.begin());
  for (std::size_t slash = target.find('/', 1); slash != std::string::npos;
       slash = target.find('/', slash + 1)) {
    if (slash < same) continue;
    const std::string folder = target.substr(1, slash - 1);
    if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST && errno != EROFS)
      return fail_errno("make " + folder);
  }
  return {};
}

Result<> make_target(const Mount& mount, bool is_folder) {
  if (is_folder) {
    if (::mkdir(inside(mount), 0755) != 0 && errno != EEXIST && errno != EROFS)
      return fail_errno("make " + mount.target);
    return {};
  }
  UniqueFd file(::open(inside(mount), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file && errno == EEXIST) return {};  // comes with a folder shared above
  if (!file) return fail_errno("make " + mount.target);
  if (!mount.content.empty() && ::write(file.get(), mount.content.data(), mount.content.size()) !=
                                    static_cast<ssize_t>(mount.content.size()))
    return fail_errno("write " + mount.target);
  return {};
}

Result<> attach(const Mount& mount, int tree, int stage) {
  struct stat status {};
  if (::fstat(tree, &status) != 0) return fail_errno("stat " + mount.source);
  if (!mount.is_in_workspace) AISPM_CHECK(make_target(mount, S_ISDIR(status.st_mode)));
  const std::uint64_t resolve =
      mount.is_in_workspace ? RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS : RESOLVE_IN_ROOT;
  AISPM_TRY(UniqueFd target,
            open_beneath(stage, inside(mount), O_PATH | (mount.is_in_workspace ? O_NOFOLLOW : 0),
                         resolve | RESOLVE_NO_MAGICLINKS));
  if (::syscall(SYS_move_mount, tree, "", target.get(), "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return fail_errno("mount " + mount.target);
  return {};
}

Result<> mount_proc(const Mount& mount) {
  AISPM_CHECK(make_target(mount, true));
  if (raw_mount("proc", inside(mount), "proc", kMsNosuid | kMsNodev | kMsNoexec,
                mount.is_whole ? nullptr : "hidepid=invisible,subset=pid") != 0)
    return fail(
        Errc::kUnsupported,
        "/proc cannot be mounted: " + std::string(std::strerror(errno)) + ". " + remedy::proc(),
        errno);
  return {};
}

Result<UniqueFd> open_copied(const Mount& mount) {
  UniqueFd from(::open(mount.source.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!from) return fail_errno("open " + mount.source);
  return from;
}

// Through one small buffer: each new page of memory costs more than the read into it.
Result<> copy_file(const Mount& mount, int from) {
  constexpr std::size_t kMaxCopyBytes = 1U << 20;
  UniqueFd own;
  if (from < 0) {
    AISPM_TRY(own, open_copied(mount));
    from = own.get();
  }
  UniqueFd to(::open(inside(mount), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!to && errno == EEXIST) return {};
  if (!to) return fail_errno("make " + mount.target);
  static std::array<char, 16384> buffer;
  for (std::size_t total = 0;;) {
    const ssize_t size = ::read(from, buffer.data(), buffer.size());
    if (size < 0) return fail_errno("read " + mount.source);
    if (size == 0) return {};
    total += static_cast<std::size_t>(size);
    if (total > kMaxCopyBytes) return fail(Errc::kTooLarge, mount.source + ": too large to copy");
    if (::write(to.get(), buffer.data(), static_cast<std::size_t>(size)) != size)
      return fail_errno("write " + mount.target);
  }
}

// Part by part, through no link: what is there may be an earlier run's doing.
Result<> write_home_file(const Mount& mount, int stage) {
  AISPM_TRY(UniqueFd folder,
            open_beneath(stage, kPrivateHome + 1, O_RDONLY | O_DIRECTORY,
                         RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
  std::string rest = mount.target.substr(std::string_view(kPrivateHome).size() + 1);
  for (auto slash = rest.find('/'); slash != std::string::npos; slash = rest.find('/')) {
    const std::string name = rest.substr(0, slash);
    if (::mkdirat(folder.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
      return fail_errno("make the folder of " + mount.target);
    folder.reset(
        ::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) return fail_errno("open the folder of " + mount.target);
    rest.erase(0, slash + 1);
  }
  UniqueFd file(::openat(folder.get(), rest.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file && errno == EEXIST) return {};
  if (!file || ::write(file.get(), mount.content.data(), mount.content.size()) !=
                   static_cast<ssize_t>(mount.content.size()))
    return fail_errno("write " + mount.target);
  return {};
}

Result<> place(const Mount& mount, const std::string& previous, int tree, int stage) {
  if (mount.kind == Mount::Kind::kHomeFile) return write_home_file(mount, stage);
  if (!mount.is_in_workspace) AISPM_CHECK(make_parents(mount.target, previous));
  switch (mount.kind) {
    case Mount::Kind::kBindReadOnly:
    case Mount::Kind::kBindReadWrite:
    case Mount::Kind::kDevice:
      return attach(mount, tree, stage);
    case Mount::Kind::kTmpfs: {
      AISPM_CHECK(make_target(mount, true));
      const std::string options =
          "mode=700,size=" + std::to_string(mount.bytes) + ",nr_inodes=65536";
      if (raw_mount("tmpfs", inside(mount), "tmpfs", kMsNosuid | kMsNodev, options.c_str()) != 0)
        return fail_errno("mount " + mount.target);
      return {};
    }
    case Mount::Kind::kProc:
      return mount_proc(mount);
    case Mount::Kind::kTerminals:
      AISPM_CHECK(make_target(mount, true));
      if (raw_mount("devpts", inside(mount), "devpts", kMsNosuid | kMsNoexec,
                    "newinstance,ptmxmode=0666,mode=0600") != 0)
        return fail_errno("mount " + mount.target);
      return {};
    case Mount::Kind::kSymlink:
      if (::symlink(mount.source.c_str(), inside(mount)) != 0 && errno != EEXIST)
        return fail_errno("link " + mount.target);
      return {};
    case Mount::Kind::kFile:
      return make_target(mount, false);
    case Mount::Kind::kCopy:
      return copy_file(mount, tree);
    case Mount::Kind::kFolder:
      return make_target(mount, true);
    case Mount::Kind::kHomeFile:
      break;  // above
  }
  return {};
}

}  // namespace

Result<std::vector<UniqueFd>> open_sources(const Plan& plan, unsigned agent_uid,
                                           std::vector<std::string>& notes) {
  Owners owners(agent_uid);
  std::vector<UniqueFd> sources(plan.mounts.size());
  for (std::size_t i = 0; i < plan.mounts.size(); ++i)
    if (is_bind(plan.mounts[i])) {
      AISPM_TRY(sources[i], open_source(plan.mounts[i], owners, notes));
    }
  return sources;
}

Result<std::vector<UniqueFd>> open_texts(const Plan& plan) {
  std::vector<UniqueFd> sources(plan.mounts.size());
  for (std::size_t i = 0; i < plan.mounts.size(); ++i)
    if (plan.mounts[i].kind == Mount::Kind::kCopy && is_text(plan.mounts[i])) {
      AISPM_TRY(sources[i], open_copied(plan.mounts[i]));
    }
  return sources;
}

Result<> make_stage() {
  if (raw_mount(nullptr, "/", nullptr, kMsRec | kMsPrivate, nullptr) != 0)
    return fail_errno("make all mounts private");
  if (raw_mount("tmpfs", kStage, "tmpfs", kMsNosuid | kMsNodev, kRootOptions) != 0)
    return fail_errno("mount the new root");
  return go_to_stage();
}

Result<> go_to_stage() {
  if (::chdir(kStage) != 0) return fail_errno("enter the new root");
  return {};
}

Result<> fill_stage(const Plan& plan, const std::vector<UniqueFd>& sources, Share share) {
  UniqueFd stage(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!stage) return fail_errno("open the new root");
  const mode_t old_mask = ::umask(022);
  const std::string none;
  const std::string* previous = &none;
  for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
    const Mount& mount = plan.mounts[i];
    if (share != Share::kAll && is_text(mount) != (share == Share::kTexts)) continue;
    AISPM_CHECK(place(mount, *previous, sources[i].get(), stage.get()));
    previous = &mount.target;
  }
  ::umask(old_mask);
  return {};
}

Result<> enter_root() {
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return fail_errno("pivot_root");
  return {};
}

Result<> place_late(const std::vector<Mount>& mounts, std::vector<UniqueFd> sources) {
  if (::chdir("/") != 0) return fail_errno("enter the sandbox's root");
  UniqueFd stage(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!stage) return fail_errno("open the sandbox's root");
  const mode_t old_mask = ::umask(022);
  for (std::size_t i = 0; i < mounts.size(); ++i)
    AISPM_CHECK(place(mounts[i], i == 0 ? std::string() : mounts[i - 1].target, sources[i].get(),
                      stage.get()));
  ::umask(old_mask);
  return {};
}

Result<> detach_old_root() {
  if (::syscall(SYS_umount2, ".", 2 /* MNT_DETACH */) != 0)
    return fail_errno("detach the old root");
  if (::chdir("/") != 0) return fail_errno("enter /");
  return {};
}

Result<> make_root_read_only() {
  if (raw_mount(nullptr, "/", nullptr, kMsRemount | kMsBind | kMsRdonly | kMsNosuid | kMsNodev,
                nullptr) != 0)
    return fail_errno("make / read-only");
  return {};
}

Result<> leave_old_root() {
  AISPM_CHECK(detach_old_root());
  return make_root_read_only();
}

}  // namespace aispm::sandbox
