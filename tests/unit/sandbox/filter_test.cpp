// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "tests/unit/sandbox/filter_oracle.hpp"

// The filter against an oracle: libseccomp builds a filter of the same policy, both are interpreted
// for every number of every architecture and many arguments, and must agree.
namespace aispm::sandbox {
namespace {

class FilterFor : public testing::TestWithParam<Arch> {
 protected:
  Filter filter_ = compile_filter(GetParam());
  std::uint32_t ours(const seccomp_data& data) const {
    return interpret(filter_.data(), filter_.size(), data);
  }
  int ioctl_number() const {
    for (const Syscall& call : kSyscalls)
      if (call.rule == Rule::kIoctl) return number_of(call, GetParam());
    return -1;
  }
};

// Values that matter for some argument check, each also with high bits that the kernel ignores.
std::vector<std::uint64_t> interesting() {
  std::vector<std::uint64_t> values;
  for (const std::uint64_t low :
       {0ULL,          1ULL,        2ULL,          3ULL,          5ULL,          6ULL,
        8ULL,          10ULL,       15ULL,         16ULL,         17ULL,         38ULL,
        40ULL,         44ULL,       0x1000ULL,     0x5412ULL,     0x80801ULL,    0x80002ULL,
        0x10000000ULL, 0x3d0f00ULL, 0x01200011ULL, 0x7E020000ULL, 0xFFFFFFFFULL, 0x40ULL,
        0x41ULL,       0x410000ULL, 04755ULL,      02000ULL,      0x5413ULL}) {
    values.push_back(low);
    values.push_back(low | 0x100000000ULL);
    values.push_back(low | 0xFFFFFFFF00000000ULL);
  }
  return values;
}

TEST_P(FilterFor, AgreesWithLibseccompOnEveryNumber) {
  const Oracle oracle = build_oracle(GetParam());
  const auto values = interesting();
  std::uint64_t compared = 0;
  for (const std::uint32_t arch :
       {static_cast<std::uint32_t>(AUDIT_ARCH_X86_64), static_cast<std::uint32_t>(AUDIT_ARCH_I386),
        static_cast<std::uint32_t>(AUDIT_ARCH_AARCH64), 0U})
    for (const std::uint32_t bit : {0U, kX32Bit})
      for (int number = 0; number < 1024; ++number) {
        if (number == ioctl_number() || oracle.unknown.contains(number)) continue;
        seccomp_data data =
            make_data(arch, static_cast<std::int64_t>(number | static_cast<int>(bit)));
        for (const std::uint64_t value : values) {
          for (auto& argument : data.args) argument = value;
          ASSERT_EQ(ours(data), interpret(oracle.code.data(), oracle.code.size(), data))
              << arch << " " << data.nr << " " << value;
          ++compared;
        }
      }
  EXPECT_GT(compared, 400'000U);
}

// The filter of gVisor's runtime (SBX-020) is the program's but for what its table names.
TEST_P(FilterFor, TheRuntimesAgreesWithLibseccompToo) {
  const Oracle oracle = build_oracle(GetParam(), Whom::kRuntime);
  const Filter filter = compile_filter(GetParam(), Whom::kRuntime);
  const auto values = interesting();
  for (int number = 0; number < 1024; ++number) {
    if (number == ioctl_number() || oracle.unknown.contains(number)) continue;
    for (const std::uint32_t arch : {audit_arch(GetParam()), std::uint32_t{AUDIT_ARCH_I386}}) {
      seccomp_data data = make_data(arch, number);
      for (const std::uint64_t value : values) {
        for (auto& argument : data.args) argument = value;
        ASSERT_EQ(interpret(filter.data(), filter.size(), data),
                  interpret(oracle.code.data(), oracle.code.size(), data))
            << arch << " " << data.nr << " " << value;
      }
    }
  }
}

TEST_P(FilterFor, TheRuntimeMakesNoUserNamespaceAndReachesNoHypervisor) {
  const Filter filter = compile_filter(GetParam(), Whom::kRuntime);
  std::set<std::string_view> named;
  for (const RuntimeCall& call : kRuntimeCalls) named.insert(call.name);
  EXPECT_EQ(named.size(), kRuntimeCalls.size());
  for (const Syscall& call : kSyscalls) {
    const int number = number_of(call, GetParam());
    seccomp_data data = make_data(audit_arch(GetParam()), number);
    if (named.erase(call.name) != 0) {
      EXPECT_NE(rule_of(call, Whom::kRuntime), call.rule);
    }
    if (number < 0) continue;
    data.args[0] = call.name == "socket" ? 40 /* AF_VSOCK */ : kNewUser;
    for (const std::string_view refused :
         {"socket", "clone", "unshare", "bpf", "perf_event_open", "keyctl", "userfaultfd",
          "io_uring_setup", "init_module", "kexec_load", "setns"}) {
      if (call.name != refused) continue;
      EXPECT_NE(interpret(filter.data(), filter.size(), data), SECCOMP_RET_ALLOW) << call.name;
    }
  }
  EXPECT_TRUE(named.empty()) << *named.begin() << " is no system call";
}

// Where arguments decide, each of them by itself: the others are 0, or all their bits are set.
TEST_P(FilterFor, AgreesWithLibseccompOnEachArgumentByItself) {
  const Oracle oracle = build_oracle(GetParam());
  std::size_t calls = 0;
  for (const Syscall& call : kSyscalls) {
    const int number = number_of(call, GetParam());
    if (call.rule <= Rule::kQuietDeny || call.rule == Rule::kIoctl || number < 0 ||
        oracle.unknown.contains(number))
      continue;
    ++calls;
    seccomp_data data = make_data(audit_arch(GetParam()), number);
    for (const std::uint64_t others : {0ULL, ~0ULL})
      for (auto& argument : data.args) {
        for (auto& other : data.args) other = others;
        for (int bit = -1; bit < 64; ++bit) {
          argument = bit < 0 ? 0 : 1ULL << bit;
          ASSERT_EQ(ours(data), interpret(oracle.code.data(), oracle.code.size(), data))
              << call.name << " " << &argument - data.args << " " << argument;
        }
        for (const std::uint64_t value : interesting()) {
          argument = value;
          ASSERT_EQ(ours(data), interpret(oracle.code.data(), oracle.code.size(), data))
              << call.name << " " << &argument - data.args << " " << value;
        }
      }
  }
  EXPECT_GE(calls, 12U);
}

// One libseccomp filter cannot say "unequal to each of these", but one that refuses them and allows
// the rest can.
TEST_P(FilterFor, AgreesWithLibseccompOnEveryTerminalIoctl) {
  const Context context(seccomp_init(SCMP_ACT_ALLOW), &seccomp_release);
  if (token_of(GetParam()) != seccomp_arch_native()) {
    ASSERT_EQ(seccomp_arch_add(context.get(), token_of(GetParam())), 0);
    ASSERT_EQ(seccomp_arch_remove(context.get(), seccomp_arch_native()), 0);
  }
  for (const std::uint32_t command : kRefusedIoctls) {
    const scmp_arg_cmp equal = masked(1, kLow, command);
    ASSERT_EQ(seccomp_rule_add_array(context.get(), SCMP_ACT_NOTIFY, SCMP_SYS(ioctl), 1, &equal),
              0);
  }
  const auto code = export_bpf(context.get());
  seccomp_data data = make_data(audit_arch(GetParam()), ioctl_number());
  for (std::uint64_t command = 0; command < 0x10000; ++command)
    for (const std::uint64_t high : {0ULL, 1ULL << 32, 1ULL << 63, 0xFFFFFFFFULL << 32}) {
      data.args[1] = command | high;
      ASSERT_EQ(ours(data), interpret(code.data(), code.size(), data)) << command << " " << high;
    }
}

// Calls newer than this libseccomp are unknown to it on the architecture that it does not run on:
// these must do what the table says.
TEST_P(FilterFor, DoesWhatTheTableSaysWhereLibseccompKnowsNoName) {
  const Oracle oracle = build_oracle(GetParam());
  for (const Syscall& call : kSyscalls) {
    const int number = number_of(call, GetParam());
    if (number < 0 || !oracle.unknown.contains(number)) continue;
    const std::uint32_t action = call.rule == Rule::kAllow       ? SECCOMP_RET_ALLOW
                                 : call.rule == Rule::kNoSys     ? kActionNoSys
                                 : call.rule == Rule::kQuietDeny ? kActionDeny
                                                                 : kActionNotify;
    if (call.rule > Rule::kQuietDeny) {
      EXPECT_EQ(call.name, "fchmodat2") << "needs a case of its own here";
      seccomp_data data = make_data(audit_arch(GetParam()), number);
      EXPECT_EQ(ours(data), SECCOMP_RET_ALLOW);
      data.args[2] = kSetIdBits | 1ULL << 40;
      EXPECT_EQ(ours(data), kActionNotify);
      continue;
    }
    EXPECT_EQ(ours(make_data(audit_arch(GetParam()), number)), action) << call.name;
  }
}

// Everything else that the word for the number can hold: beyond the table, negative, the x32 bit
// alone, with every pattern of bits above.
TEST_P(FilterFor, RefusesEveryNumberBeyondTheTable) {
  std::set<int> known;
  for (const Syscall& call : kSyscalls) known.insert(number_of(call, GetParam()));
  for (std::int64_t number = 0; number < 1 << 20; ++number) {
    if (number < 1024 && known.contains(static_cast<int>(number))) continue;
    ASSERT_EQ(ours(make_data(audit_arch(GetParam()), number)), kActionNotify) << number;
  }
  for (int bit = 10; bit < 32; ++bit)
    for (std::int64_t number = 0; number < 1024; ++number)
      ASSERT_EQ(ours(make_data(audit_arch(GetParam()), number | 1LL << bit)), kActionNotify)
          << number << " " << bit;
}

TEST_P(FilterFor, AgreesWithLibseccompOnEverySocketTriple) {
  const Oracle oracle = build_oracle(GetParam());
  int number = -1;
  for (const Syscall& call : kSyscalls)
    if (call.rule == Rule::kSocket) number = number_of(call, GetParam());
  seccomp_data data = make_data(audit_arch(GetParam()), number);
  for (std::uint64_t family = 0; family < 48; ++family)
    for (std::uint64_t type = 0; type < 12; ++type)
      for (const std::uint64_t protocol :
           {0ULL, 1ULL, 6ULL, 9ULL, 17ULL, 132ULL, 136ULL, 255ULL, 262ULL, 0x100000000ULL}) {
        for (const std::uint64_t flags : {0ULL, 0x80800ULL}) {
          data.args[0] = family;
          data.args[1] = type | flags;
          data.args[2] = protocol;
          ASSERT_EQ(ours(data), interpret(oracle.code.data(), oracle.code.size(), data))
              << family << " " << type << " " << protocol;
        }
      }
}

TEST_P(FilterFor, RefusesTerminalIoctlsWhateverTheHighHalf) {
  seccomp_data data = make_data(audit_arch(GetParam()), ioctl_number());
  for (const std::uint64_t high : {0ULL, 1ULL << 32, 0xFFFFFFFFULL << 32}) {
    for (const std::uint32_t command : kRefusedIoctls) {
      data.args[1] = command | high;
      EXPECT_EQ(ours(data), kActionNotify);
    }
    data.args[1] = 0x5413 | high;  // TIOCGWINSZ
    EXPECT_EQ(ours(data), SECCOMP_RET_ALLOW);
  }
}

TEST_P(FilterFor, RefusesForeignArchitecturesX32AndUnknownNumbers) {
  for (const std::int64_t number :
       {0LL, 1LL, 39LL, 59LL, 1000LL, -1LL, 0x40000000LL, 0x40000027LL, 0x7FFFFFFFLL}) {
    EXPECT_EQ(ours(make_data(AUDIT_ARCH_I386, number)), kActionNotify);
    if (number >= 1000 || number < 0) {
      EXPECT_EQ(ours(make_data(audit_arch(GetParam()), number)), kActionNotify) << number;
    }
  }
}

TEST_P(FilterFor, RefusesWhatTheDesignNames) {
  const std::set<std::string_view> refused = {"ptrace",
                                              "process_vm_readv",
                                              "process_vm_writev",
                                              "bpf",
                                              "perf_event_open",
                                              "userfaultfd",
                                              "keyctl",
                                              "add_key",
                                              "mount",
                                              "umount2",
                                              "pivot_root",
                                              "chroot",
                                              "unshare",
                                              "setns",
                                              "fsopen",
                                              "open_tree",
                                              "move_mount",
                                              "seccomp",
                                              "kexec_load",
                                              "init_module",
                                              "name_to_handle_at",
                                              "mknodat",
                                              "pidfd_getfd",
                                              "modify_ldt",
                                              "memfd_secret",
                                              "fanotify_init",
                                              "landlock_restrict_self",
                                              "io_uring_enter",
                                              "reboot",
                                              "settimeofday",
                                              "sethostname",
                                              "kcmp",
                                              "open_by_handle_at"};
  std::size_t seen = 0;
  for (const Syscall& call : kSyscalls) {
    if (!refused.contains(call.name)) continue;
    ++seen;
    const int number = number_of(call, GetParam());
    if (number < 0) continue;
    EXPECT_EQ(ours(make_data(audit_arch(GetParam()), number)), kActionNotify) << call.name;
  }
  EXPECT_EQ(seen, refused.size());
}

INSTANTIATE_TEST_SUITE_P(Architectures, FilterFor, testing::Values(Arch::kX86_64, Arch::kAarch64),
                         [](const auto& parameter) {
                           return parameter.param == Arch::kX86_64 ? "x86_64" : "aarch64";
                         });

TEST(SyscallTable, HasTheNumbersOfLibseccomp) {
  int compared = 0;
  for (const Syscall& call : kSyscalls)
    for (const Arch arch : {Arch::kX86_64, Arch::kAarch64}) {
      const int number =
          seccomp_syscall_resolve_name_arch(token_of(arch), std::string(call.name).c_str());
      if (number == __NR_SCMP_ERROR) continue;  // newer than this libseccomp
      EXPECT_EQ(number_of(call, arch), number < 0 ? -1 : number) << call.name;
      ++compared;
    }
  EXPECT_GT(compared, 600);
}

}  // namespace
}  // namespace aispm::sandbox
