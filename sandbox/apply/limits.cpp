// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <algorithm>

#include "sandbox/apply/steps.hpp"

namespace aispm::sandbox {
namespace {

struct Wanted {
  int resource;
  rlim_t soft;
  rlim_t hard;
  const char* name;
};

// What a control group does for the whole sandbox is not done for each process again.
std::vector<Wanted> wanted_limits(const Limits& limits, const GroupLimits& group) {
  std::vector<Wanted> list;
  // In a fresh user namespace NPROC counts this sandbox alone (Linux 5.14). One more for process 1,
  // and another where the group is to refuse first, which tells that it did.
  const rlim_t pids = limits.pids + 1U + (group.pids ? 1U : 0U);
  list.push_back({RLIMIT_NPROC, pids, pids, "RLIMIT_NPROC"});
  list.push_back({RLIMIT_NOFILE, limits.open_files, limits.open_files, "RLIMIT_NOFILE"});
  if (limits.file_size_bytes != 0)
    list.push_back({RLIMIT_FSIZE, limits.file_size_bytes, limits.file_size_bytes, "RLIMIT_FSIZE"});
  if (limits.memory_bytes != 0 && !group.memory)
    list.push_back({RLIMIT_DATA, limits.memory_bytes, limits.memory_bytes, "RLIMIT_DATA"});
  if (limits.cpu_time.count() != 0) {
    // With a group this is only what holds when the supervisor is late.
    const auto seconds =
        static_cast<rlim_t>((limits.cpu_time.count() + 999) / 1000) + (group.cpu_time ? 2 : 0);
    // SIGXCPU, two seconds later SIGKILL
    list.push_back({RLIMIT_CPU, seconds, seconds + 2, "RLIMIT_CPU"});
  }
  list.push_back({RLIMIT_CORE, 0, 0, "RLIMIT_CORE"});
  list.push_back({RLIMIT_MEMLOCK, 0, 0, "RLIMIT_MEMLOCK"});
  list.push_back({RLIMIT_MSGQUEUE, 0, 0, "RLIMIT_MSGQUEUE"});
  list.push_back({RLIMIT_RTPRIO, 0, 0, "RLIMIT_RTPRIO"});
  list.push_back({RLIMIT_NICE, 0, 0, "RLIMIT_NICE"});
  return list;
}

}  // namespace

Result<> set_limits(const Limits& limits, const GroupLimits& group) {
  for (const auto& limit : wanted_limits(limits, group)) {
    rlimit current{};
    const auto resource = static_cast<__rlimit_resource>(limit.resource);
    if (::getrlimit(resource, &current) != 0) return fail_errno(limit.name);
    // A caller's own lower limit stays.
    const rlimit wanted{std::min(limit.soft, current.rlim_max),
                        std::min(limit.hard, current.rlim_max)};
    if (::setrlimit(resource, &wanted) != 0) return fail_errno(limit.name);
  }
  return {};
}

Result<std::vector<EnterHeader::Limit>> limits_to_hand_over(const Limits& limits,
                                                            const GroupLimits& group) {
  std::vector<EnterHeader::Limit> list;
  const auto wanted = wanted_limits(limits, group);
  for (unsigned resource = 0; resource < RLIM_NLIMITS; ++resource) {
    rlimit own{};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &own) != 0)
      return fail_errno("getrlimit");
    EnterHeader::Limit limit{resource, 0, own.rlim_cur, own.rlim_max};
    for (const auto& one : wanted)
      if (one.resource == static_cast<int>(resource)) {
        limit.soft = std::min(one.soft, own.rlim_max);
        limit.hard = std::min(one.hard, own.rlim_max);
      }
    list.push_back(limit);
  }
  return list;
}

}  // namespace aispm::sandbox
