// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/instructions.hpp"

#include <Zydis/Zydis.h>

#include <array>

namespace aispm::sensor::fingerprint {
namespace {

using Operands = std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT>;

// ModRM number of the 64-bit register around `reg`, or -1.
int number_of(ZydisRegister reg) {
  const ZydisRegister wide = ::ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  return ::ZydisRegisterGetClass(wide) == ZYDIS_REGCLASS_GPR64 ? ::ZydisRegisterGetId(wide) : -1;
}

std::uint16_t written_registers(const ZydisDecodedInstruction& decoded, const Operands& operands) {
  std::uint16_t mask = 0;
  for (std::size_t i = 0; i < decoded.operand_count; ++i) {
    const ZydisDecodedOperand& operand = operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER ||
        (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0)
      continue;
    if (const int number = number_of(operand.reg.value); number >= 0)
      mask = static_cast<std::uint16_t>(mask | (1U << number));
  }
  return mask;
}

bool is_register(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && number_of(operand.reg.value) >= 0;
}

bool is_immediate(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

// Moves that make a register a constant.
void note_constant(const ZydisDecodedInstruction& decoded, const Operands& operands,
                   std::uint64_t address, Instruction& out) {
  if (decoded.operand_count < 2 || !is_register(operands[0])) return;
  switch (decoded.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
      if (is_immediate(operands[1])) out.value = operands[1].imm.value.u;
      if (!is_register(operands[1])) break;
      out.kind = Instruction::Kind::kCopy;
      out.reg = static_cast<std::uint8_t>(number_of(operands[0].reg.value));
      out.source = static_cast<std::uint8_t>(number_of(operands[1].reg.value));
      break;
    case ZYDIS_MNEMONIC_XOR:
      if (is_register(operands[1]) && operands[0].reg.value == operands[1].reg.value) out.value = 0;
      break;
    case ZYDIS_MNEMONIC_LEA:
      if (operands[1].mem.base == ZYDIS_REGISTER_RIP)
        out.value =
            address + decoded.length + static_cast<std::uint64_t>(operands[1].mem.disp.value);
      break;
    default:
      break;
  }
  if (!out.value) return;
  out.kind = Instruction::Kind::kConstant;
  out.reg = static_cast<std::uint8_t>(number_of(operands[0].reg.value));
}

void note_branch(const ZydisDecodedInstruction& decoded, const Operands& operands,
                 std::uint64_t address, Instruction& out) {
  if (decoded.operand_count == 0 || !is_immediate(operands[0])) return;
  out.target = address + decoded.length + static_cast<std::uint64_t>(operands[0].imm.value.s);
}

Instruction classify(const ZydisDecodedInstruction& decoded, const Operands& operands,
                     std::uint64_t address) {
  Instruction out;
  out.length = decoded.length;
  out.opcode = decoded.opcode;
  out.writes = written_registers(decoded, operands);
  switch (decoded.mnemonic) {
    case ZYDIS_MNEMONIC_CALL:
      out.kind = Instruction::Kind::kCall;
      note_branch(decoded, operands, address, out);
      break;
    case ZYDIS_MNEMONIC_JMP:
      out.kind = Instruction::Kind::kJump;
      note_branch(decoded, operands, address, out);
      break;
    case ZYDIS_MNEMONIC_RET:
      out.kind = Instruction::Kind::kReturn;
      break;
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_HLT:
      out.kind = Instruction::Kind::kTrap;
      break;
    case ZYDIS_MNEMONIC_PUSH:
      out.kind = Instruction::Kind::kPush;
      if (is_immediate(operands[0])) out.value = operands[0].imm.value.u;
      break;
    case ZYDIS_MNEMONIC_POP:
      if (!is_register(operands[0])) break;
      out.kind = Instruction::Kind::kPop;
      out.reg = static_cast<std::uint8_t>(number_of(operands[0].reg.value));
      break;
    default:
      note_constant(decoded, operands, address, out);
      break;
  }
  return out;
}

}  // namespace

std::optional<Instruction> decode_instruction(std::span<const std::uint8_t> bytes,
                                              std::uint64_t address) {
  ZydisDecoder decoder;
  ::ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisDecodedInstruction decoded;
  Operands operands;
  if (!ZYAN_SUCCESS(::ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &decoded,
                                             operands.data())))
    return std::nullopt;
  return classify(decoded, operands, address);
}

std::uint64_t walk_instructions(
    std::span<const std::uint8_t> bytes, std::uint64_t address,
    const std::function<bool(std::uint64_t address, const Instruction&)>& visit) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto instruction = decode_instruction(bytes.subspan(at), address + at);
    if (!instruction || !visit(address + at, *instruction)) break;
    at += instruction->length;
  }
  return address + at;
}

std::optional<std::vector<std::uint64_t>> find_returns(std::span<const std::uint8_t> function,
                                                       std::uint64_t address, std::size_t limit) {
  std::vector<std::uint64_t> returns;
  const std::uint64_t end =
      walk_instructions(function, address, [&](std::uint64_t at, const Instruction& one) {
        if (one.kind == Instruction::Kind::kReturn) returns.push_back(at);
        return returns.size() <= limit;
      });
  if (end != address + function.size() || returns.size() > limit) return std::nullopt;
  return returns;
}

}  // namespace aispm::sensor::fingerprint
