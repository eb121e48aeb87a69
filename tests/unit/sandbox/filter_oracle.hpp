// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sandbox/model/filter.hpp"
#include "sdk/core/common/unique_fd.hpp"

// The filter's oracle: libseccomp's filter of the same policy, and what runs either.
namespace aispm::sandbox {

// Classic BPF as seccomp runs it (kernel/seccomp.c, net/core/filter.c). Fails the test on a jump
// out of the program.
inline std::uint32_t interpret(const sock_filter* code, std::size_t size,
                               const seccomp_data& data) {
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

inline std::uint32_t token_of(Arch arch) {
  return arch == Arch::kX86_64 ? SCMP_ARCH_X86_64 : SCMP_ARCH_AARCH64;
}

inline scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}
inline constexpr std::uint64_t kLow = 0xFFFFFFFF;

// The same policy in libseccomp's words.
inline void add_rules(scmp_filter_ctx context, const Syscall& call, Rule rule, int number) {
  const auto allow = [&](std::vector<scmp_arg_cmp> arguments) {
    const int result = seccomp_rule_add_array(
        context, SCMP_ACT_ALLOW, number, static_cast<unsigned>(arguments.size()), arguments.data());
    EXPECT_EQ(result, 0) << call.name << ": " << std::strerror(-result);
  };
  switch (rule) {
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
    case Rule::kRuntimeSocket:
      allow({masked(0, kLow, 1)});
      [[fallthrough]];
    case Rule::kSocket:
      for (const std::uint64_t family : {2, 10})
        for (const std::uint64_t type : {1, 2})
          for (const std::uint64_t protocol : {0, 6, 17})
            allow({masked(0, kLow, family), masked(1, 0xF, type), masked(2, kLow, protocol)});
      return allow({masked(0, kLow, 16), masked(2, kLow, 0)});
    case Rule::kClone:
      return allow({masked(0, kNamespaceFlags, 0)});
    case Rule::kRuntimeClone:
      return allow({masked(0, kNewUser, 0)});
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

inline std::vector<sock_filter> export_bpf(scmp_filter_ctx context) {
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

inline Oracle build_oracle(Arch arch, Whom whom = Whom::kProgram) {
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
        add_rules(context.get(), call, rule_of(call, whom), number);
      else
        oracle.unknown.insert(number);
      continue;
    }
    add_rules(context.get(), call, rule_of(call, whom), named);
  }
  oracle.code = export_bpf(context.get());
  return oracle;
}

inline seccomp_data make_data(std::uint32_t arch, std::int64_t number) {
  seccomp_data data{};
  data.arch = arch;
  data.nr = static_cast<int>(number);
  return data;
}

}  // namespace aispm::sandbox
