// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sensor/fingerprint/eh_frame.hpp"
#include "sensor/fingerprint/elf_view.hpp"

namespace aispm::sensor::fingerprint {

// One instruction that loads an address: `lea r64, [rip + d]` or `mov r32, imm32`.
struct Reference {
  std::uint64_t address = 0;  // of the instruction
  std::uint64_t target = 0;
  auto operator<=>(const Reference&) const = default;
};

// References to any of `targets` in all code, in order of address, at most `limit`.
std::vector<Reference> find_references(const ElfView& elf, std::span<const std::uint64_t> targets,
                                       std::size_t limit);

// Finds where the functions around some addresses begin: by the unwind tables; where those are
// stripped, by what the code itself calls. Makes one pass over all code for all addresses.
class FunctionFinder {
 public:
  static constexpr std::uint64_t kMaxBodyBytes = 8192;   // looked back without unwind tables
  static constexpr std::size_t kMaxCallTargets = 65536;  // in all places of interest

  FunctionFinder(const ElfView& elf, std::span<const std::uint64_t> addresses);
  // The first byte of the function that holds `address`, one of those given at the start.
  std::optional<std::uint64_t> start_of(std::uint64_t address) const;

 private:
  bool begins_here(std::uint64_t start, bool is_called) const;
  bool leads_to(std::uint64_t start, std::uint64_t address) const;

  const ElfView* elf_;
  std::optional<EhFrame> unwind_;
  std::vector<std::uint64_t> called_;  // sorted; only within kMaxBodyBytes before an address
};

}  // namespace aispm::sensor::fingerprint
