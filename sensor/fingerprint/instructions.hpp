// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace aispm::sensor::fingerprint {

// What analysis needs to know of one x86-64 instruction.
struct Instruction {
  enum class Kind : std::uint8_t {
    kOther,
    kConstant,  // `reg` becomes `value`: mov imm, xor r,r, lea [rip+d]
    kCopy,      // `reg` becomes what `source` is
    kPush,      // `value` when it pushes a constant
    kPop,       // into `reg`
    kCall,      // direct when `target` is set
    kJump,      // unconditional; direct when `target` is set
    kReturn,
    kTrap,  // int3, ud2, hlt: no way on
  };
  Kind kind = Kind::kOther;
  std::uint8_t length = 0;
  std::uint8_t opcode = 0;
  std::uint16_t writes = 0;  // bit n: general register n (ModRM numbering) is written
  std::uint8_t reg =
      0;  // ModRM number: 0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8 r8 ...
  std::uint8_t source = 0;
  std::optional<std::uint64_t> value;
  std::optional<std::uint64_t> target;
};

// Decodes what is at `address`; nothing when the bytes are no instruction.
std::optional<Instruction> decode_instruction(std::span<const std::uint8_t> bytes,
                                              std::uint64_t address);

// Decodes straight on from `address` until `visit` returns false, the bytes end, or one is no
// instruction. Returns the address where it stopped.
std::uint64_t walk_instructions(
    std::span<const std::uint8_t> bytes, std::uint64_t address,
    const std::function<bool(std::uint64_t address, const Instruction&)>& visit);

// Addresses of the return instructions in a function's bytes, at most `limit`. Nothing when the
// bytes cannot be decoded to the end: a probe in the middle of an instruction would break the
// program.
std::optional<std::vector<std::uint64_t>> find_returns(std::span<const std::uint8_t> function,
                                                       std::uint64_t address, std::size_t limit);

}  // namespace aispm::sensor::fingerprint
