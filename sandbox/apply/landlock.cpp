// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/apply/remedy.hpp"
#include "sandbox/apply/steps.hpp"

// <linux/landlock.h> of the build host may be older than the kernel we run on, so the ABI's numbers
// stand here. Source: Linux Documentation/userspace-api/landlock.rst, "Compatibility".
namespace aispm::sandbox {
namespace {

constexpr std::uint64_t kExecute = 1ULL << 0;
constexpr std::uint64_t kWriteFile = 1ULL << 1;
constexpr std::uint64_t kReadFile = 1ULL << 2;
constexpr std::uint64_t kReadDir = 1ULL << 3;
constexpr std::uint64_t kMakeChar = 1ULL << 6;
constexpr std::uint64_t kMakeBlock = 1ULL << 11;
constexpr std::uint64_t kTruncate = 1ULL << 14;
constexpr std::uint64_t kIoctlDev = 1ULL << 15;
constexpr std::uint64_t kFileRights = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDev;
constexpr std::uint64_t kScopeAbstractUnixAndSignal = 3;

struct RulesetAttr {
  std::uint64_t handled_fs = 0;
  std::uint64_t handled_net = 0;  // ABI 4
  std::uint64_t scoped = 0;       // ABI 6
};
struct __attribute__((packed)) PathBeneathAttr {
  std::uint64_t allowed;
  std::int32_t parent;
};

std::uint64_t all_rights(int abi) {
  int bits = 13;
  if (abi >= 2) bits = 14;  // REFER
  if (abi >= 3) bits = 15;  // TRUNCATE
  if (abi >= 5) bits = 16;  // IOCTL_DEV
  return (1ULL << bits) - 1;
}

std::uint64_t rights_of(Mount::Kind kind, std::uint64_t all) {
  switch (kind) {
    case Mount::Kind::kBindReadOnly:
      return kExecute | kReadFile | kReadDir;
    case Mount::Kind::kBindReadWrite:
    case Mount::Kind::kTmpfs:
      return all & ~(kMakeChar | kMakeBlock | kIoctlDev);
    case Mount::Kind::kDevice:
      return kReadFile | kWriteFile | (all & kTruncate);
    case Mount::Kind::kTerminals:
      return kReadFile | kReadDir | kWriteFile | (all & (kTruncate | kIoctlDev));
    case Mount::Kind::kProc:
      return kReadFile | kReadDir | kWriteFile | (all & kTruncate);
    case Mount::Kind::kFile:
    case Mount::Kind::kCopy:
    case Mount::Kind::kSymlink:
    case Mount::Kind::kFolder:
    case Mount::Kind::kHomeFile:
      return 0;  // "/" and "/etc" give what they need
  }
  return 0;
}

Result<> allow(int ruleset, const std::string& path, std::uint64_t rights) {
  if (rights == 0) return {};
  UniqueFd target(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!target) return fail_errno("landlock: open " + path);
  struct stat status {};
  if (::fstat(target.get(), &status) != 0) return fail_errno("landlock: stat " + path);
  if (!S_ISDIR(status.st_mode)) rights &= kFileRights;
  const PathBeneathAttr rule{rights, target.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset, 1 /* PATH_BENEATH */, &rule, 0) != 0)
    return fail_errno("landlock: rule for " + path);
  return {};
}

}  // namespace

int landlock_abi() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1 /* VERSION */);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

namespace {

Result<int> sufficient_abi(const Plan& plan) {
  const int abi = landlock_abi();
  if (abi < static_cast<int>(plan.landlock_min_abi))
    return fail(Errc::kUnsupported,
                "Landlock ABI " + std::to_string(plan.landlock_min_abi) +
                    " is required and this kernel has " +
                    (abi == 0 ? std::string("none") : std::to_string(abi)) +
                    ". Remedy: " + remedy::landlock(abi, static_cast<int>(plan.landlock_min_abi)));
  return abi;
}

}  // namespace

// A ruleset that handles any file right forbids mount(2), which the runtime needs.
Result<int> restrict_scopes(const Plan& plan) {
  AISPM_TRY(const int abi, sufficient_abi(plan));
  if (abi < 6) return abi;
  RulesetAttr attributes;
  attributes.scoped = kScopeAbstractUnixAndSignal;
  UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0)));
  if (!ruleset) return fail_errno("landlock: make the scopes");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("set no_new_privs");
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    return fail_errno("landlock: restrict");
  return abi;
}

Result<FileRules> make_file_rules(const Plan& plan) {
  AISPM_TRY(const int abi, sufficient_abi(plan));
  const std::uint64_t all = all_rights(abi);
  RulesetAttr attributes;
  attributes.handled_fs = all;
  if (abi >= 6) attributes.scoped = kScopeAbstractUnixAndSignal;
  const std::size_t size = abi >= 6 ? sizeof(attributes) : abi >= 4 ? 16 : 8;
  UniqueFd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset) return fail_errno("landlock: make the rules");
  AISPM_CHECK(allow(ruleset.get(), "/", kReadDir));
  AISPM_CHECK(allow(ruleset.get(), "/etc", kReadFile));
  for (const auto& mount : plan.mounts)
    AISPM_CHECK(
        allow(ruleset.get(), mount.target,
              rights_of(mount.kind, all) | (mount.target == "/dev/tty" ? all & kIoctlDev : 0)));
  // Denials of the program that is started, and of its children, go to the audit log (ABI 7); an
  // error here only means an older kernel.
  constexpr unsigned kLogNewExecOn = 1U << 1;
  return FileRules{std::move(ruleset), abi, abi >= 7 ? kLogNewExecOn : 0};
}

Result<int> restrict_files(const Plan& plan) {
  AISPM_TRY(const FileRules rules, make_file_rules(plan));
  if (::syscall(SYS_landlock_restrict_self, rules.ruleset.get(), rules.flags) != 0)
    return fail_errno("landlock: restrict");
  return rules.abi;
}

}  // namespace aispm::sandbox
