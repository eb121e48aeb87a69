// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/notifier.hpp"

#include <sys/ioctl.h>

#include <cerrno>
#include <cstdio>

#include "sandbox/model/filter.hpp"

namespace aispm::sandbox {
namespace {

std::string hex(std::uint64_t value) {
  char text[24];
  (void)std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string family_name(std::uint32_t family) {
  switch (family) {
    case 1:
      return "AF_UNIX";
    case 2:
      return "AF_INET";
    case 10:
      return "AF_INET6";
    case 16:
      return "AF_NETLINK";
    case 17:
      return "AF_PACKET";
    case 38:
      return "AF_ALG";
    case 40:
      return "AF_VSOCK";
    case 44:
      return "AF_XDP";
    default:
      return std::to_string(family);
  }
}

std::string with_argument(const Syscall& known, const seccomp_data& call) {
  const std::string name(known.name);
  const auto low = [&](std::size_t i) { return static_cast<std::uint32_t>(call.args[i]); };
  switch (known.rule) {
    case Rule::kSocket:
      return name + "(" + family_name(low(0)) + "," + std::to_string(low(1) & 0xF) + "," +
             std::to_string(low(2)) + ")";
    case Rule::kIoctl:
      return name + "(" + hex(low(1)) + ")";
    case Rule::kPrctl:
      return name + "(" + std::to_string(low(0)) + ")";
    case Rule::kClone:
      return name + "(" + hex(low(0) & kNamespaceFlags) + ")";
    case Rule::kPersonality:
      return name + "(" + hex(low(0)) + ")";
    case Rule::kMemfd:
      return name + "(" + hex(low(1)) + ")";
    case Rule::kExecveat:
      return name + "(" + hex(low(4)) + ")";
    case Rule::kMode1:
    case Rule::kMode2:
    case Rule::kOpen:
    case Rule::kOpenat:
      return name + "(set-id)";
    case Rule::kSend:
    case Rule::kSendmsg:
      return name + "(MSG_OOB)";
    default:
      return name;
  }
}

}  // namespace

std::string name_call(const seccomp_data& call) {
  if (call.arch == AUDIT_ARCH_I386) return "i386:" + std::to_string(call.nr);
  if (call.arch != audit_arch(native_arch()))
    return "arch" + hex(call.arch) + ":" + std::to_string(call.nr);
  if (native_arch() == Arch::kX86_64 && call.nr >= 0 &&
      (static_cast<std::uint32_t>(call.nr) & kX32Bit) != 0)
    return "x32:" + std::to_string(static_cast<std::uint32_t>(call.nr) & ~kX32Bit);
  for (const Syscall& known : kSyscalls)
    if (number_of(known, native_arch()) == call.nr && call.nr >= 0)
      return with_argument(known, call);
  return "syscall:" + std::to_string(call.nr);
}

Result<std::string> refuse_call(int listener) {
  seccomp_notif request{};
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) {
    if (errno == ENOENT || errno == EINTR) return std::string();
    return fail_errno("seccomp: receive");
  }
  seccomp_notif_resp answer{};
  answer.id = request.id;
  answer.error = -kRefusedCall;
  // ENOENT: the caller died; it was refused all the same.
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0 && errno != ENOENT)
    return fail_errno("seccomp: answer");
  return name_call(request.data);
}

}  // namespace aispm::sandbox
