// SPDX-License-Identifier: Apache-2.0
#include "sandbox/requirements/tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "sandbox/model/sha256.hpp"
#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxPathBytes = 2048;
using Folder = CPtr<DIR, ::closedir>;

struct Entry {
  int folder;               // it lies in
  const std::string& name;  // there
  const std::string& path;  // from the top
  const struct stat& status;
  int depth;
};
using Visit = std::function<Result<>(const Entry&)>;

Result<UniqueFd> open_folder(int parent, const std::string& name) {
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno("open " + name);
  return fd;
}

Result<std::vector<std::string>> names_in(int folder) {
  UniqueFd copy(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) return fail_errno("open a folder of packages");
  const Folder list(::fdopendir(copy.get()));
  if (!list) return fail_errno("read a folder of packages");
  (void)copy.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(list.get()))
    if (const std::string name = entry->d_name; name != "." && name != "..") names.push_back(name);
  if (errno != 0) return fail_errno("read a folder of packages");
  std::sort(names.begin(), names.end());
  return names;
}

// Each entry before what it holds; `after` once more for a folder, after it.
Result<> walk(int folder, const std::string& prefix, int depth, const Visit& visit,
              const Visit& after) {
  if (depth > kMaxDepth)
    return fail(Errc::kTooLarge, prefix + ": more than " + std::to_string(kMaxDepth) + " levels");
  AISPM_TRY(const auto names, names_in(folder));
  for (const auto& name : names) {
    const std::string path = prefix + name;
    struct stat status {};
    if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // a build that is still at it
      return fail_errno("stat " + path);
    }
    const Entry entry{folder, name, path, status, depth};
    AISPM_CHECK(visit(entry));
    if (!S_ISDIR(status.st_mode)) continue;
    auto inner = open_folder(folder, name);
    if (!inner && inner.error().system_errno == ENOENT) continue;
    if (!inner) return fail(inner.error());
    AISPM_CHECK(walk(inner->get(), path + "/", depth + 1, visit, after));
    AISPM_CHECK(after(entry));
  }
  return {};
}

Result<> nothing(const Entry&) { return {}; }

// Whether an entry may be in a tree at all.
Result<> check_entry(const Entry& entry, const TreeLimits& limits, std::uint64_t& files,
                     std::uint64_t& bytes) {
  const auto refuse = [&](const char* why) {
    return fail(Errc::kDenied, "the packages hold '" + entry.path + "', " + why);
  };
  if (entry.path.size() > kMaxPathBytes)
    return fail(Errc::kTooLarge, "the packages hold a path that is too long");
  for (const char c : entry.path)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
      return fail(Errc::kDenied, "the packages hold a name with control characters");
  if (S_ISLNK(entry.status.st_mode)) return refuse("a link");
  if (!S_ISREG(entry.status.st_mode) && !S_ISDIR(entry.status.st_mode))
    return refuse("which is neither a file nor a folder");
  if (entry.status.st_uid != ::geteuid()) return refuse("which belongs to somebody else");
  if (S_ISREG(entry.status.st_mode)) {
    if (entry.status.st_nlink != 1) return refuse("which has a second name");
    bytes += static_cast<std::uint64_t>(entry.status.st_size);
  }
  if (++files > limits.files)
    return fail(Errc::kTooLarge,
                "the packages hold more than " + std::to_string(limits.files) + " files");
  if (bytes > limits.bytes)
    return fail(Errc::kTooLarge,
                "the packages are larger than " + std::to_string(limits.bytes) + " bytes");
  return {};
}

Result<std::string> hash_file(int folder, const std::string& name) {
  const UniqueFd file(
      ::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return fail_errno("open " + name);
  Sha256 hash;
  char buffer[65536];
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read " + name);
    if (count == 0) return hash.finish();
    hash.add({buffer, static_cast<std::size_t>(count)});
  }
}

