// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "sandbox/apply/group_sweep.hpp"
#include "sandbox/apply/slots.hpp"
#include "sandbox/apply/start.hpp"
#include "sandbox/apply/workspace_quota.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

constexpr unsigned kFirstUid =
    0x61000000;  // above what distributions, systemd-nspawn and subuid ranges use
constexpr unsigned kUids = 65536;
}  // namespace

Result<RootPrefix> RootPrefix::open(const Limits& limits) {
  RootPrefix prefix;
  if (::getuid() != ::geteuid() || ::getgid() != ::getegid())
    return fail(Errc::kDenied,
                "aispm-run must not be installed setuid or setgid: it needs no privilege");
  if (::geteuid() != 0) {
    prefix.groups_ =
        ControlGroups::open_delegated(limits, "aispm-run-" + std::to_string(::getpid()) + ".scope");
    return prefix;
  }
  AISPM_CHECK(prefix.reserve_uid());
  prefix.groups_ =
      ControlGroups::open_as_root(limits, "aispm-run-" + std::to_string(prefix.uid_ - kFirstUid));
  return prefix;
}

RootPrefix RootPrefix::open_for(const Limits& limits, const Caller& caller,
                                const std::string& name) {
  RootPrefix prefix;
  prefix.caller_ = caller;
  prefix.groups_ = ControlGroups::open_as_root(limits, name);
  return prefix;
}

RootPrefix RootPrefix::adopt(unsigned uid, UniqueFd slot, ControlGroups groups) {
  RootPrefix prefix;
  prefix.uid_ = uid;
  prefix.slot_ = std::move(slot);
  prefix.groups_ = std::move(groups);
  return prefix;
}

RootPrefix::~RootPrefix() { groups_.remove(); }

Result<> RootPrefix::reserve_uid() {
  AISPM_CHECK(make_directories(kUidSlotFolder, 0700));
  const unsigned first = static_cast<unsigned>(::getpid()) % kUids;
  for (unsigned i = 0; i < kUids; ++i) {
    const unsigned slot = (first + i) % kUids;
    UniqueFd file(::open((std::string(kUidSlotFolder) + "/" + std::to_string(slot)).c_str(),
                         O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return fail_errno("reserve a user id in " + std::string(kUidSlotFolder));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    slot_ = std::move(file);
    uid_ = kFirstUid + slot;
    return {};
  }
  return fail(Errc::kExhausted, "all user ids for sandboxes are in use");
}

std::vector<std::string> RootPrefix::mechanisms() const {
  std::vector<std::string> names = groups_.mechanisms();
  if (uid_ != 0) names.push_back("hostuid:" + std::to_string(uid_));
  return names;
}

Result<> RootPrefix::become() const {
  AISPM_CHECK(groups_.join());
  const unsigned uid = inner_uid();
  const unsigned gid = inner_gid();
  if (::setgroups(caller_.groups.size(), caller_.groups.data()) != 0 ||
      ::setresgid(gid, gid, gid) != 0 || ::setresuid(uid, uid, uid) != 0)
    return fail(
        Errc::kDenied,
        "cannot become host user " + std::to_string(uid) +
            ": in a user namespace (rootless container) run aispm-run as an ordinary user instead");
  return {};
}

void RootPrefix::remove_groups_in_background() {
  if (groups_.is_empty()) return;
  const pid_t remover = ::fork();
  if (remover == 0) {
    const int last = slot_.get();
    if (last > 0) (void)::close_range(0, static_cast<unsigned>(last) - 1, 0);
    (void)::close_range(static_cast<unsigned>(last) + 1, ~0U, 0);
    const auto parents = groups_.parents();
    groups_.remove();
    // Of runs that were killed: here nobody waits for it.
    (void)sweep_groups(parents);
    if (is_root()) sweep_projects();
    ::_exit(0);
  }
  // Without a child the empty groups stay until a run gets the same user id and replaces them.
  groups_.forget();
}

}  // namespace aispm::sandbox
