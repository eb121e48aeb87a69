// SPDX-License-Identifier: Apache-2.0
#include "sensor/discover/posture.hpp"

#include <sys/stat.h>

#include "sdk/core/common/file.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxFactBytes = 64U << 10;

std::string fact(const std::string& path) {
  std::string text = read_file(path, kMaxFactBytes).value_or("");
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string yes_or_no(bool is_so) { return is_so ? "yes" : "no"; }

}  // namespace

std::map<std::string, std::string> read_posture(const std::string& root) {
  std::map<std::string, std::string> posture;
  const auto known = [](const std::string& text) { return text.empty() ? "unknown" : text; };
  posture["posture.kernel"] = known(fact(root + "/proc/sys/kernel/osrelease"));
  const std::string lsm = fact(root + "/sys/kernel/security/lsm");
  posture["posture.lsm"] = known(lsm);
  posture["posture.bpf_lsm"] =
      lsm.empty() ? "unknown" : yes_or_no(("," + lsm + ",").find(",bpf,") != std::string::npos);
  const std::string aslr = fact(root + "/proc/sys/kernel/randomize_va_space");
  posture["posture.aslr"] = aslr == "2"   ? "full"
                            : aslr == "1" ? "partial"
                            : aslr == "0" ? "off"
                                          : "unknown";
  // Debian has a switch of its own; elsewhere the number of namespaces is the limit.
  const std::string clone = fact(root + "/proc/sys/kernel/unprivileged_userns_clone");
  const std::string most = fact(root + "/proc/sys/user/max_user_namespaces");
  posture["posture.unprivileged_userns"] =
      clone.empty() && most.empty() ? "unknown" : yes_or_no(clone != "0" && most != "0");
  posture["posture.seccomp"] =
      yes_or_no(!fact(root + "/proc/sys/kernel/seccomp/actions_avail").empty());
  const std::string bpf = fact(root + "/proc/sys/kernel/unprivileged_bpf_disabled");
  posture["posture.unprivileged_bpf"] = bpf.empty() ? "unknown" : yes_or_no(bpf == "0");
  posture["posture.ptrace_scope"] = known(fact(root + "/proc/sys/kernel/yama/ptrace_scope"));
  const std::string lockdown = fact(root + "/sys/kernel/security/lockdown");
  const std::size_t open = lockdown.find('[');
  posture["posture.lockdown"] =
      open == std::string::npos ? "unknown"
                                : lockdown.substr(open + 1, lockdown.find(']', open) - open - 1);
  return posture;
}

}  // namespace aispm::sensor