bool runs_unasked(const std::string& name) {
  return name.ends_with(".pth") || name == "sitecustomize" || name == "usercustomize" ||
         name.starts_with("sitecustomize.") || name.starts_with("usercustomize.");
}

Result<> remove_unasked(int folder, std::vector<std::string>& removed) {
  AISPM_TRY(const auto names, names_in(folder));
  for (const auto& name : names) {
    if (!runs_unasked(name)) continue;
    AISPM_CHECK(remove_tree(folder, name));
    removed.push_back(name);
  }
  return {};
}

Result<std::string> list_tree(int folder, const TreeLimits& limits, bool make_read_only) {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<std::pair<std::string, std::string>> lines;
  const auto visit = [&](const Entry& entry) -> Result<> {
    AISPM_CHECK(check_entry(entry, limits, files, bytes));
    if (!S_ISREG(entry.status.st_mode)) return {};
    AISPM_TRY(const std::string hash, hash_file(entry.folder, entry.name));
    lines.emplace_back(entry.path, hash + " " + std::to_string(entry.status.st_size));
    const mode_t mode = (entry.status.st_mode & 0100U) != 0 ? 0555 : 0444;
    if (make_read_only && ::fchmodat(entry.folder, entry.name.c_str(), mode, 0) != 0)
      return fail_errno("chmod " + entry.path);
    return {};
  };
  const auto after = [&](const Entry& entry) -> Result<> {
    if (make_read_only && ::fchmodat(entry.folder, entry.name.c_str(), 0555, 0) != 0)
      return fail_errno("chmod " + entry.path);
    return {};
  };
  AISPM_CHECK(walk(folder, "", 0, visit, after));
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const auto& [path, rest] : lines) text += rest + " " + path + "\n";
  return text;
}

}  // namespace

Result<SealedTree> seal_tree(int folder, bool is_python, const TreeLimits& limits) {
  SealedTree sealed;
  if (is_python) AISPM_CHECK(remove_unasked(folder, sealed.left_out));
  // Checked before anything is changed: modes are set by name, and only what is no link has one.
  AISPM_CHECK(measure_tree(folder, limits));
  AISPM_TRY(sealed.manifest, list_tree(folder, limits, true));
  return sealed;
}

Result<> verify_tree(int folder, const std::string& manifest, const TreeLimits& limits) {
  AISPM_TRY(const std::string found, list_tree(folder, limits, false));
  if (found != manifest) return fail(Errc::kInvalid, "the files are not those that were put there");
  return {};
}

Result<std::uint64_t> measure_tree(int folder, const TreeLimits& limits) {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  const auto visit = [&](const Entry& entry) { return check_entry(entry, limits, files, bytes); };
  AISPM_CHECK(walk(folder, "", 0, visit, nothing));
  return bytes;
}

Result<> remove_tree(int parent, const std::string& name) {
  struct stat status {};
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? Result<>() : fail_errno("stat " + name);
  if (!S_ISDIR(status.st_mode)) {
    if (::unlinkat(parent, name.c_str(), 0) != 0) return fail_errno("remove " + name);
    return {};
  }
  AISPM_TRY(const UniqueFd folder, open_folder(parent, name));
  (void)::fchmod(folder.get(), 0700);
  const auto visit = [](const Entry& entry) -> Result<> {
    if (S_ISDIR(entry.status.st_mode)) {
      (void)::fchmodat(entry.folder, entry.name.c_str(), 0700, 0);
    } else if (::unlinkat(entry.folder, entry.name.c_str(), 0) != 0 && errno != ENOENT) {
      return fail_errno("remove " + entry.path);
    }
    return {};
  };
  const auto after = [](const Entry& entry) -> Result<> {
    if (::unlinkat(entry.folder, entry.name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
      return fail_errno("remove " + entry.path);
    return {};
  };
  AISPM_CHECK(walk(folder.get(), "", 0, visit, after));
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) return fail_errno("remove " + name);
  return {};
}

}  // namespace aispm::sandbox
