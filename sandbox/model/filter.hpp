// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>

// The seccomp filter, compiled by the C++ compiler: a table of rules by system call number becomes
// a binary search over ranges of equal rules (about 130 instructions; a linear filter of the same
// policy takes five times as long to load). Pure: nothing here calls the kernel.
// tests/unit/sandbox/filter_test.cpp compares it with what libseccomp builds.
namespace aispm::sandbox {

enum class Rule : std::uint8_t {
  kNotify,  // refused with EPERM and reported: the default
  kAllow,   //
  kNoSys,   // ENOSYS without a report: probes that every libc or runtime makes and has a fallback
            // for
  kQuietDeny,  // EPERM without a report, for the same reason
  kSocket,     // by family, type and protocol
  kClone,      // no new namespaces
  kIoctl,      // no terminal injection or line discipline
  kPrctl,      // by option
  kPersonality,
  kMemfd,     // only with MFD_NOEXEC_SEAL
  kExecveat,  // not with AT_EMPTY_PATH
  kMode1,     // no setuid or setgid bit in the mode, argument 1
  kMode2,     // the same, argument 2
  kOpen,      // the same where a file may be made: open(path, flags, mode)
  kOpenat,    // openat(folder, path, flags, mode)
  kSend,      // not with MSG_OOB, flags in the fourth argument: on Unix sockets it leads into code
              // that only attacks use (CVE-2025-38236)
  kSendmsg,   // the same, flags in the third
  kRuntimeClone,   // no new user namespace
  kRuntimeSocket,  // as kSocket, and Unix sockets
};

// What gVisor's runtime may do besides: build its own boundary (mounts in a namespace of its own,
// an empty root, fewer capabilities, a filter of its own) and hold the processes whose system calls
// it executes. It is not the agent: to get here, an agent has broken gVisor (ADR 0039).
struct RuntimeCall {
  std::string_view name;
  Rule rule;
};
inline constexpr std::array<RuntimeCall, 14> kRuntimeCalls = {{
    {"capset", Rule::kAllow},
    {"chroot", Rule::kAllow},
    {"clone", Rule::kRuntimeClone},
    {"memfd_create", Rule::kAllow},
    {"mount", Rule::kAllow},
    {"pivot_root", Rule::kAllow},
    {"prctl", Rule::kAllow},
    {"process_vm_readv", Rule::kAllow},
    {"process_vm_writev", Rule::kAllow},
    {"ptrace", Rule::kAllow},
    {"seccomp", Rule::kAllow},
    {"socket", Rule::kRuntimeSocket},
    {"umount2", Rule::kAllow},
    {"unshare", Rule::kRuntimeClone},
}};

// Whose filter it is: the program's itself, or that of gVisor's runtime, which runs the program.
enum class Whom : std::uint8_t { kProgram, kRuntime };
enum class Arch : std::uint8_t { kX86_64, kAarch64 };

struct Syscall {
  std::string_view name;
  int x86_64;
  int aarch64;
  Rule rule;
};

// Not std::array: clang deduces no size beyond 256 elements.
inline constexpr Syscall kSyscalls[] = {
#define AISPM_SYSCALL(name, x86_64, aarch64, rule) Syscall{#name, x86_64, aarch64, Rule::rule},
#include "sandbox/model/syscalls.def"
#undef AISPM_SYSCALL
};

constexpr int number_of(const Syscall& call, Arch arch) {
  return arch == Arch::kX86_64 ? call.x86_64 : call.aarch64;
}
constexpr Rule rule_of(const Syscall& call, Whom whom) {
  if (whom == Whom::kRuntime)
    for (const RuntimeCall& other : kRuntimeCalls)
      if (other.name == call.name) return other.rule;
  return call.rule;
}
constexpr std::uint32_t audit_arch(Arch arch) {
  return arch == Arch::kX86_64 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_AARCH64;
}
constexpr Arch native_arch() {
#if defined(__x86_64__)
  return Arch::kX86_64;
#elif defined(__aarch64__)
  return Arch::kAarch64;
#else
#error "no system call table for this architecture"
#endif
}

inline constexpr std::uint32_t kX32Bit = 0x40000000;
inline constexpr std::uint32_t kNamespaceFlags =
    0x7E020000;                                        // CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
inline constexpr std::uint32_t kNewUser = 0x10000000;  // CLONE_NEWUSER
inline constexpr std::uint32_t kSetIdBits = 06000;
inline constexpr std::uint32_t kMakesFile = 0x400040;  // O_CREAT, __O_TMPFILE
inline constexpr std::uint32_t kOutOfBand = 1;         // MSG_OOB
inline constexpr std::uint32_t kActionNotify = SECCOMP_RET_USER_NOTIF;
inline constexpr std::uint32_t kActionDeny = SECCOMP_RET_ERRNO | EPERM;
inline constexpr std::uint32_t kActionNoSys = SECCOMP_RET_ERRNO | ENOSYS;

// Values of an argument's low 32 bits. The kernel itself takes these arguments as 32-bit, so bits
// above must not change the verdict.
inline constexpr std::array<std::uint32_t, 4> kRefusedIoctls = {
    0x5412 /* TIOCSTI */, 0x541C /* TIOCLINUX */, 0x541D /* TIOCCONS */, 0x5423 /* TIOCSETD */};
inline constexpr std::array<std::uint32_t, 25> kAllowedPrctls = {1 /* SET_PDEATHSIG */,
                                                                 2,
                                                                 3 /* GET_DUMPABLE */,
                                                                 4,
                                                                 7 /* GET_KEEPCAPS */,
                                                                 15 /* SET_NAME */,
                                                                 16,
                                                                 21 /* GET_SECCOMP */,
                                                                 23 /* CAPBSET_READ */,
                                                                 27 /* GET_SECUREBITS */,
                                                                 29 /* SET_TIMERSLACK */,
                                                                 30,
                                                                 36 /* SET_CHILD_SUBREAPER */,
                                                                 37,
                                                                 38 /* SET_NO_NEW_PRIVS */,
                                                                 39,
                                                                 41 /* SET_THP_DISABLE */,
                                                                 42,
                                                                 50 /* SVE_SET_VL */,
                                                                 51,
                                                                 54 /* PAC_RESET_KEYS */,
                                                                 55 /* SET_TAGGED_ADDR_CTRL */,
                                                                 56,
                                                                 65 /* SET_MDWE */,
                                                                 0x53564d41 /* SET_VMA */};

class Filter {
 public:
  static constexpr std::size_t kMaxInstructions = 512;
  constexpr std::size_t size() const { return size_; }
  constexpr const sock_filter* data() const { return code_.data(); }
  constexpr const sock_filter& operator[](std::size_t at) const { return code_[at]; }

