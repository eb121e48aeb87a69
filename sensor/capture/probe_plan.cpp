// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/probe_plan.hpp"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxCodeBytes =
    96;  // a prologue is shorter; so is a function that only passes on

struct Instruction {
  ZydisDecodedInstruction decoded;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;

  std::span<const ZydisDecodedOperand> all() const {
    return {operands.data(), decoded.operand_count};
  }

  bool writes(ZydisRegister wanted) const {
    return std::any_of(all().begin(), all().end(), [&](const ZydisDecodedOperand& operand) {
      return operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
             (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0 &&
             ::ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand.reg.value) ==
                 wanted;
    });
  }
  bool writes_any(std::initializer_list<ZydisRegister> registers) const {
    return std::any_of(registers.begin(), registers.end(),
                       [&](ZydisRegister one) { return writes(one); });
  }
  bool is_relative_call() const {
    return decoded.mnemonic == ZYDIS_MNEMONIC_CALL && decoded.opcode == 0xe8;
  }
  bool leaves() const {
    const auto category = decoded.meta.category;
    return category == ZYDIS_CATEGORY_CALL || category == ZYDIS_CATEGORY_RET ||
           category == ZYDIS_CATEGORY_COND_BR || category == ZYDIS_CATEGORY_UNCOND_BR;
  }
};

// What branch_setup_xol_ops() and push_setup_xol_ops() in arch/x86/kernel/uprobes.c take; the same
// from 4.x to 6.18.
bool is_emulated(const Instruction& instruction) {
  const ZydisDecodedInstruction& decoded = instruction.decoded;
  if ((decoded.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0) return false;
  if (decoded.opcode_map == ZYDIS_OPCODE_MAP_0F)
    return decoded.opcode >= 0x80 && decoded.opcode <= 0x8f;
  if (decoded.opcode_map != ZYDIS_OPCODE_MAP_DEFAULT) return false;
  const std::uint8_t opcode = decoded.opcode;
  const bool is_push = opcode >= 0x50 && opcode <= 0x57 && decoded.length <= 2;
  const bool is_short_branch =
      (opcode >= 0x70 && opcode <= 0x7f) || opcode == 0xeb || opcode == 0xe9;
  const bool is_nop =
      decoded.mnemonic == ZYDIS_MNEMONIC_NOP && opcode == 0x90 && decoded.length == 1;
  return is_push || is_short_branch || is_nop;
}

// Walks straight down from `function` until `visit` returns false or nothing more can be decoded.
void walk(const CodeAt& code, std::uint64_t function,
          const std::function<bool(std::uint64_t address, const Instruction&)>& visit) {
  if (!code) return;
  const std::string bytes = code(function, kMaxCodeBytes);
  ZydisDecoder decoder;
  ::ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  for (std::size_t at = 0; at < bytes.size();) {
    Instruction instruction{};
    if (!ZYAN_SUCCESS(::ZydisDecoderDecodeFull(&decoder, bytes.data() + at, bytes.size() - at,
                                               &instruction.decoded, instruction.operands.data())))
      return;
    if (!visit(function + at, instruction)) return;
    at += instruction.decoded.length;
  }
}

// Both callers of `_ex` and plain kind end in one function of the library's own, which has the
// `_ex` signature.
std::optional<std::uint64_t> shared_callee(const Functions& functions, const CodeAt& code,
                                           std::string_view plain, std::string_view ex) {
  const auto plain_at = functions.find(plain);
  const auto ex_at = functions.find(ex);
  if (plain_at == functions.end() || ex_at == functions.end()) return std::nullopt;
  const auto callee = callee_with_same_arguments(code, ex_at->second);
  if (!callee) return std::nullopt;
  bool is_shared = false;
  walk(code, plain_at->second, [&](std::uint64_t address, const Instruction& instruction) {
    if (instruction.writes_any({ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI})) return false;
    if (!instruction.is_relative_call()) return true;
    is_shared = address + instruction.decoded.length +
                    static_cast<std::uint64_t>(instruction.operands[0].imm.value.s) ==
                *callee;
    return false;
  });
  return is_shared ? callee : std::nullopt;
}

}  // namespace

const std::vector<std::string_view>& tls_function_names() {
  static const std::vector<std::string_view> names{"SSL_read",     "SSL_write",     "SSL_read_ex",
                                                   "SSL_write_ex", "SSL_write_ex2", "SSL_clear",
                                                   "SSL_shutdown", "SSL_free",      "SSL_sendfile"};
  return names;
}

ProbePoint cheapest_point(const CodeAt& code, std::uint64_t function) {
  ProbePoint point;
  point.address = function;
  walk(code, function, [&](std::uint64_t address, const Instruction& instruction) {
    if (is_emulated(instruction)) {
      point.address = address;
      point.is_emulated = true;
      return false;
    }
    return !instruction.leaves() &&
           !instruction.writes_any({ZYDIS_REGISTER_RSP, ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI,
                                    ZYDIS_REGISTER_RDX, ZYDIS_REGISTER_RCX});
  });
  return point;
}

std::optional<std::uint64_t> callee_with_same_arguments(const CodeAt& code,
                                                        std::uint64_t function) {
  std::optional<std::uint64_t> callee;
  walk(code, function, [&](std::uint64_t address, const Instruction& instruction) {
    if (instruction.is_relative_call()) {
      callee = address + instruction.decoded.length +
               static_cast<std::uint64_t>(instruction.operands[0].imm.value.s);
      return false;
    }
    return !instruction.leaves() &&
           !instruction.writes_any({ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDX,
                                    ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_R8});
  });
  return callee;
}

std::vector<ProbePoint> make_probe_plan(const Functions& functions, const CodeAt& code) {
  std::vector<ProbePoint> plan;
  const auto add = [&](TlsHook hook, std::string function, std::uint64_t address) {
    ProbePoint point = cheapest_point(code, address);
    point.hook = hook;
    point.function = std::move(function);
    plan.push_back(std::move(point));
  };
  const auto add_pair = [&](std::string_view plain, TlsHook plain_hook, std::string_view ex,
                            TlsHook ex_hook) {
    if (const auto callee = shared_callee(functions, code, plain, ex)) {
      add(ex_hook, "callee of " + std::string(plain) + " and " + std::string(ex), *callee);
      return;
    }
    if (const auto at = functions.find(plain); at != functions.end())
      add(plain_hook, std::string(plain), at->second);
    if (const auto at = functions.find(ex); at != functions.end())
      add(ex_hook, std::string(ex), at->second);
  };
  add_pair("SSL_read", TlsHook::kRead, "SSL_read_ex", TlsHook::kReadEx);
  add_pair("SSL_write", TlsHook::kWrite, "SSL_write_ex", TlsHook::kWriteEx);
  if (plan.empty()) return plan;  // not a TLS library
  constexpr std::pair<const char*, TlsHook> kOthers[] = {{"SSL_clear", TlsHook::kClear},
                                                         {"SSL_shutdown", TlsHook::kClose},
                                                         {"SSL_free", TlsHook::kClose},
                                                         {"SSL_sendfile", TlsHook::kSendFile},
                                                         {"SSL_write_ex2", TlsHook::kWriteEx2}};
  for (const auto& [name, hook] : kOthers)
    if (const auto at = functions.find(name); at != functions.end()) add(hook, name, at->second);
  return plan;
}

}  // namespace aispm::sensor
