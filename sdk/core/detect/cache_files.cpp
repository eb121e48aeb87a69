// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/cache_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::detect {
namespace {

constexpr const char* kExtension = ".compiled";

// Nobody but this user (and root) can have put it there.
bool is_ours(const struct stat& info) {
  return info.st_uid == ::geteuid() && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

Result<std::string> read_all(int fd, std::size_t size, const std::string& path) {
  std::string content(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::read(fd, content.data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read " + path);
    if (count == 0) return fail(Errc::kInvalid, path + ": ends too early");
    done += static_cast<std::size_t>(count);
  }
  return content;
}

}  // namespace

Result<CacheFiles> CacheFiles::open(std::string folder) {
  const std::string above = std::filesystem::path(folder).parent_path().string();
  if (!above.empty()) AISPM_CHECK(make_directories(above, 0755));
  AISPM_CHECK(make_directories(folder, 0700));
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) return fail_errno("stat " + folder);
  if (!S_ISDIR(info.st_mode) || !is_ours(info))
    return fail(Errc::kDenied,
                folder + ": must be a folder of this user that nobody else may write to");
  return CacheFiles(std::move(folder));
}

Result<std::optional<std::string>> CacheFiles::read(const std::string& name) const {
  const std::string path = folder_ + "/" + name + kExtension;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && errno == ENOENT) return std::optional<std::string>();
  if (!file) return fail_errno("open " + path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return fail_errno("stat " + path);
  if (!S_ISREG(info.st_mode) || !is_ours(info))
    return fail(Errc::kDenied,
                path + ": must be a file of this user that nobody else may write to");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size < sizeof(Sha256) || size > kMaxFileBytes)
    return fail(Errc::kInvalid, path + ": not of the size of a compiled rule set");
  AISPM_TRY(std::string content, read_all(file.get(), size, path));
  const Sha256 digest = sha256(std::string_view(content).substr(sizeof(Sha256)));
  if (!std::equal(digest.begin(), digest.end(), content.begin(),
                  [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }))
    return fail(Errc::kInvalid, path + ": does not have the hash that it begins with");
  content.erase(0, sizeof(Sha256));
  // Used just now; a cache that only keeps its times wrong still works.
  (void)::futimens(file.get(), nullptr);
  return std::optional<std::string>(std::move(content));
}

Result<> CacheFiles::write(const std::string& name, std::string_view content) const {
  if (content.size() + sizeof(Sha256) > kMaxFileBytes)
    return fail(Errc::kTooLarge, name + ": too large to keep");
  const Sha256 digest = sha256(content);
  std::string whole(digest.begin(), digest.end());
  whole += content;
  return write_file_atomically(folder_ + "/" + name + kExtension, whole, 0600);
}

void CacheFiles::prune() const {
  namespace fs = std::filesystem;
  struct Kept {
    fs::file_time_type used;
    std::size_t size;
    fs::path path;
  };
  std::vector<Kept> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().extension() != kExtension) continue;
    const auto used = entry.last_write_time(error);
    if (error) continue;
    const auto size = entry.file_size(error);
    if (!error) files.push_back({used, size, entry.path()});
  }
  std::sort(files.begin(), files.end(),
            [](const Kept& a, const Kept& b) { return a.used > b.used; });
  std::size_t total = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    total += files[i].size;
    if (i >= kMaxFiles || total > kMaxTotalBytes) fs::remove(files[i].path, error);
  }
}

}  // namespace aispm::detect
