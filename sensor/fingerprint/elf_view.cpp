// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/elf_view.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace aispm::sensor::fingerprint {

template <typename T>
bool ElfView::read_at(std::uint64_t offset, T& out) const {
  std::uint8_t raw[sizeof(T)];
  if (bytes_->read(offset, raw) != sizeof(T)) return false;
  std::memcpy(&out, raw, sizeof(T));
  return true;
}

Result<ElfView> ElfView::open(const FileBytes& bytes) {
  ElfView view(bytes);
  Elf64_Ehdr header{};
  if (!view.read_at(0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return fail(Errc::kInvalid, "not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64)
    return fail(Errc::kUnsupported, "not an x86-64 ELF file");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMaxSegments)
    return fail(Errc::kInvalid, "ELF file with a strange segment table");
  view.is_position_independent_ = header.e_type == ET_DYN;
  AISPM_CHECK(view.read_segments(header.e_phoff, header.e_phnum));
  if (header.e_shentsize == sizeof(Elf64_Shdr) && header.e_shnum <= kMaxSections)
    view.read_sections(header.e_shoff, header.e_shnum, header.e_shstrndx);
  return view;
}

Result<> ElfView::read_segments(std::uint64_t table, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    Elf64_Phdr segment{};
    if (!read_at(table + i * sizeof(segment), segment))
      return fail(Errc::kInvalid, "ELF file ends within its segment table");
    const bool wraps = segment.p_vaddr + segment.p_filesz < segment.p_vaddr ||
                       segment.p_offset + segment.p_filesz < segment.p_offset;
    if (wraps) return fail(Errc::kInvalid, "ELF file with a segment beyond all addresses");
    if (segment.p_type != PT_LOAD) {
      specials_.push_back({segment.p_type, {segment.p_vaddr, segment.p_filesz}});
      continue;
    }
    segments_.push_back({segment.p_vaddr, segment.p_offset, segment.p_filesz,
                         (segment.p_flags & PF_X) != 0, (segment.p_flags & PF_W) != 0});
  }
  if (std::none_of(segments_.begin(), segments_.end(), [](const auto& one) { return one.is_code; }))
    return fail(Errc::kInvalid, "ELF file without code");
  return {};
}

void ElfView::read_sections(std::uint64_t table, std::size_t count, std::size_t names) {
  std::vector<Elf64_Shdr> headers(count);
  for (std::size_t i = 0; i < count; ++i)
    if (!read_at(table + i * sizeof(Elf64_Shdr), headers[i])) return;
  if (names >= count || headers[names].sh_size > kMaxSectionNames) return;
  std::vector<std::uint8_t> text(headers[names].sh_size);
  text.resize(bytes_->read(headers[names].sh_offset, text));
  for (const Elf64_Shdr& header : headers) {
    std::string name;
    if (header.sh_name < text.size()) {
      const auto from = text.begin() + static_cast<std::ptrdiff_t>(header.sh_name);
      name.assign(from, std::find(from, text.end(), std::uint8_t{0}));
    }
    sections_.push_back({std::move(name), header.sh_type, header.sh_link, header.sh_addr,
                         header.sh_offset, header.sh_size});
  }
}

const ElfView::Segment* ElfView::segment_of(std::uint64_t address) const {
  const auto found = std::find_if(segments_.begin(), segments_.end(), [&](const Segment& one) {
    return address >= one.address && address - one.address < one.size;
  });
  return found == segments_.end() ? nullptr : &*found;
}

std::vector<std::uint8_t> ElfView::read(std::uint64_t address, std::size_t limit_bytes) const {
  const Segment* segment = segment_of(address);
  if (segment == nullptr) return {};
  const std::uint64_t within = address - segment->address;
  std::vector<std::uint8_t> out(std::min<std::uint64_t>(limit_bytes, segment->size - within));
  out.resize(bytes_->read(segment->offset + within, out));
  return out;
}

std::optional<std::uint64_t> ElfView::read_u64(std::uint64_t address) const {
  const std::vector<std::uint8_t> raw = read(address, sizeof(std::uint64_t));
  if (raw.size() != sizeof(std::uint64_t)) return std::nullopt;
  std::uint64_t value = 0;
  std::memcpy(&value, raw.data(), sizeof(value));
  return value;
}

std::optional<ElfView::Range> ElfView::special_segment(std::uint32_t type) const {
  for (const Special& special : specials_)
    if (special.type == type) return special.range;
  return std::nullopt;
}

std::optional<ElfView::Range> ElfView::section(std::string_view name) const {
  for (const Section& section : sections_)
    if (section.name == name && section.address != 0) return Range{section.address, section.size};
  return std::nullopt;
}

bool ElfView::is_code(std::uint64_t address) const {
  const Segment* segment = segment_of(address);
  return segment != nullptr && segment->is_code;
}

std::optional<std::uint64_t> ElfView::file_offset(std::uint64_t address) const {
  const Segment* segment = segment_of(address);
  if (segment == nullptr) return std::nullopt;
  return address - segment->address + segment->offset;
}

bool ElfView::walk(Part part, std::size_t overlap, const Visit& visit) const {
  bool is_whole = true;
  std::uint64_t largest = 0;
  for (const Segment& segment : segments_) largest = std::max(largest, segment.size);
  std::vector<std::uint8_t> window(std::min<std::uint64_t>(kWindowBytes, largest));
  for (const Segment& segment : segments_) {
    if (part == Part::kCode ? !segment.is_code : segment.is_writable) continue;
    if (segment.size > kMaxSegmentBytes) {
      is_whole = false;
      continue;
    }
    for (std::uint64_t at = 0; at < segment.size;) {
      const std::size_t wanted = std::min<std::uint64_t>(window.size(), segment.size - at);
      const std::size_t size =
          bytes_->read(segment.offset + at, std::span(window).subspan(0, wanted));
      if (size > 0 && !visit(segment.address + at, std::span(window).subspan(0, size)))
        return is_whole;
      if (size < wanted) {
        is_whole = false;
        break;
      }
      if (at + size >= segment.size) break;
      at += size - overlap;
    }
  }
  return is_whole;
}

std::vector<std::uint64_t> ElfView::find(Part part, std::string_view needle,
                                         std::size_t limit) const {
  std::vector<std::uint64_t> found;
  if (needle.empty() || needle.size() > kWindowBytes / 4) return found;
  walk(part, needle.size() - 1, [&](std::uint64_t address, std::span<const std::uint8_t> window) {
    const std::uint8_t* at = window.data();
    const std::uint8_t* end = at + window.size();
    while (found.size() < limit) {
      const auto* hit = static_cast<const std::uint8_t*>(
          ::memmem(at, static_cast<std::size_t>(end - at), needle.data(), needle.size()));
      if (hit == nullptr) break;
      found.push_back(address + static_cast<std::uint64_t>(hit - window.data()));
      at = hit + 1;
    }
    return found.size() < limit;
  });
  return found;
}

}  // namespace aispm::sensor::fingerprint
