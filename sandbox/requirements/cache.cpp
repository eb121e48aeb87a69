// SPDX-License-Identifier: Apache-2.0
#include "sandbox/requirements/cache.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <sstream>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::size_t kMaxManifestBytes = 64U << 20;
constexpr std::time_t kLookAgainSeconds = 24 * 3600;
constexpr const char* kContent = "packages";
using FolderList = CPtr<DIR, ::closedir>;

Result<UniqueFd> open_folder_at(int parent, const std::string& name) {
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno("open " + name);
  return fd;
}

Result<> make_folder_at(int parent, const std::string& name) {
  if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST)
    return fail_errno("make " + name);
  return {};
}

std::uint64_t changed_ns(const struct stat& status) {
  return static_cast<std::uint64_t>(status.st_ctim.tv_sec) * 1'000'000'000ULL +
         static_cast<std::uint64_t>(status.st_ctim.tv_nsec);
}

Result<std::vector<std::string>> names_at(int parent, const std::string& name) {
  AISPM_TRY(UniqueFd fd, open_folder_at(parent, name));
  const FolderList list(::fdopendir(fd.get()));
  if (!list) return fail_errno("read " + name);
  (void)fd.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(list.get()))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  return names;
}

// By /etc/passwd alone: a static program has no name services. Else the number.
std::string owner_name(unsigned uid) {
  constexpr std::size_t kMaxPasswdBytes = 1U << 20;
  const std::string number = std::to_string(uid);
  const auto text = read_file("/etc/passwd", kMaxPasswdBytes);
  if (!text) return number;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto name = line.find(':');
    const auto password = name == std::string::npos ? name : line.find(':', name + 1);
    if (password != std::string::npos &&
        line.compare(password + 1, number.size() + 1, number + ":") == 0)
      return line.substr(0, name);
  }
  return number;
}

// Makes a name durable.
Result<> sync_folder(int folder) {
  if (::fsync(folder) != 0) return fail_errno("fsync a folder of the package cache");
  return {};
}

}  // namespace

Staging::Staging(int cache, std::string name, std::string path, UniqueFd folder)
    : cache_(cache), name_(std::move(name)), path_(std::move(path)), folder_(std::move(folder)) {}

Staging::~Staging() { (void)remove_tree(cache_, name_); }

