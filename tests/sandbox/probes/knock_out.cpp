// SPDX-License-Identifier: Apache-2.0
// aispm-run with layers left out, to show what each of them stops. Only in tests: the linker puts
// these functions in front of the launcher's own (--wrap), which knows nothing of it.
// AISPM_KNOCK_OUT lists what to leave out.
#include <linux/sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sandbox/apply/start.hpp"

namespace aispm::sandbox {
namespace {

bool is_out(std::string_view layer) {
  const char* list = std::getenv("AISPM_KNOCK_OUT");
  const std::string all = list == nullptr ? "," : "," + std::string(list) + ",";
  return all.find("," + std::string(layer) + ",") != std::string::npos;
}

// A descriptor that never has anything to say.
UniqueFd silence() { return UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

}  // namespace

// real_x is the launcher's function, wrapped_x what it calls instead.
#define AISPM_WRAP(name, symbol, result, ...)               \
  result real_##name(__VA_ARGS__) asm("__real_" symbol);    \
  result wrapped_##name(__VA_ARGS__) asm("__wrap_" symbol); \
  result wrapped_##name

AISPM_WRAP(restrict_files, "_ZN5aispm7sandbox14restrict_filesERKNS0_4PlanE", Result<int>,
           const Plan& plan)
(const Plan& plan) {
  return is_out("landlock") ? Result<int>(landlock_abi()) : real_restrict_files(plan);
}

AISPM_WRAP(install_filter, "_ZN5aispm7sandbox14install_filterEv", Result<UniqueFd>, void)
(void) {
  if (is_out("seccomp")) return silence();
  return real_install_filter();
}

AISPM_WRAP(forbid_namespaces, "_ZN5aispm7sandbox17forbid_namespacesEv", Result<>, void)
(void) { return is_out("namespaces") ? Result<>() : real_forbid_namespaces(); }

AISPM_WRAP(make_network, "_ZN5aispm7sandbox12make_networkEb", Result<NetworkSockets>,
           bool with_proxy)
(bool with_proxy) {
  if (!is_out("netns")) return real_make_network(with_proxy);
  NetworkSockets sockets;
  sockets.monitor = silence();
  sockets.dns4 = silence();
  sockets.dns_tcp = silence();
  return sockets;
}

AISPM_WRAP(map_identity, "_ZN5aispm7sandbox12map_identityEjj", Result<>, unsigned uid, unsigned gid)
(unsigned uid, unsigned gid) {
  return is_out("uid") ? real_map_identity(0, 0) : real_map_identity(uid, gid);
}

AISPM_WRAP(become, "_ZNK5aispm7sandbox10RootPrefix6becomeEv", Result<>, const RootPrefix* prefix)
(const RootPrefix* prefix) { return is_out("uid") ? Result<>() : real_become(prefix); }

AISPM_WRAP(close_range, "close_range", int, unsigned first, unsigned last, int flags)
(unsigned first, unsigned last, int flags) {
  return first >= 3 && is_out("fds") ? 0 : real_close_range(first, last, flags);
}

AISPM_WRAP(syscall, "syscall", long, long number, long a, long b, long c, long d, long e, long f)
(long number, long a, long b, long c, long d, long e, long f) {
  if (number == SYS_clone3 && is_out("netns"))
    reinterpret_cast<clone_args*>(a)->flags &= ~static_cast<std::uint64_t>(CLONE_NEWNET);
  const auto* const type = number == SYS_mount ? reinterpret_cast<const char*>(c) : nullptr;
  static const char kWholeProc[] = "hidepid=invisible";
  if (type != nullptr && std::string_view(type) == "proc" && is_out("proc"))
    e = reinterpret_cast<long>(kWholeProc);
  return real_syscall(number, a, b, c, d, e, f);
}

}  // namespace aispm::sandbox
