// SPDX-License-Identifier: Apache-2.0
#include "sandbox/model/filter.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include "sdk/core/common/unique_fd.hpp"

// The filter against an oracle: libseccomp builds a filter of the same policy, both are interpreted
// for every number of every architecture and many arguments, and must agree.
namespace aispm::sandbox {
namespace {

// Classic BPF as seccomp runs it (kernel/seccomp.c, net/core/filter.c). Fails the test on a jump
// out of the program.
std::uint32_t interpret(const sock_filter* code, std::size_t size, const seccomp_data& data) {
  std::uint32_t a = 0;
  std::uint32_t x = 0;
  std::uint32_t memory[16] = {};
  for (std::size_t pc = 0; pc < size; ++pc) {
    const sock_filter& step = code[pc];
    const bool uses_x = BPF_SRC(step.code) == BPF_X;
    const std::uint32_t operand = uses_x ? x : step.k;
    switch (BPF_CLASS(step.code)) {
      case BPF_LD:
        if (BPF_MODE(step.code) == BPF_MEM)
          a = memory[step.k];
        else if (BPF_MODE(step.code) == BPF_IMM)
          a = step.k;
        else if (step.k + 4 <= sizeof(data))
          std::memcpy(&a, reinterpret_cast<const char*>(&data) + step.k, 4);
        break;
      case BPF_LDX:
        x = BPF_MODE(step.code) == BPF_MEM ? memory[step.k] : step.k;
        break;
      case BPF_ST:
        memory[step.k] = a;
        break;
      case BPF_STX:
        memory[step.k] = x;
        break;
      case BPF_ALU:
        if (BPF_OP(step.code) == BPF_AND) a &= operand;
        if (BPF_OP(step.code) == BPF_OR) a |= operand;
        if (BPF_OP(step.code) == BPF_RSH) a >>= operand;
        break;
      case BPF_JMP: {
        bool taken = false;
        if (BPF_OP(step.code) == BPF_JA) {
          pc += step.k;
          break;
        }
        if (BPF_OP(step.code) == BPF_JEQ) taken = a == operand;
        if (BPF_OP(step.code) == BPF_JGT) taken = a > operand;
        if (BPF_OP(step.code) == BPF_JGE) taken = a >= operand;
        if (BPF_OP(step.code) == BPF_JSET) taken = (a & operand) != 0;
        pc += taken ? step.jt : step.jf;
        break;
      }
      case BPF_MISC:
        if (BPF_MISCOP(step.code) == BPF_TAX) x = a;
        if (BPF_MISCOP(step.code) == BPF_TXA) a = x;
        break;
      case BPF_RET:
        return BPF_RVAL(step.code) == BPF_A ? a : step.k;
      default:
        break;
    }
  }
  ADD_FAILURE() << "the program runs past its end";
  return 0;
}

using Context = std::unique_ptr<void, decltype(&seccomp_release)>;

std::uint32_t token_of(Arch arch) {
  return arch == Arch::kX86_64 ? SCMP_ARCH_X86_64 : SCMP_ARCH_AARCH64;
}

scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}
constexpr std::uint64_t kLow = 0xFFFFFFFF;

// The same policy in libseccomp's words.
void add_rules(scmp_filter_ctx context, const Syscall& call, int number) {
  const auto allow = [&](std::vector<scmp_arg_cmp> arguments) {
    const int result = seccomp_rule_add_array(
        context, SCMP_ACT_ALLOW, number, static_cast<unsigned>(arguments.size()), arguments.data());
    EXPECT_EQ(result, 0) << call.name << ": " << std::strerror(-result);
  };
  switch (call.rule) {
    case Rule::kNotify:
      return;
    case Rule::kAllow:
      return allow({});
    case Rule::kNoSys:
      EXPECT_EQ(seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), number, 0), 0) << call.name;
      return;
    case Rule::kQuietDeny:
      EXPECT_EQ(seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 0), 0) << call.name;
      return;
    case Rule::kSocket:
      for (const std::uint64_t family : {2, 10})
        for (const std::uint64_t type : {1, 2})
          for (const std::uint64_t protocol : {0, 6, 17})
            allow({masked(0, kLow, family), masked(1, 0xF, type), masked(2, kLow, protocol)});
      return allow({masked(0, kLow, 16), masked(2, kLow, 0)});
    case Rule::kClone:
      return allow({masked(0, kNamespaceFlags, 0)});
    case Rule::kExecveat:
      return allow({masked(4, 0x1000, 0)});
    case Rule::kMode1:
      return allow({masked(1, kSetIdBits, 0)});
    case Rule::kMode2:
      return allow({masked(2, kSetIdBits, 0)});
    case Rule::kOpen:
      allow({masked(1, kMakesFile, 0)});
      return allow({masked(2, kSetIdBits, 0)});
    case Rule::kOpenat:
      allow({masked(2, kMakesFile, 0)});
      return allow({masked(3, kSetIdBits, 0)});
    case Rule::kSend:
      return allow({masked(3, kOutOfBand, 0)});
    case Rule::kSendmsg:
      return allow({masked(2, kOutOfBand, 0)});
    case Rule::kMemfd:
      return allow({masked(1, 8, 8)});
    case Rule::kPersonality:
      allow({masked(0, kLow, 0)});
      return allow({masked(0, kLow, kLow)});
    case Rule::kPrctl:
      for (const std::uint64_t option : kAllowedPrctls) allow({masked(0, kLow, option)});
      return;
    case Rule::kIoctl:
      return;  // "not equal" for several values cannot be said in one libseccomp filter: checked by
               // itself below
  }
}

std::vector<sock_filter> export_bpf(scmp_filter_ctx context) {
  UniqueFd file(::memfd_create("oracle", MFD_CLOEXEC));
  EXPECT_EQ(seccomp_export_bpf(context, file.get()), 0);
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  std::vector<sock_filter> code(static_cast<std::size_t>(size) / sizeof(sock_filter));
  EXPECT_EQ(::pread(file.get(), code.data(), static_cast<std::size_t>(size), 0), size);
  return code;
}

struct Oracle {
  std::vector<sock_filter> code;
  std::set<int> unknown;  // numbers that this libseccomp cannot express for a foreign architecture
};

Oracle build_oracle(Arch arch) {
  const Context context(seccomp_init(SCMP_ACT_NOTIFY), &seccomp_release);
  EXPECT_EQ(seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_NOTIFY), 0);
  if (token_of(arch) != seccomp_arch_native()) {
    EXPECT_EQ(seccomp_arch_add(context.get(), token_of(arch)), 0);
    EXPECT_EQ(seccomp_arch_remove(context.get(), seccomp_arch_native()), 0);
  }
  Oracle oracle;
  for (const Syscall& call : kSyscalls) {
    const int number = number_of(call, arch);
    if (number < 0) continue;
    // Rules take the native number and are translated by name.
    const int named = seccomp_syscall_resolve_name(std::string(call.name).c_str());
    if (named == __NR_SCMP_ERROR) {
      if (arch == native_arch())
        add_rules(context.get(), call, number);
      else
        oracle.unknown.insert(number);
      continue;
    }
    add_rules(context.get(), call, named);
  }
  oracle.code = export_bpf(context.get());
  return oracle;
}

seccomp_data make_data(std::uint32_t arch, std::int64_t number) {
  seccomp_data data{};
  data.arch = arch;
  data.nr = static_cast<int>(number);
  return data;
}

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
