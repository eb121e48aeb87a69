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

constexpr const char* kWaiting = "unknown: waits for securityfs on /sys/kernel/security";

bool lists(const std::string& modules, const std::string& module) {
  return ("," + modules + ",").find("," + module + ",") != std::string::npos;
}

// The mode between brackets, "none [integrity] confidentiality".
std::string lockdown_mode(const std::string& file, const std::string& modules) {
  const std::size_t open = file.find('[');
  if (open != std::string::npos) return file.substr(open + 1, file.find(']', open) - open - 1);
  return modules.empty() || lists(modules, "lockdown") ? kWaiting : "none";
}

std::string yes_or_no(bool is_so) { return is_so ? "yes" : "no"; }

}  // namespace

std::map<std::string, std::string> read_posture(const std::string& root,
                                                const std::optional<std::string>& modules) {
  std::map<std::string, std::string> posture;
  const auto known = [](const std::string& text) { return text.empty() ? "unknown" : text; };
  posture["posture.kernel"] = known(fact(root + "/proc/sys/kernel/osrelease"));
  std::string lsm = fact(root + "/sys/kernel/security/lsm");
  if (lsm.empty()) lsm = modules.value_or("");
  posture["posture.lsm"] = lsm.empty() ? kWaiting : lsm;
  posture["posture.bpf_lsm"] = lsm.empty() ? kWaiting : yes_or_no(lists(lsm, "bpf"));
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
  const std::string ptrace = fact(root + "/proc/sys/kernel/yama/ptrace_scope");
  posture["posture.ptrace_scope"] =
      ptrace.empty() && !lsm.empty() && !lists(lsm, "yama") ? "no yama" : known(ptrace);
  posture["posture.lockdown"] = lockdown_mode(fact(root + "/sys/kernel/security/lockdown"), lsm);
  return posture;
}

}  // namespace aispm::sensor
