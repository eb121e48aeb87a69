// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "sandbox/apply/steps.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

// Below /tmp anybody may have been there first.
constexpr const char* kOwnFolder =
    ": set XDG_RUNTIME_DIR to a folder of your own, or limits.runs to 0";

// A folder of this user's own for the locks.
Result<std::string> slot_folder() {
  if (::geteuid() == 0) return std::string("/run/aispm/runs");
  const char* runtime = ::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && runtime[0] == '/' && ::access(runtime, W_OK) == 0)
    return std::string(runtime) + "/aispm-run";
  return "/tmp/aispm-run-" + std::to_string(::geteuid());
}

Result<UniqueFd> open_folder(const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd folder(::open(path.c_str(), kFlags));
  if (!folder && errno == ENOENT) {  // the first run of this user
    if (::geteuid() == 0) AISPM_CHECK(make_directories(path, 0700));
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("make " + path);
    folder.reset(::open(path.c_str(), kFlags));
  }
  if (!folder)
    return fail(Errc::kDenied, "open " + path + ": " + std::strerror(errno) + kOwnFolder, errno);
  struct stat status {};
  if (::fstat(folder.get(), &status) != 0) return fail_errno("stat " + path);
  if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0)
    return fail(Errc::kDenied, path + " belongs to somebody else" + kOwnFolder);
  return folder;
}

}  // namespace

// The kernel gives a lock back when its holder ends, however it ends.
Result<UniqueFd> take_run_slot(std::uint32_t most) {
  if (most == 0) return UniqueFd();
  AISPM_TRY(const std::string path, slot_folder());
  AISPM_TRY(const UniqueFd folder, open_folder(path));
  const auto first = static_cast<std::uint32_t>(::getpid());
  for (std::uint32_t i = 0; i < most; ++i) {
    const std::string name = std::to_string((first + i) % most);
    UniqueFd slot(::openat(folder.get(), name.c_str(),
                           O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600));
    if (!slot) return fail_errno("open " + path + "/" + name);
    if (::flock(slot.get(), LOCK_EX | LOCK_NB) == 0) return slot;
  }
  return fail(Errc::kExhausted,
              std::to_string(most) +
                  " sandboxes of this user run on this host already (limits.runs). Wait for one to "
                  "end, or raise it in a profile");
}

}  // namespace aispm::sandbox
