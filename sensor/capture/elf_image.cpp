// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/elf_image.hpp"

#include <gelf.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_set>

namespace aispm::sensor {

Result<ElfImage> ElfImage::open(int fd) {
  if (::elf_version(EV_CURRENT) == EV_NONE) return fail(Errc::kInternal, "libelf is too old");
  ElfImage image;
  image.fd_ = fd;
  image.elf_.reset(::elf_begin(fd, ELF_C_READ, nullptr));
  GElf_Ehdr header;
  if (!image.elf_ || ::elf_kind(image.elf_.get()) != ELF_K_ELF ||
      ::gelf_getehdr(image.elf_.get(), &header) == nullptr)
    return fail(Errc::kInvalid, "not an ELF file");
  image.is_x86_64_ = header.e_machine == EM_X86_64;
  std::size_t count = 0;
  if (::elf_getphdrnum(image.elf_.get(), &count) != 0)
    return fail(Errc::kInvalid, "ELF file without segments");
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr segment;
    if (::gelf_getphdr(image.elf_.get(), static_cast<int>(i), &segment) == nullptr) break;
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0)
      image.code_.push_back({segment.p_vaddr, segment.p_offset, segment.p_filesz});
  }
  if (image.code_.empty()) return fail(Errc::kInvalid, "ELF file without code");
  return image;
}

std::map<std::string, std::uint64_t, std::less<>> ElfImage::find_functions(
    const std::vector<std::string_view>& names) const {
  std::map<std::string, std::uint64_t, std::less<>> found;
  const std::unordered_set<std::string_view> wanted(names.begin(), names.end());
  for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf_.get(), section)) != nullptr;) {
    GElf_Shdr header;
    if (::gelf_getshdr(section, &header) == nullptr) continue;
    if ((header.sh_type != SHT_DYNSYM && header.sh_type != SHT_SYMTAB) || header.sh_entsize == 0)
      continue;
    Elf_Scn* texts = ::elf_getscn(elf_.get(), header.sh_link);
    GElf_Shdr texts_header;
    if (header.sh_size > kMaxTableBytes || texts == nullptr ||
        ::gelf_getshdr(texts, &texts_header) == nullptr || texts_header.sh_size > kMaxTableBytes)
      continue;
    Elf_Data* data = ::elf_getdata(section, nullptr);
    if (data == nullptr) continue;
    const std::size_t count = std::min<std::size_t>(data->d_size / header.sh_entsize, kMaxSymbols);
    for (std::size_t i = 0; i < count; ++i) {
      GElf_Sym symbol;
      if (::gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) break;
      if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      const char* name = ::elf_strptr(elf_.get(), header.sh_link, symbol.st_name);
      if (name != nullptr && wanted.contains(name)) found.emplace(name, symbol.st_value);
    }
  }
  return found;
}

const ElfImage::Segment* ElfImage::segment_of(std::uint64_t address) const {
  const auto segment = std::find_if(code_.begin(), code_.end(), [&](const Segment& candidate) {
    return address >= candidate.address && address - candidate.address < candidate.size;
  });
  return segment == code_.end() ? nullptr : &*segment;
}

std::optional<std::uint64_t> ElfImage::file_offset(std::uint64_t address) const {
  const Segment* segment = segment_of(address);
  if (segment == nullptr) return std::nullopt;
  return address - segment->address + segment->offset;
}

std::size_t ElfImage::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset > INT64_MAX - into.size()) return 0;
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t size =
        ::pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (size <= 0) break;
    done += static_cast<std::size_t>(size);
  }
  return done;
}

std::string ElfImage::code_at(std::uint64_t address, std::size_t limit_bytes) const {
  const Segment* segment = segment_of(address);
  if (segment == nullptr) return "";
  const std::uint64_t within = address - segment->address;
  std::string code(std::min<std::uint64_t>(limit_bytes, segment->size - within), '\0');
  const ssize_t size =
      ::pread(fd_, code.data(), code.size(), static_cast<off_t>(segment->offset + within));
  code.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return code;
}

}  // namespace aispm::sensor
