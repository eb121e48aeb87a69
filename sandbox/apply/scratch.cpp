// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/scratch.hpp"

#include <fcntl.h>
#include <sys/vfs.h>

#include <algorithm>

#include "sandbox/model/scratch.hpp"

namespace aispm::sandbox {
namespace {

constexpr int kFirstLookMs = 20;
constexpr int kLongestPauseMs = 1000;

}  // namespace

Result<ScratchWatch> ScratchWatch::open(const Plan& plan) {
  ScratchWatch watch;
  for (const Mount* mount : scratch_folders(plan.mounts)) {
    watch.folders_.emplace_back(
        ::open(mount->target.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!watch.folders_.back()) return fail_errno("watch " + mount->target);
  }
  return watch;
}

void ScratchWatch::begin() { pause_ms_ = folders_.empty() ? -1 : kFirstLookMs; }

std::uint32_t ScratchWatch::look(bool is_pause_over) {
  std::uint64_t used = 0;
  std::uint32_t found = 0;
  for (std::size_t i = 0; i < folders_.size(); ++i) {
    struct statfs now {};
    if (::fstatfs(folders_[i].get(), &now) != 0) continue;
    used += static_cast<std::uint64_t>(now.f_blocks - now.f_bfree) +
            static_cast<std::uint64_t>(now.f_files - now.f_ffree);
    const bool is_full = now.f_bfree == 0 || (now.f_files != 0 && now.f_ffree == 0);
    if (is_full) found |= 1U << i;
  }
  if (used != used_ && pause_ms_ > 0)
    pause_ms_ = kFirstLookMs;
  else if (is_pause_over)
    pause_ms_ = std::min(pause_ms_ * 2, kLongestPauseMs);
  used_ = used;
  const std::uint32_t fresh = found & ~seen_;
  seen_ |= found;
  return fresh;
}

}  // namespace aispm::sandbox
