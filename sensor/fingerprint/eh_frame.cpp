// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/eh_frame.hpp"

#include <elf.h>

#include <cstring>
#include <vector>

namespace aispm::sensor::fingerprint {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kUdata4 = 0x03;
constexpr std::uint8_t kSortedTable = 0x3b;  // relative to .eh_frame_hdr, signed, 4 bytes
constexpr std::uint64_t kTableOffset = 12;
constexpr std::uint64_t kEntryBytes = 8;
constexpr std::uint64_t kMaxEntries = 8U << 20;
constexpr std::uint64_t kMaxFunctionBytes = 4U << 20;

}  // namespace

std::optional<EhFrame> EhFrame::open(const ElfView& elf) {
  const auto segment = elf.special_segment(PT_GNU_EH_FRAME);
  if (!segment) return std::nullopt;
  const std::vector<std::uint8_t> header = elf.read(segment->address, kTableOffset);
  if (header.size() != kTableOffset || header[0] != kVersion || header[2] != kUdata4 ||
      header[3] != kSortedTable)
    return std::nullopt;
  std::uint32_t count = 0;
  std::memcpy(&count, header.data() + 8, sizeof(count));
  if (count == 0 || count > kMaxEntries || kTableOffset + count * kEntryBytes > segment->size)
    return std::nullopt;
  return EhFrame(elf, segment->address, count);
}

std::optional<std::int32_t> EhFrame::field(std::uint64_t index, std::size_t which) const {
  const std::vector<std::uint8_t> raw =
      elf_->read(base_ + kTableOffset + index * kEntryBytes + 4 * which, sizeof(std::int32_t));
  if (raw.size() != sizeof(std::int32_t)) return std::nullopt;
  std::int32_t value = 0;
  std::memcpy(&value, raw.data(), sizeof(value));
  return value;
}

std::optional<ElfView::Range> EhFrame::function_at(std::uint64_t address) const {
  const auto start_of = [&](std::int32_t relative) {
    return base_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(relative));
  };
  std::uint64_t low = 0;
  std::uint64_t high = entries_;  // the last entry at or below `address` is in [low, high)
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto start = field(middle, 0);
    if (!start) return std::nullopt;
    (start_of(*start) <= address ? low : high) = middle;
  }
  const auto start = field(low, 0);
  const auto description = field(low, 1);
  if (!start || !description || start_of(*start) > address) return std::nullopt;
  // FDE: length, distance to its CIE, start relative to this field, length of the function. With
  // the pointer encoding that a sorted 4-byte table comes with.
  const std::vector<std::uint8_t> fde = elf_->read(start_of(*description), 16);
  if (fde.size() != 16) return std::nullopt;
  std::uint32_t words[4];
  std::memcpy(words, fde.data(), sizeof(words));
  const std::uint64_t own_start =
      start_of(*description) + 8 +
      static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(words[2])));
  if (words[0] < 12 || own_start != start_of(*start) || words[3] > kMaxFunctionBytes ||
      address - own_start >= words[3])
    return std::nullopt;
  return ElfView::Range{own_start, words[3]};
}

}  // namespace aispm::sensor::fingerprint
