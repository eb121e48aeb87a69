// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/code_scan.hpp"

#include <algorithm>
#include <cstring>

#include "sensor/fingerprint/instructions.hpp"

namespace aispm::sensor::fingerprint {
namespace {

constexpr std::size_t kLongestHit = 7;  // bytes of `lea r64, [rip + d32]`

template <typename T>
T load(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

bool has(std::span<const std::uint64_t> sorted, std::uint64_t value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

// `lea r64, [rip + d32]`: 48 or 4c, 8d, ModRM with mode 0 and base 5.
void find_lea(std::uint64_t address, std::span<const std::uint8_t> window,
              std::span<const std::uint64_t> targets, std::vector<Reference>& found) {
  const std::uint8_t* from = window.data();
  const std::uint8_t* end = from + window.size();
  for (const std::uint8_t* at = from + 1; at + 6 <= end; ++at) {
    at =
        static_cast<const std::uint8_t*>(std::memchr(at, 0x8d, static_cast<std::size_t>(end - at)));
    if (at == nullptr || at + 6 > end) return;
    if ((at[-1] & 0xfb) != 0x48 || (at[1] & 0xc7) != 0x05) continue;
    const std::uint64_t here = address + static_cast<std::uint64_t>(at - 1 - from);
    const std::uint64_t target =
        here + kLongestHit + static_cast<std::uint64_t>(std::int64_t{load<std::int32_t>(at + 2)});
    if (has(targets, target)) found.push_back({here, target});
  }
}

// `mov r32, imm32`: b8 + register. Only files that are not position-independent hold such
// addresses.
void find_mov(std::uint64_t address, std::span<const std::uint8_t> window, std::uint64_t target,
              std::vector<Reference>& found) {
  if (target > UINT32_MAX) return;
  const auto wanted = static_cast<std::uint32_t>(target);
  std::span<const std::uint8_t> rest = window;
  while (const void* hit = ::memmem(rest.data(), rest.size(), &wanted, sizeof(wanted))) {
    const auto* at = static_cast<const std::uint8_t*>(hit);
    if (at > window.data() && (at[-1] & 0xf8) == 0xb8)
      found.push_back({address + static_cast<std::uint64_t>(at - 1 - window.data()), target});
    rest = window.subspan(static_cast<std::size_t>(at + 1 - window.data()));
  }
}

// What can stand before a function: padding, or an instruction that does not go on.
bool ends_a_function(std::span<const std::uint8_t> before) {
  if (before.size() < 5) return true;  // nothing is before it
  const std::uint8_t* end = before.data() + before.size();
  const bool pads = end[-1] == 0xcc || end[-1] == 0x90;
  const bool returns = end[-1] == 0xc3 || end[-1] == 0xf4 || (end[-2] == 0x0f && end[-1] == 0x0b);
  const bool jumps = end[-5] == 0xe9 || end[-2] == 0xeb;
  const bool calls = end[-5] == 0xe8;  // of a function that does not return
  return pads || returns || jumps || calls;
}

bool is_usual_first(std::span<const std::uint8_t> code) {
  if (code.size() < 4) return false;
  const bool pushes = (code[0] & 0xf8) == 0x50 || (code[0] == 0x41 && (code[1] & 0xf8) == 0x50);
  const bool reserves = code[0] == 0x48 && (code[1] == 0x83 || code[1] == 0x81) && code[2] == 0xec;
  const bool lands = code[0] == 0xf3 && code[1] == 0x0f && code[2] == 0x1e && code[3] == 0xfa;
  return pushes || reserves || lands;
}

}  // namespace

std::vector<Reference> find_references(const ElfView& elf, std::span<const std::uint64_t> targets,
                                       std::size_t limit) {
  std::vector<std::uint64_t> sorted(targets.begin(), targets.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<Reference> found;
  if (sorted.empty()) return found;
  elf.walk(ElfView::Part::kCode, kLongestHit - 1,
           [&](std::uint64_t address, std::span<const std::uint8_t> window) {
             find_lea(address, window, sorted, found);
             if (!elf.is_position_independent())
               for (const std::uint64_t target : sorted) find_mov(address, window, target, found);
             return found.size() <= limit;
           });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());  // windows overlap
  if (found.size() > limit) found.resize(limit);
  return found;
}

FunctionFinder::FunctionFinder(const ElfView& elf, std::span<const std::uint64_t> addresses)
    : elf_(&elf), unwind_(EhFrame::open(elf)) {
  std::vector<std::uint64_t> unknown;  // the unwind tables say nothing of them
  for (const std::uint64_t address : addresses)
    if (!unwind_ || !unwind_->function_at(address)) unknown.push_back(address);
  if (unknown.empty()) return;
  std::sort(unknown.begin(), unknown.end());
  const std::uint64_t low = unknown.front() - std::min(unknown.front(), kMaxBodyBytes);
  const auto is_near = [&](std::uint64_t target) {
    const auto next = std::lower_bound(unknown.begin(), unknown.end(), target);
    return next != unknown.end() && *next - target <= kMaxBodyBytes;
  };
  elf.walk(ElfView::Part::kCode, 4,
           [&](std::uint64_t address, std::span<const std::uint8_t> window) {
             const std::uint8_t* end = window.data() + window.size();
             for (const std::uint8_t* at = window.data(); at + 5 <= end; ++at) {
               at = static_cast<const std::uint8_t*>(
                   std::memchr(at, 0xe8, static_cast<std::size_t>(end - at)));
               if (at == nullptr || at + 5 > end) break;
               const std::uint64_t target =
                   address + static_cast<std::uint64_t>(at - window.data()) + 5 +
                   static_cast<std::uint64_t>(std::int64_t{load<std::int32_t>(at + 1)});
               if (target >= low && target <= unknown.back() && is_near(target))
                 called_.push_back(target);
             }
             return called_.size() < kMaxCallTargets;
           });
  std::sort(called_.begin(), called_.end());
}

bool FunctionFinder::begins_here(std::uint64_t start, bool is_called) const {
  const std::vector<std::uint8_t> before = elf_->read(start - std::min<std::uint64_t>(start, 5), 5);
  const bool is_aligned = start % 16 == 0;
  const bool is_usual = is_usual_first(elf_->read(start, 4));
  if (is_called) return (before.size() == 5 && ends_a_function(before)) || (is_aligned && is_usual);
  // Not called directly, only by pointer: then alignment padding is what shows it.
  return is_aligned && is_usual && before.size() == 5 && before.back() == 0xcc;
}

bool FunctionFinder::leads_to(std::uint64_t start, std::uint64_t address) const {
  const std::vector<std::uint8_t> body = elf_->read(start, address - start + 1);
  const std::uint64_t end =
      walk_instructions(body, start, [&](std::uint64_t at, const Instruction& one) {
        // int3 pads between functions.
        return at < address && !(one.kind == Instruction::Kind::kTrap && one.opcode == 0xcc);
      });
  return end == address;
}

std::optional<std::uint64_t> FunctionFinder::start_of(std::uint64_t address) const {
  if (unwind_)
    if (const auto function = unwind_->function_at(address)) return function->address;
  for (std::uint64_t back = 0; back <= std::min(address, kMaxBodyBytes); ++back) {
    const std::uint64_t start = address - back;
    const bool is_called = has(called_, start);
    if (!is_called && start % 16 != 0) continue;
    if (elf_->is_code(start) && begins_here(start, is_called) && leads_to(start, address))
      return start;
  }
  return std::nullopt;
}

}  // namespace aispm::sensor::fingerprint