Result<std::string> Staging::read(const std::string& name, std::size_t limit_bytes) const {
  const UniqueFd file(
      ::openat(folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail_errno("open " + name);
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1 || status.st_uid != ::geteuid())
    return fail(Errc::kDenied, name + " is no plain file of the build's own");
  if (static_cast<std::uint64_t>(status.st_size) > limit_bytes)
    return fail(Errc::kTooLarge,
                name + " is larger than " + std::to_string(limit_bytes) + " bytes");
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t count = ::pread(file.get(), content.data(), content.size(), 0);
  if (count != static_cast<ssize_t>(content.size())) return fail_errno("read " + name);
  return content;
}

Result<Cache> Cache::open(const std::string& path) {
  AISPM_CHECK(make_directories(path, 0755));
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  if (!folder || ::fstat(folder.get(), &status) != 0) return fail_errno("open " + path);
  if (status.st_uid != ::geteuid() || (status.st_mode & 022U) != 0)
    return fail(Errc::kDenied, path +
                                   ": packages are kept only in a folder of your own that nobody "
                                   "else can write. chown and chmod go-w it, or set AISPM_CACHE");
  for (const char* name : {"locks", "trees", "building"})
    AISPM_CHECK(make_folder_at(folder.get(), name));
  return Cache(path, std::move(folder));
}

Result<HeldSet> Cache::hold(const LockEntry& entry, bool is_node, bool look_at_files) {
  HeldSet held;
  AISPM_TRY(held.hold, open_folder_at(folder_.get(), "trees/" + entry.tree));
  if (::flock(held.hold.get(), LOCK_SH) != 0) return fail_errno("lock the packages");
  struct stat status {};
  if (::fstatat(held.hold.get(), kContent, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISDIR(status.st_mode) || status.st_ino != entry.inode ||
      changed_ns(status) != entry.changed_ns)
    return fail(Errc::kInvalid, "it is not the folder that was put there");
  if (look_at_files) AISPM_CHECK(verify(entry.tree));
  held.set.id = entry.tree;
  held.set.folder = path_ + "/trees/" + entry.tree + "/" + kContent;
  held.set.is_node = is_node;
  held.set.packages = entry.packages;
  return held;
}

std::optional<HeldSet> Cache::find(const std::string& key, bool is_node) {
  const std::string name = "locks/" + key;
  const UniqueFd file(::openat(folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 ||
      static_cast<std::uint64_t>(status.st_size) > kMaxLockEntryBytes)
    return std::nullopt;
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  if (::pread(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return std::nullopt;
  const auto entry = parse_lock_entry(text);
  const std::time_t now = ::time(nullptr);
  const bool look_at_files =
      now - status.st_mtim.tv_sec > kLookAgainSeconds || status.st_mtim.tv_sec > now;
  auto held = entry ? hold(*entry, is_node, look_at_files)
                    : Result<HeldSet>(fail(Errc::kInvalid, "damaged"));
  if (!held) {
    discarded_ = held.error().message;
    (void)::unlinkat(folder_.get(), name.c_str(), 0);
    return std::nullopt;
  }
  // When it was used (atime), and when its files were looked at (mtime).
  const timespec times[2] = {{now, 0}, {look_at_files ? now : status.st_mtim.tv_sec, 0}};
  (void)::futimens(file.get(), times);
  return std::move(*held);
}

Result<UniqueFd> Cache::lock_key(const std::string& key) {
  const std::string name = "building/" + key + ".lock";
  UniqueFd file(
      ::openat(folder_.get(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail_errno("open " + path_ + "/" + name);
  while (::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail_errno("lock " + path_ + "/" + name);
  return file;
}

Result<std::unique_ptr<Staging>> Cache::make_staging() {
  // Held until ours is locked: else another build could take it for one that was left behind.
  AISPM_TRY(const UniqueFd building, open_folder_at(folder_.get(), "building"));
  if (::flock(building.get(), LOCK_EX) != 0) return fail_errno("lock " + path_ + "/building");
  // What a build that was killed left behind: nobody holds its lock.
  AISPM_TRY(const auto names, names_at(folder_.get(), "building"));
  for (const auto& name : names) {
    if (name.ends_with(".lock")) continue;
    auto old = open_folder_at(folder_.get(), "building/" + name);
    if (old && ::flock(old->get(), LOCK_EX | LOCK_NB) == 0)
      (void)remove_tree(folder_.get(), "building/" + name);
  }
  const std::string name = "building/" + make_uuid();
  if (::mkdirat(folder_.get(), name.c_str(), 0755) != 0) return fail_errno("make " + name);
  AISPM_TRY(UniqueFd folder, open_folder_at(folder_.get(), name));
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) return fail_errno("lock " + name);
  return std::make_unique<Staging>(folder_.get(), name, path_ + "/" + name, std::move(folder));
}

Result<HeldSet> Cache::put(const std::string& key, bool is_node, Staging& staging,
                           const std::string& name, const std::string& environment,
                           const SealedTree& sealed, std::vector<Package> packages) {
  LockEntry entry;
  entry.packages = std::move(packages);
  entry.tree = name_tree(environment, entry.packages, sealed.manifest);
  const std::string target = "trees/" + entry.tree;
  // Files that differ may come to the same tree at the same time: one is put, the other finds it.
  AISPM_TRY(const UniqueFd trees, open_folder_at(folder_.get(), "trees"));
  if (::flock(trees.get(), LOCK_EX) != 0) return fail_errno("lock " + path_ + "/trees");
  if (verify(entry.tree)) {
    // Another file came to the same: it is shared.
  } else {
    AISPM_CHECK(remove_tree(folder_.get(), target));
    const std::string fresh = "tree";
    if (::mkdirat(staging.folder(), fresh.c_str(), 0755) != 0) return fail_errno("make a tree");
    AISPM_TRY(const UniqueFd tree, open_folder_at(staging.folder(), fresh));
    if (::renameat(staging.folder(), name.c_str(), tree.get(), kContent) != 0)
      return fail_errno("move the packages");
    AISPM_CHECK(
        write_file_atomically(staging.path() + "/" + fresh + "/manifest", sealed.manifest, 0444));
    if (::fchmodat(tree.get(), kContent, 0555, 0) != 0) return fail_errno("chmod the packages");
    if (::syncfs(tree.get()) != 0) return fail_errno("sync the packages");
    if (::renameat(staging.folder(), fresh.c_str(), folder_.get(), target.c_str()) != 0)
      return fail_errno("keep the packages");
    AISPM_CHECK(sync_folder(trees.get()));
  }
  struct stat status {};
  if (::fstatat(folder_.get(), (target + "/" + kContent).c_str(), &status, AT_SYMLINK_NOFOLLOW) !=
      0)
    return fail_errno("stat the packages");
  entry.inode = status.st_ino;
  entry.changed_ns = changed_ns(status);
  AISPM_CHECK(write_file_atomically(path_ + "/locks/" + key, to_text(entry), 0600));
  return hold(entry, is_node, false);
}

Result<> Cache::verify(const std::string& tree) {
  AISPM_TRY(const UniqueFd folder, open_folder_at(folder_.get(), "trees/" + tree));
  AISPM_TRY(const UniqueFd content, open_folder_at(folder.get(), kContent));
  AISPM_TRY(const std::string manifest,
            read_file(path_ + "/trees/" + tree + "/manifest", kMaxManifestBytes));
  return verify_tree(content.get(), manifest, TreeLimits{});
}

// A tree in use is left alone, and so is one that is just being put there.
Result<> Cache::remove(const std::string& tree) {
  const std::string name = "trees/" + tree;
  AISPM_TRY(const UniqueFd trees, open_folder_at(folder_.get(), "trees"));
  if (::flock(trees.get(), LOCK_EX) != 0) return fail_errno("lock " + path_ + "/trees");
  AISPM_TRY(const UniqueFd folder, open_folder_at(folder_.get(), name));
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Errc::kUnavailable, tree + " is in use");
  return remove_tree(folder_.get(), name);
}

Result<std::vector<Cache::Listed>> Cache::list() {
  std::map<std::string, Listed> found;
  AISPM_TRY(const auto trees, names_at(folder_.get(), "trees"));
  for (const auto& tree : trees) {
    auto folder = open_folder_at(folder_.get(), "trees/" + tree);
    struct stat status {};
    if (!folder || ::fstat(folder->get(), &status) != 0) continue;
    Listed& one = found[tree];
    one.tree = tree;
    one.owner = owner_name(status.st_uid);
    one.used_seconds = static_cast<std::uint64_t>(status.st_mtim.tv_sec);
    one.is_used_now = ::flock(folder->get(), LOCK_EX | LOCK_NB) != 0;
    if (auto bytes = measure_tree(folder->get(), TreeLimits{})) one.bytes = *bytes;
  }
  AISPM_TRY(const auto locks, names_at(folder_.get(), "locks"));
  for (const auto& lock : locks) {
    const std::string path = path_ + "/locks/" + lock;
    const auto text = read_file(path, kMaxLockEntryBytes);
    const auto entry =
        text ? parse_lock_entry(*text) : Result<LockEntry>(fail(Errc::kNotFound, ""));
    struct stat status {};
    if (!entry || !found.contains(entry->tree) || ::stat(path.c_str(), &status) != 0) continue;
    Listed& one = found[entry->tree];
    one.packages = entry->packages.size();
    one.used_seconds =
        std::max(one.used_seconds, static_cast<std::uint64_t>(status.st_atim.tv_sec));
  }
  std::vector<Listed> result;
  for (auto& [tree, one] : found) result.push_back(std::move(one));
  std::sort(result.begin(), result.end(),
            [](const Listed& a, const Listed& b) { return a.used_seconds > b.used_seconds; });
  return result;
}

Result<std::vector<Cache::Listed>> Cache::prune(std::uint64_t limit_bytes) {
  AISPM_TRY(const auto all, list());
  std::uint64_t bytes = 0;
  for (const auto& one : all) bytes += one.bytes;
  std::vector<Listed> removed;
  for (auto one = all.rbegin(); one != all.rend() && bytes > limit_bytes; ++one) {
    if (!remove(one->tree)) continue;
    bytes -= one->bytes;
    removed.push_back(*one);
  }
  // Locks that lead nowhere now.
  AISPM_TRY(const auto locks, names_at(folder_.get(), "locks"));
  for (const auto& lock : locks) {
    const auto text = read_file(path_ + "/locks/" + lock, kMaxLockEntryBytes);
    const auto entry =
        text ? parse_lock_entry(*text) : Result<LockEntry>(fail(Errc::kNotFound, ""));
    if (!entry || ::faccessat(folder_.get(), ("trees/" + entry->tree).c_str(), F_OK, 0) != 0)
      (void)::unlinkat(folder_.get(), ("locks/" + lock).c_str(), 0);
  }
  // Turns that nobody waits for. Who opened one just now builds what another may build too: put()
  // keeps one of them.
  AISPM_TRY(const auto turns, names_at(folder_.get(), "building"));
  for (const auto& turn : turns)
    if (turn.ends_with(".lock")) (void)::unlinkat(folder_.get(), ("building/" + turn).c_str(), 0);
  return removed;
}

Result<std::vector<std::string>> Cache::check() {
  std::vector<std::string> damaged;
  AISPM_TRY(const auto trees, names_at(folder_.get(), "trees"));
  for (const auto& tree : trees) {
    if (verify(tree)) continue;
    damaged.push_back(tree);
    AISPM_CHECK(remove(tree));
  }
  return damaged;
}

}  // namespace aispm::sandbox
