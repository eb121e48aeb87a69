// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "sdk/core/common/unique_fd.hpp"

namespace aispm {

Result<std::string> read_file(const std::string& path, std::size_t limit_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("open " + path);
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read " + path);
    if (count == 0) return content;
    if (content.size() + static_cast<std::size_t>(count) > limit_bytes)
      return fail(Errc::kTooLarge,
                  path + ": larger than " + std::to_string(limit_bytes) + " bytes");
    content.append(buffer, static_cast<std::size_t>(count));
  }
}

namespace {

Result<> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("write " + path);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd) != 0) return fail_errno("fsync " + path);
  return {};
}

}  // namespace

Result<> write_file_atomically(const std::string& path, std::string_view content, unsigned mode) {
  const std::string temporary = path + ".new." + std::to_string(::getpid());
  {
    const UniqueFd file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!file) return fail_errno("create " + temporary);
    if (auto written = write_all(file.get(), content, temporary); !written) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    return fail_errno("rename " + temporary + " to " + path, reason);
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const UniqueFd directory(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_errno("open " + folder);
  if (::fsync(directory.get()) != 0) return fail_errno("fsync " + folder);
  return {};
}

Result<> make_directories(const std::string& path, unsigned mode) {
  std::string prefix;
  for (const auto& part : std::filesystem::path(path)) {
    prefix = prefix.empty() ? part.string() : (std::filesystem::path(prefix) / part).string();
    if (::mkdir(prefix.c_str(), mode) != 0 && errno != EEXIST) return fail_errno("mkdir " + prefix);
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno("stat " + path);
  if (!S_ISDIR(info.st_mode)) return fail(Errc::kInvalid, path + ": is not a folder");
  return {};
}

}  // namespace aispm
