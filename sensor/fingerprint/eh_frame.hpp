// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "sensor/fingerprint/elf_view.hpp"

namespace aispm::sensor::fingerprint {

// Where functions begin and end according to the unwind tables, which survive stripping.
// Reads the sorted table of .eh_frame_hdr (the encoding that all linkers write) by bisection, so
// the size of the file does not matter. Source: Linux Standard Base, "Exception Frames".
class EhFrame {
 public:
  // Empty where the file has no such table or another encoding.
  static std::optional<EhFrame> open(const ElfView& elf);

  // The function that holds `address`, if the tables say so.
  std::optional<ElfView::Range> function_at(std::uint64_t address) const;

 private:
  EhFrame(const ElfView& elf, std::uint64_t base, std::uint64_t entries)
      : elf_(&elf), base_(base), entries_(entries) {}
  std::optional<std::int32_t> field(std::uint64_t index, std::size_t which) const;

  const ElfView* elf_;
  std::uint64_t base_;  // address of .eh_frame_hdr, which the table's numbers are relative to
  std::uint64_t entries_;
};

}  // namespace aispm::sensor::fingerprint