  constexpr std::size_t emit(std::uint16_t code, std::uint32_t k, std::uint8_t jt = 0,
                             std::uint8_t jf = 0) {
    code_[size_] = sock_filter{code, jt, jf, k};
    return size_++;
  }
  constexpr void patch(std::size_t at, std::uint8_t jt, std::uint8_t jf) {
    code_[at].jt = jt;
    code_[at].jf = jf;
  }
  // Makes the BPF_JA at `at` go to `target`, which lies after it.
  constexpr void retarget(std::size_t at, std::size_t target) {
    code_[at].k = static_cast<std::uint32_t>(target - at - 1);
  }

 private:
  std::array<sock_filter, kMaxInstructions> code_{};
  std::size_t size_ = 0;
};

namespace filter_detail {

struct Segment {
  std::uint32_t first;  // lowest number of the range
  Rule rule;
};
struct Segments {
  std::array<Segment, 512> items{};
  std::size_t size = 0;
};

constexpr Segments make_segments(Arch arch, Whom whom) {
  std::array<Rule, 1024> rules{};  // zero is kNotify
  for (const Syscall& call : kSyscalls)
    if (const int number = number_of(call, arch); number >= 0)
      rules[static_cast<std::size_t>(number)] = rule_of(call, whom);
  Segments segments;
  for (std::size_t number = 0; number < rules.size(); ++number)
    if (number == 0 || rules[number] != rules[number - 1])
      segments.items[segments.size++] = {static_cast<std::uint32_t>(number), rules[number]};
  return segments;  // the last one reaches up to 2^32 - 1 and is kNotify
}

constexpr void load(Filter& filter, std::size_t offset) {
  filter.emit(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
constexpr void load_low(Filter& filter, std::size_t argument) {
  load(filter,
       offsetof(seccomp_data, args) + argument * 8);  // little endian: the low half comes first
}
constexpr void answer(Filter& filter, std::uint32_t action) {
  filter.emit(BPF_RET | BPF_K, action);
}

// if (accumulator == value) return action;
constexpr void answer_if(Filter& filter, std::uint32_t value, std::uint32_t action) {
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
  answer(filter, action);
}

constexpr void check_socket(Filter& filter, bool with_unix) {
  load_low(filter, 0);
  if (with_unix) answer_if(filter, 1 /* AF_UNIX */, SECCOMP_RET_ALLOW);
  // AF_NETLINK: the route protocol only (getifaddrs; a namespace of its own, without the capability
  // to change it).
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, 16, 0, 3);
  load_low(filter, 2);
  answer_if(filter, 0, SECCOMP_RET_ALLOW);
  load_low(filter, 0);
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, 2 /* AF_INET */, 2, 0);
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, 10 /* AF_INET6 */, 1, 0);
  answer(filter, kActionNotify);
  load_low(filter, 1);
  filter.emit(BPF_ALU | BPF_AND | BPF_K, 0xF);
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, 1 /* SOCK_STREAM */, 2, 0);
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, 2 /* SOCK_DGRAM */, 1, 0);
  answer(filter, kActionNotify);
  load_low(filter, 2);
  answer_if(filter, 0, SECCOMP_RET_ALLOW);
  answer_if(filter, 6 /* TCP */, SECCOMP_RET_ALLOW);
  answer_if(filter, 17 /* UDP */, SECCOMP_RET_ALLOW);
  answer(filter, kActionNotify);
}

