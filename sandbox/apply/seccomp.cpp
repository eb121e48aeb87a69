// SPDX-License-Identifier: Apache-2.0
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "sandbox/apply/remedy.hpp"
#include "sandbox/apply/steps.hpp"
#include "sandbox/model/filter.hpp"

namespace aispm::sandbox {
namespace {

constexpr unsigned kWaitKillable = 1U << 5;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19

Result<UniqueFd> install(const sock_filter* code, std::size_t size, unsigned flags) {
  const sock_fprog program{static_cast<unsigned short>(size), const_cast<sock_filter*>(code)};
  const long answer = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (answer < 0)
    return fail(Errc::kUnsupported,
                "seccomp: the filter was refused (errno " + std::to_string(errno) + "). " +
                    remedy::seccomp(errno),
                errno);
  return UniqueFd(flags == 0 ? -1 : static_cast<int>(answer));
}

// System calls of run_init() after its set-up.
constexpr std::array kInitCalls = {
    SYS_read,  SYS_write, SYS_sendmsg, SYS_recvmsg,      SYS_wait4,      SYS_waitid, SYS_kill,
    SYS_ppoll, SYS_close, SYS_getpgid, SYS_rt_sigreturn, SYS_exit_group, SYS_exit,   SYS_fstatfs};

constexpr auto compile_init_filter() {
  Filter filter;
  filter.emit(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, audit_arch(native_arch()), 1, 0);
  filter.emit(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  filter.emit(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (const long call : kInitCalls) {
    filter.emit(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1);
    filter.emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  // Internet sockets, for the supervisor's traps.
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(SYS_socket), 0, 4);
  filter.emit(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args));
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0);
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1);
  filter.emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  filter.emit(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
#ifdef SYS_poll
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, SYS_poll, 0, 1);
  filter.emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
#endif
  filter.emit(BPF_RET | BPF_K, kActionDeny);
  return filter;
}

}  // namespace

Result<UniqueFd> install_filter() {
  return install(kNativeFilter.data(), kNativeFilter.size(),
                 SECCOMP_FILTER_FLAG_NEW_LISTENER | kWaitKillable);
}

Result<UniqueFd> install_runtime_filter() {
  return install(kNativeRuntimeFilter.data(), kNativeRuntimeFilter.size(),
                 SECCOMP_FILTER_FLAG_NEW_LISTENER | kWaitKillable);
}

Result<> install_init_filter() {
  static constexpr Filter kFilter = compile_init_filter();
  auto installed = install(kFilter.data(), kFilter.size(), 0);
  if (!installed) return fail(installed.error());
  return {};
}

}  // namespace aispm::sandbox
