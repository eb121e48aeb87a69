// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <algorithm>

#include "sandbox/apply/steps.hpp"

namespace aispm::sandbox {
namespace {

Result<> set(int resource, rlim_t soft, rlim_t hard, const char* name) {
  rlimit current{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &current) != 0) return fail_errno(name);
  // A caller's own lower limit stays.
  const rlimit wanted{std::min(soft, current.rlim_max), std::min(hard, current.rlim_max)};
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &wanted) != 0) return fail_errno(name);
  return {};
}

}  // namespace

Result<> set_limits(const Limits& limits, bool memory_is_in_group, bool cpu_time_is_in_group) {
  // In a fresh user namespace NPROC counts this sandbox alone (Linux 5.14). One more for process 1.
  AISPM_CHECK(set(RLIMIT_NPROC, limits.pids + 1, limits.pids + 1, "RLIMIT_NPROC"));
  AISPM_CHECK(set(RLIMIT_NOFILE, limits.open_files, limits.open_files, "RLIMIT_NOFILE"));
  if (limits.file_size_bytes != 0)
    AISPM_CHECK(set(RLIMIT_FSIZE, limits.file_size_bytes, limits.file_size_bytes, "RLIMIT_FSIZE"));
  if (limits.memory_bytes != 0 && !memory_is_in_group)
    AISPM_CHECK(set(RLIMIT_DATA, limits.memory_bytes, limits.memory_bytes, "RLIMIT_DATA"));
  if (limits.cpu_time.count() != 0) {
    // With a group this is only what holds when the supervisor is late.
    const auto seconds = static_cast<rlim_t>((limits.cpu_time.count() + 999) / 1000) +
                         (cpu_time_is_in_group ? 2 : 0);
    AISPM_CHECK(
        set(RLIMIT_CPU, seconds, seconds + 2, "RLIMIT_CPU"));  // SIGXCPU, two seconds later SIGKILL
  }
  AISPM_CHECK(set(RLIMIT_CORE, 0, 0, "RLIMIT_CORE"));
  AISPM_CHECK(set(RLIMIT_MEMLOCK, 0, 0, "RLIMIT_MEMLOCK"));
  AISPM_CHECK(set(RLIMIT_MSGQUEUE, 0, 0, "RLIMIT_MSGQUEUE"));
  AISPM_CHECK(set(RLIMIT_RTPRIO, 0, 0, "RLIMIT_RTPRIO"));
  AISPM_CHECK(set(RLIMIT_NICE, 0, 0, "RLIMIT_NICE"));
  return {};
}

}  // namespace aispm::sandbox