// Refuses when any bit of `mask` is set in the low half of an argument.
constexpr void check_no_bits(Filter& filter, std::size_t argument, std::uint32_t mask) {
  load_low(filter, argument);
  filter.emit(BPF_JMP | BPF_JSET | BPF_K, mask, 0, 1);
  answer(filter, kActionNotify);
  answer(filter, SECCOMP_RET_ALLOW);
}

// A mode counts only where a file may be made; elsewhere the register holds anything.
constexpr void check_open(Filter& filter, std::size_t flags) {
  load_low(filter, flags);
  filter.emit(BPF_JMP | BPF_JSET | BPF_K, kMakesFile, 1, 0);
  answer(filter, SECCOMP_RET_ALLOW);
  check_no_bits(filter, flags + 1, kSetIdBits);
}

constexpr void check(Filter& filter, Rule rule) {
  switch (rule) {
    case Rule::kSocket:
      return check_socket(filter, false);
    case Rule::kRuntimeSocket:
      return check_socket(filter, true);
    case Rule::kRuntimeClone:
      return check_no_bits(filter, 0, kNewUser);
    case Rule::kClone:
      return check_no_bits(filter, 0, kNamespaceFlags);
    case Rule::kExecveat:
      return check_no_bits(filter, 4, 0x1000 /* AT_EMPTY_PATH */);
    case Rule::kMode1:
      return check_no_bits(filter, 1, kSetIdBits);
    case Rule::kMode2:
      return check_no_bits(filter, 2, kSetIdBits);
    case Rule::kOpen:
      return check_open(filter, 1);
    case Rule::kOpenat:
      return check_open(filter, 2);
    case Rule::kSend:
      return check_no_bits(filter, 3, kOutOfBand);
    case Rule::kSendmsg:
      return check_no_bits(filter, 2, kOutOfBand);
    case Rule::kIoctl:
      load_low(filter, 1);
      for (const std::uint32_t command : kRefusedIoctls) answer_if(filter, command, kActionNotify);
      return answer(filter, SECCOMP_RET_ALLOW);
    case Rule::kPrctl:
      load_low(filter, 0);
      for (const std::uint32_t option : kAllowedPrctls)
        answer_if(filter, option, SECCOMP_RET_ALLOW);
      return answer(filter, kActionNotify);
    case Rule::kPersonality:
      load_low(filter, 0);
      answer_if(filter, 0, SECCOMP_RET_ALLOW);
      answer_if(filter, 0xFFFFFFFF /* ask */, SECCOMP_RET_ALLOW);
      return answer(filter, kActionNotify);
    case Rule::kMemfd:
      load_low(filter, 1);
      filter.emit(BPF_JMP | BPF_JSET | BPF_K, 8 /* MFD_NOEXEC_SEAL */, 0, 1);
      answer(filter, SECCOMP_RET_ALLOW);
      return answer(filter, kActionNotify);
    case Rule::kAllow:
      return answer(filter, SECCOMP_RET_ALLOW);
    case Rule::kNoSys:
      return answer(filter, kActionNoSys);
    case Rule::kQuietDeny:
      return answer(filter, kActionDeny);
    case Rule::kNotify:
      return answer(filter, kActionNotify);
  }
}

