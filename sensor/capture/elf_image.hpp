// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/result.hpp"

struct Elf;
extern "C" int elf_end(Elf* elf);

namespace aispm::sensor {

// The functions and the code of one ELF file. The file is another user's and is not trusted:
// offsets are checked, tables have limits, and it is read and never mapped, since its owner may cut
// it meanwhile. Does not own the descriptor, which must outlive it.
class ElfImage {
 public:
  static constexpr std::size_t kMaxSymbols = 4U << 20;
  static constexpr std::size_t kMaxTableBytes = 192U << 20;  // a larger symbol table is passed over

  static Result<ElfImage> open(int fd);

  bool is_x86_64() const { return is_x86_64_; }
  // Addresses of functions among `names` that the dynamic or the static symbol table defines.
  std::map<std::string, std::uint64_t, std::less<>> find_functions(
      const std::vector<std::string_view>& names) const;
  // At most `limit_bytes` of code at a virtual address; empty when no executable segment holds it.
  std::string code_at(std::uint64_t address, std::size_t limit_bytes) const;
  // Fills `into` from a file offset; returns how much there was.
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> into) const;
  std::optional<std::uint64_t> file_offset(std::uint64_t address) const;

 private:
  struct Segment {
    std::uint64_t address;
    std::uint64_t offset;
    std::uint64_t size;
  };

  ElfImage() = default;
  const Segment* segment_of(std::uint64_t address) const;

  int fd_ = -1;
  bool is_x86_64_ = false;
  CPtr<Elf, elf_end> elf_;
  std::vector<Segment> code_;
};

}  // namespace aispm::sensor
