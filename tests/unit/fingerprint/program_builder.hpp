// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace aispm::sensor::fingerprint {

// Makes small programs for tests: constants at kData, code at kCode, in a file that is laid out as
// linkers do.
class ProgramBuilder {
 public:
  static constexpr std::uint64_t kData = 0x400000;
  static constexpr std::uint64_t kCode = 0x500000;

  explicit ProgramBuilder(bool is_position_independent = false) : is_pie_(is_position_independent) {
    data_.assign(kHeaders, '\0');  // the file's own headers are mapped with the constants
  }

  // Returns the address of the text.
  std::uint64_t add_text(const std::string& text) {
    const std::uint64_t address = kData + data_.size();
    data_ += text + '\0';
    return address;
  }
  // Raw bytes of the constants, aligned.
  std::uint64_t add_data(const std::string& bytes, std::size_t alignment = 16) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    const std::uint64_t address = kData + data_.size();
    data_ += bytes;
    return address;
  }
  std::uint64_t here() const { return kCode + code_.size(); }
  ProgramBuilder& code(std::initializer_list<int> bytes) {
    for (const int byte : bytes) code_ += static_cast<char>(byte);
    return *this;
  }
  ProgramBuilder& word(std::uint32_t value) {
    for (int i = 0; i < 4; ++i) code_ += static_cast<char>(value >> (8 * i));
    return *this;
  }
  // Pads with int3 to a multiple of 16, as compilers do before functions.
  ProgramBuilder& align() {
    while (code_.size() % 16 != 0 || code_.empty()) code_ += '\xcc';
    return *this;
  }
  ProgramBuilder& call(std::uint64_t target) {
    const auto next = here() + 5;
    return code({0xe8}).word(static_cast<std::uint32_t>(target - next));
  }

  // A section header of type SHT_PROGBITS over constants.
  void add_section(std::string name, std::uint64_t address, std::uint64_t size) {
    sections_.push_back({std::move(name), address, size});
  }

  std::vector<std::uint8_t> build() const {
    std::string file = data_;
    const std::uint64_t code_offset = (file.size() + 0xfff) & ~std::uint64_t{0xfff};
    file.resize(code_offset);
    file += code_;
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = is_pie_ ? ET_DYN : ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_entry = kCode;
    header.e_phoff = sizeof(header);
    header.e_ehsize = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 2;
    const Elf64_Phdr segments[2] = {segment(PF_R, 0, kData, data_.size()),
                                    segment(PF_R | PF_X, code_offset, kCode, code_.size())};
    if (!sections_.empty()) add_section_table(file, header);
    std::memcpy(file.data(), &header, sizeof(header));
    std::memcpy(file.data() + sizeof(header), segments, sizeof(segments));
    return {file.begin(), file.end()};
  }

 private:
  struct Named {
    std::string name;
    std::uint64_t address;
    std::uint64_t size;
  };
  static constexpr std::size_t kHeaders = 256;

  static Elf64_Phdr segment(std::uint32_t flags, std::uint64_t offset, std::uint64_t address,
                            std::uint64_t size) {
    Elf64_Phdr one{};
    one.p_type = PT_LOAD;
    one.p_flags = flags;
    one.p_offset = offset;
    one.p_vaddr = one.p_paddr = address;
    one.p_filesz = one.p_memsz = size;
    one.p_align = 0x1000;
    return one;
  }

  void add_section_table(std::string& file, Elf64_Ehdr& header) const {
    std::string names(1, '\0');
    std::vector<Elf64_Shdr> table(1);
    for (const Named& named : sections_) {
      Elf64_Shdr one{};
      one.sh_name = static_cast<Elf64_Word>(names.size());
      one.sh_type = SHT_PROGBITS;
      one.sh_addr = named.address;
      one.sh_offset = named.address - kData;
      one.sh_size = named.size;
      names += named.name + '\0';
      table.push_back(one);
    }
    Elf64_Shdr strings{};
    strings.sh_name = static_cast<Elf64_Word>(names.size());
    strings.sh_type = SHT_STRTAB;
    names += std::string(".shstrtab") + '\0';
    strings.sh_offset = file.size();
    strings.sh_size = names.size();
    table.push_back(strings);
    file += names;
    header.e_shoff = file.size();
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = static_cast<Elf64_Half>(table.size());
    header.e_shstrndx = static_cast<Elf64_Half>(table.size() - 1);
    file.append(reinterpret_cast<const char*>(table.data()), table.size() * sizeof(Elf64_Shdr));
  }

  bool is_pie_;
  std::string data_;
  std::string code_;
  std::vector<Named> sections_;
};

}  // namespace aispm::sensor::fingerprint
