// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/write_folder.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

#include "sdk/core/common/file.hpp"

namespace aispm::policy {
namespace {

namespace fs = std::filesystem;

// A folder that goes unless it was kept.
class HalfFolder {
 public:
  explicit HalfFolder(std::string path) : path_(std::move(path)) {}
  HalfFolder(const HalfFolder&) = delete;
  HalfFolder& operator=(const HalfFolder&) = delete;
  ~HalfFolder() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  const std::string& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

// "", "/x", "a/../b", "a//b", "a/" and names with a NUL are none.
bool is_path_within(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) return false;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = std::string_view(path).substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == path.size()) return true;
    begin = end + 1;
  }
}

Result<> check_paths(const std::vector<FolderFile>& files) {
  std::set<std::string_view> seen;
  for (const FolderFile& file : files) {
    if (!is_path_within(file.path))
      return fail(Errc::kInvalid, file.path + ": is no path within a folder");
    if (!seen.insert(file.path).second) return fail(Errc::kInvalid, file.path + ": stands twice");
  }
  return {};
}

}  // namespace

Result<> write_folder(const std::string& folder, const std::vector<FolderFile>& files) {
  AISPM_CHECK(check_paths(files));
  fs::path named(folder);
  if (!named.has_filename()) named = named.parent_path();  // "out/"
  std::error_code error;
  if (fs::exists(fs::symlink_status(named, error)))
    return fail(Errc::kExists, folder + ": is there already");
  std::string pattern = named.string() + ".XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return fail_errno("make a folder beside " + folder);
  HalfFolder half(pattern);
  for (const FolderFile& file : files) {
    const fs::path path = fs::path(half.path()) / file.path;
    fs::create_directories(path.parent_path(), error);
    if (error) return fail(Errc::kInvalid, file.path + ": " + error.message());
    AISPM_CHECK(write_file_atomically(path.string(), file.content, 0644));
  }
  fs::permissions(half.path(), fs::perms(0755), error);
  // Another program may have made it meanwhile.
  if (::renameat2(AT_FDCWD, half.path().c_str(), AT_FDCWD, named.c_str(), RENAME_NOREPLACE) != 0)
    return fail_errno("rename to " + folder);
  half.keep();
  return {};
}

}  // namespace aispm::policy
