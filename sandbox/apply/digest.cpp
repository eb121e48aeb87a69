// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/digest.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "sandbox/model/sha256.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::size_t kPieceBytes = 256U << 10;
constexpr std::size_t kMaxCacheFile = 256;
constexpr std::size_t kHexDigits = 64;

std::string hash_file(int fd) {
  Sha256 hash;
  std::string piece(kPieceBytes, '\0');
  for (;;) {
    const ssize_t size = ::read(fd, piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return "";
    if (size == 0) return hash.finish();
    hash.add({piece.data(), static_cast<std::size_t>(size)});
  }
}

std::string identity(const struct stat& status) {
  const auto time = [](const timespec& at) {
    return " " + std::to_string(at.tv_sec) + "." + std::to_string(at.tv_nsec);
  };
  return std::to_string(status.st_size) + time(status.st_mtim) + time(status.st_ctim) + " ";
}

// Replaces the file whole; when that fails the digest is computed again next time.
void keep(const std::string& path, const std::string& text) {
  const std::string fresh = path + "." + std::to_string(::getpid());
  UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool is_whole =
      file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!is_whole || std::rename(fresh.c_str(), path.c_str()) != 0) (void)::unlink(fresh.c_str());
}

std::string digest(const std::string& path, const std::string& cache_folder) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return "unreadable";
  if (cache_folder.empty()) {
    const std::string hex = hash_file(file.get());
    return hex.empty() ? "unreadable" : hex;
  }
  const std::string cached =
      cache_folder + "/" + std::to_string(status.st_dev) + "-" + std::to_string(status.st_ino);
  const std::string who = identity(status);
  if (const auto text = read_file(cached, kMaxCacheFile);
      text && text->starts_with(who) && text->size() == who.size() + kHexDigits)
    return text->substr(who.size());
  const std::string hex = hash_file(file.get());
  if (hex.empty()) return "unreadable";
  if (make_directories(cache_folder, 0700)) keep(cached, who + hex);
  return hex;
}

}  // namespace

std::vector<std::string> digest_programs(const Plan& plan) {
  const std::string& cache_folder = plan.digest_cache;
  std::vector<std::string> lines = {"program " + plan.executable +
                                    " sha256:" + digest(plan.executable, cache_folder)};
  if (!plan.script.empty())
    lines.push_back("script " + plan.script + " sha256:" + digest(plan.script, cache_folder));
  if (!plan.runtime.executable.empty())
    lines.push_back("runtime " + plan.runtime.executable +
                    " sha256:" + digest(plan.runtime.executable, cache_folder));
  return lines;
}

std::optional<NotAdmitted> find_not_admitted(const Plan& plan) {
  if (plan.admit.empty()) return std::nullopt;
  for (const std::string* path : {&plan.executable, &plan.script}) {
    if (path->empty()) continue;
    const std::string found = digest(*path, "");
    if (std::find(plan.admit.begin(), plan.admit.end(), found) == plan.admit.end())
      return NotAdmitted{*path, found};
  }
  return std::nullopt;
}

}  // namespace aispm::sandbox
