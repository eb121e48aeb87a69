// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/go_table.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace aispm::sensor::fingerprint {
namespace {

constexpr std::uint32_t kMagic118 = 0xfffffff0;
constexpr std::uint32_t kMagic120 = 0xfffffff1;
constexpr std::size_t kHeaderBytes = 8 + 8 * 8;
constexpr std::uint64_t kEntryBytes = 8;          // offset of the code, offset of the description
constexpr std::uint64_t kModuleTextOffset = 176;  // of runtime.moduledata.text
constexpr std::uint64_t kMaxFunctionBytes = 1U << 20;
constexpr std::uint64_t kMaxRelocations = 8U << 20;
constexpr std::size_t kBatch = 65536;  // entries read at once

template <typename T>
T load(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

bool is_header(std::span<const std::uint8_t> raw) {
  if (raw.size() < 8) return false;
  const auto magic = load<std::uint32_t>(raw.data());
  return (magic == kMagic118 || magic == kMagic120) && raw[4] == 0 && raw[5] == 0 && raw[6] == 1 &&
         raw[7] == 8;
}

// Functions with a frame begin by comparing the stack pointer (or what it will be) with the
// goroutine's limit: cmp rsp, [r14+16] or lea r12, [rsp-n].
bool begins_as_go(std::span<const std::uint8_t> code) {
  constexpr std::uint8_t kCompare[] = {0x49, 0x3b, 0x66, 0x10};
  constexpr std::uint8_t kLeaNear[] = {0x4c, 0x8d, 0x64, 0x24};
  constexpr std::uint8_t kLeaFar[] = {0x4c, 0x8d, 0xa4, 0x24};
  const auto is = [&](std::span<const std::uint8_t> wanted) {
    return code.size() >= wanted.size() && std::equal(wanted.begin(), wanted.end(), code.begin());
  };
  return is(kCompare) || is(kLeaNear) || is(kLeaFar);
}

}  // namespace

std::optional<GoTable::Header> GoTable::read_header(const ElfView& elf,
                                                    const ElfView::Range& range) {
  const std::vector<std::uint8_t> raw = elf.read(range.address, kHeaderBytes);
  if (raw.size() != kHeaderBytes || !is_header(raw)) return std::nullopt;
  const auto word = [&](std::size_t i) { return load<std::uint64_t>(raw.data() + 8 + 8 * i); };
  const Header header{word(0), word(2), word(3), word(7)};
  const bool fits = header.functions > 0 && header.functions <= kMaxFunctions &&
                    header.names < header.table && header.table < range.size &&
                    header.table - header.names <= kMaxNames &&
                    header.functions * kEntryBytes + 4 <= range.size - header.table;
  if (!fits) return std::nullopt;
  return header;
}

Result<GoTable> GoTable::open(const ElfView& elf) {
  std::vector<ElfView::Range> places;
  for (const std::string_view name : {".gopclntab", ".data.rel.ro.gopclntab"})
    if (const auto section = elf.section(name)) places.push_back(*section);
  if (places.empty() && elf.sections().empty()) {
    // Without section headers: the table lies in constants, aligned.
    for (const std::uint32_t magic : {kMagic120, kMagic118}) {
      std::string needle(8, '\0');
      std::memcpy(needle.data(), &magic, sizeof(magic));
      needle[6] = 1;
      needle[7] = 8;
      for (const std::uint64_t at : elf.find(ElfView::Part::kReadOnly, needle, 64))
        for (const ElfView::Segment& segment : elf.segments())
          if (at % 16 == 0 && at >= segment.address && at - segment.address < segment.size)
            places.push_back({at, segment.size - (at - segment.address)});
    }
  }
  for (const ElfView::Range& place : places)
    if (const auto header = read_header(elf, place)) return GoTable(elf, place, *header);
  if (places.empty() || (elf.sections().empty()))
    return fail(Errc::kNotFound, "no Go function table");
  return fail(Errc::kUnsupported, "a Go function table of an unknown version (before 1.18?)");
}

std::map<std::uint32_t, std::string_view> GoTable::find_names(
    const std::vector<std::string_view>& names) const {
  std::map<std::uint32_t, std::string_view> found;  // offset within the names -> name
  const std::uint64_t size = header_.table - header_.names;
  constexpr std::uint64_t kOverlap = 512;
  for (std::uint64_t at = 0; at < size;) {
    const std::vector<std::uint8_t> window =
        elf_->read(range_.address + header_.names + at,
                   std::min<std::uint64_t>(ElfView::kWindowBytes, size - at));
    if (window.empty()) break;
    for (const std::string_view name : names) {
      std::string needle(1, '\0');
      needle.append(name).push_back('\0');
      const void* hit = ::memmem(window.data(), window.size(), needle.data(), needle.size());
      if (hit == nullptr) continue;
      const auto within =
          static_cast<std::uint64_t>(static_cast<const std::uint8_t*>(hit) - window.data());
      found.emplace(static_cast<std::uint32_t>(at + within + 1), name);
    }
    if (at + window.size() >= size || window.size() <= kOverlap) break;
    at += window.size() - kOverlap;
  }
  return found;
}

std::optional<std::uint64_t> GoTable::text_of_module() const {
  // runtime.moduledata begins with a pointer to this table.
  std::string pointer(sizeof(std::uint64_t), '\0');
  std::memcpy(pointer.data(), &range_.address, sizeof(range_.address));
  for (const ElfView::Segment& segment : elf_->segments()) {
    if (!segment.is_writable || segment.size > kMaxNames) continue;
    for (std::uint64_t at = 0; at < segment.size; at += ElfView::kWindowBytes) {
      const std::vector<std::uint8_t> window =
          elf_->read(segment.address + at, ElfView::kWindowBytes);
      const void* hit = ::memmem(window.data(), window.size(), pointer.data(), pointer.size());
      if (hit == nullptr) continue;
      const auto within =
          static_cast<std::uint64_t>(static_cast<const std::uint8_t*>(hit) - window.data());
      return elf_->read_u64(segment.address + at + within + kModuleTextOffset);
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> GoTable::text_of_relocations() const {
  // In a position-independent program both pointers come by relocations.
  const auto relocations = elf_->section(".rela.dyn");
  if (!relocations || relocations->size / sizeof(Elf64_Rela) > kMaxRelocations) return std::nullopt;
  std::optional<std::uint64_t> module;
  for (const bool finds_text : {false, true}) {
    for (std::uint64_t at = 0; at < relocations->size; at += kBatch * sizeof(Elf64_Rela)) {
      const std::vector<std::uint8_t> raw =
          elf_->read(relocations->address + at,
                     std::min<std::uint64_t>(kBatch * sizeof(Elf64_Rela), relocations->size - at));
      for (std::size_t i = 0; i + sizeof(Elf64_Rela) <= raw.size(); i += sizeof(Elf64_Rela)) {
        const auto one = load<Elf64_Rela>(raw.data() + i);
        if (ELF64_R_TYPE(one.r_info) != R_X86_64_RELATIVE) continue;
        const auto value = static_cast<std::uint64_t>(one.r_addend);
        if (!finds_text && value == range_.address) module = one.r_offset;
        if (finds_text && module && one.r_offset == *module + kModuleTextOffset) return value;
      }
    }
    if (!module) return std::nullopt;
  }
  return std::nullopt;
}

std::vector<std::uint64_t> GoTable::text_candidates() const {
  std::vector<std::uint64_t> candidates;
  const auto add = [&](std::optional<std::uint64_t> address) {
    if (address && *address != 0 && elf_->is_code(*address)) candidates.push_back(*address);
  };
  add(header_.text);
  add(text_of_module());
  add(text_of_relocations());
  if (const auto text = elf_->section(".text")) add(text->address);
  return candidates;
}

Result<std::map<std::string, ElfView::Range, std::less<>>> GoTable::find(
    const std::vector<std::string_view>& names) const {
  std::map<std::string, ElfView::Range, std::less<>> found;
  const auto wanted = find_names(names);
  if (wanted.empty()) return found;
  struct Entry {
    std::string_view name;
    std::uint32_t begin;
    std::uint32_t end;
  };
  std::vector<Entry> entries;
  const std::uint64_t table = range_.address + header_.table;
  for (std::uint64_t first = 0; first < header_.functions; first += kBatch) {
    const std::uint64_t count = std::min<std::uint64_t>(kBatch, header_.functions - first);
    // One more word: where the last function ends.
    const std::vector<std::uint8_t> raw =
        elf_->read(table + first * kEntryBytes, count * kEntryBytes + 4);
    for (std::uint64_t i = 0; (i + 1) * kEntryBytes + 4 <= raw.size(); ++i) {
      const auto begin = load<std::uint32_t>(raw.data() + i * kEntryBytes);
      const auto description = load<std::uint32_t>(raw.data() + i * kEntryBytes + 4);
      const auto end = load<std::uint32_t>(raw.data() + (i + 1) * kEntryBytes);
      // The description: the code's offset again, then the name's.
      const std::vector<std::uint8_t> words = elf_->read(table + description, 8);
      if (words.size() != 8 || load<std::uint32_t>(words.data()) != begin) continue;
      const auto name = wanted.find(load<std::uint32_t>(words.data() + 4));
      if (name != wanted.end() && end > begin && end - begin <= kMaxFunctionBytes)
        entries.push_back({name->second, begin, end});
    }
  }
  for (const std::uint64_t text : text_candidates()) {
    const bool fits = std::all_of(entries.begin(), entries.end(), [&](const Entry& entry) {
      return elf_->is_code(text + entry.begin) && begins_as_go(elf_->read(text + entry.begin, 4));
    });
    if (!fits) continue;
    for (const Entry& entry : entries)
      found.emplace(entry.name, ElfView::Range{text + entry.begin, entry.end - entry.begin});
    return found;
  }
  return fail(Errc::kUnsupported, "the Go functions are not where the table says");
}

}  // namespace aispm::sensor::fingerprint