inline constexpr std::size_t kRules = static_cast<std::size_t>(Rule::kRuntimeSocket) + 1;
struct Leaves {
  std::array<std::size_t, 512> jump{};  // instructions that must jump to the check of `rule`
  std::array<Rule, 512> rule{};
  std::size_t size = 0;
};

// One node: the accumulator holds the number, known to lie in segments [low, high).
constexpr void emit_search(Filter& filter, const Segments& segments, std::size_t low,
                           std::size_t high, Leaves& leaves) {
  if (high - low == 1) {
    const Rule rule = segments.items[low].rule;
    if (rule <= Rule::kQuietDeny) return check(filter, rule);
    leaves.jump[leaves.size] = filter.emit(BPF_JMP | BPF_JA, 0);
    leaves.rule[leaves.size++] = rule;
    return;
  }
  const std::size_t middle = low + (high - low) / 2;
  const std::size_t node = filter.emit(BPF_JMP | BPF_JGE | BPF_K, segments.items[middle].first);
  emit_search(filter, segments, low, middle, leaves);
  const std::size_t right = filter.size();
  emit_search(filter, segments, middle, high, leaves);
  filter.patch(node, static_cast<std::uint8_t>(right - node - 1), 0);
}

}  // namespace filter_detail

// The filter for one architecture. A call of another one (i386, x32) is refused and reported
// whatever its number.
constexpr Filter compile_filter(Arch arch, Whom whom = Whom::kProgram) {
  namespace detail = filter_detail;
  Filter filter;
  detail::load(filter, offsetof(seccomp_data, arch));
  filter.emit(BPF_JMP | BPF_JEQ | BPF_K, audit_arch(arch), 1, 0);
  detail::answer(filter, kActionNotify);
  detail::load(filter, offsetof(seccomp_data, nr));
  detail::Leaves leaves;
  const detail::Segments segments = detail::make_segments(arch, whom);
  detail::emit_search(filter, segments, 0, segments.size, leaves);
  for (std::size_t rule = 0; rule < detail::kRules; ++rule) {
    bool emitted = false;
    for (std::size_t leaf = 0; leaf < leaves.size; ++leaf) {
      if (leaves.rule[leaf] != static_cast<Rule>(rule)) continue;
      if (!emitted) {
        const std::size_t target = filter.size();
        detail::check(filter, static_cast<Rule>(rule));
        for (std::size_t other = leaf; other < leaves.size; ++other)
          if (leaves.rule[other] == static_cast<Rule>(rule))
            filter.retarget(leaves.jump[other], target);
        emitted = true;
      }
    }
  }
  return filter;
}

inline constexpr Filter kNativeFilter = compile_filter(native_arch());
inline constexpr Filter kNativeRuntimeFilter = compile_filter(native_arch(), Whom::kRuntime);

}  // namespace aispm::sandbox
