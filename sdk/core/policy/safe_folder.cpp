// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/safe_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::policy {
namespace {

using Directory = CPtr<DIR, ::closedir>;

class Reader {
 public:
  Reader(FolderLimits limits, std::vector<FolderFile>& files) : limits_(limits), files_(files) {}

  // Takes the descriptor.
  Result<> read_folder(UniqueFd fd, const std::string& shown, const std::string& prefix,
                       unsigned depth) {
    AISPM_CHECK(check_owner(fd.get(), shown, S_IFDIR));
    if (depth > limits_.depth) return fail(Errc::kTooLarge, shown + ": folders nest too deep");
    const int number = fd.get();
    const Directory directory(::fdopendir(fd.release()));
    if (!directory) return fail_errno("read " + shown);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (name[0] == '.')
        return fail(Errc::kDenied, shown + "/" + name + ": hidden files have no place in a bundle");
      names.push_back(name);
      if (names.size() > limits_.files) return too_many(shown);
    }
    if (errno != 0) return fail_errno("read " + shown);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names)
      AISPM_CHECK(read_entry(number, name, shown + "/" + name, prefix + name, depth));
    return {};
  }

 private:
  Result<> read_entry(int folder, const std::string& name, const std::string& shown,
                      const std::string& path, unsigned depth) {
    // O_NONBLOCK: a pipe must not make us wait before it is refused.
    UniqueFd fd(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd && errno == ELOOP) return fail(Errc::kDenied, shown + ": is a symbolic link");
    if (!fd) return fail_errno("open " + shown);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return fail_errno("stat " + shown);
    if (S_ISDIR(info.st_mode)) return read_folder(std::move(fd), shown, path + "/", depth + 1);
    AISPM_CHECK(check_owner(fd.get(), shown, S_IFREG));
    return read_content(fd.get(), shown, path);
  }

  Result<> read_content(int fd, const std::string& shown, const std::string& path) {
    if (files_.size() >= limits_.files) return too_many(shown);
    std::string content(limits_.file_bytes + 1, '\0');
    std::size_t size = 0;
    while (size < content.size()) {
      const ssize_t got = ::read(fd, content.data() + size, content.size() - size);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno("read " + shown);
      if (got == 0) break;
      size += static_cast<std::size_t>(got);
    }
    total_ += size;
    if (size > limits_.file_bytes || total_ > limits_.total_bytes)
      return fail(Errc::kTooLarge,
                  shown + ": a file may have " + std::to_string(limits_.file_bytes) +
                      " bytes, all together " + std::to_string(limits_.total_bytes));
    content.resize(size);
    content.shrink_to_fit();
    files_.push_back({path, std::move(content)});
    return {};
  }

  static Result<> check_owner(int fd, const std::string& shown, mode_t kind) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return fail_errno("stat " + shown);
    if ((info.st_mode & S_IFMT) != kind)
      return fail(Errc::kDenied, shown + ": neither a plain file nor a folder");
    if (info.st_uid != 0 && info.st_uid != ::geteuid())
      return fail(Errc::kDenied, shown + ": belongs to user " + std::to_string(info.st_uid) +
                                     "; must be root's or this user's");
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
      return fail(Errc::kDenied, shown + ": others may write to it; `chmod go-w` it");
    return {};
  }

  Result<> too_many(const std::string& shown) const {
    return fail(Errc::kTooLarge, shown + ": more than " + std::to_string(limits_.files) + " files");
  }

  FolderLimits limits_;
  std::vector<FolderFile>& files_;
  std::size_t total_ = 0;
};

}  // namespace

Result<std::vector<FolderFile>> read_safe_folder(const std::string& folder, FolderLimits limits) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && (errno == ELOOP || errno == ENOTDIR))
    return fail(Errc::kDenied, folder + ": must be a folder, not a file or a symbolic link");
  if (!fd) return fail_errno("open " + folder);
  std::vector<FolderFile> files;
  AISPM_CHECK(Reader(limits, files).read_folder(std::move(fd), folder, "", 0));
  std::sort(files.begin(), files.end(),
            [](const FolderFile& left, const FolderFile& right) { return left.path < right.path; });
  return files;
}

}  // namespace aispm::policy
