// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/unit/fingerprint/program_builder.hpp"

namespace aispm::sensor::fingerprint {

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

struct GoFunctionCode {
  std::string name;
  std::string code;
};

inline const std::string kPrologue("\x49\x3b\x66\x10", 4);  // cmp rsp, [r14+16]

// A Go program as the linker of 1.20 and later makes it; `text` 0 is what 1.26 writes.
inline std::vector<std::uint8_t> make_go(const std::vector<GoFunctionCode>& functions,
                                         bool names_text, bool has_sections,
                                         std::uint32_t magic = 0xfffffff1) {
  ProgramBuilder program;
  std::string names(1, '\0');
  std::vector<std::uint32_t> name_at;
  std::vector<std::uint32_t> code_at;
  for (const GoFunctionCode& one : functions) {
    name_at.push_back(static_cast<std::uint32_t>(names.size()));
    names += one.name + '\0';
    program.align();
    code_at.push_back(static_cast<std::uint32_t>(program.here() - ProgramBuilder::kCode));
    for (const char byte : one.code) program.code({static_cast<unsigned char>(byte)});
  }
  const auto end = static_cast<std::uint32_t>(program.here() - ProgramBuilder::kCode);
  const std::uint64_t header = 72;
  const std::uint64_t table = (header + names.size() + 7) / 8 * 8;
  std::string bytes;
  put(bytes, magic);
  bytes += std::string("\0\0\1\x08", 4);
  put<std::uint64_t>(bytes, functions.size());
  put<std::uint64_t>(bytes, 0);
  put<std::uint64_t>(bytes, names_text ? ProgramBuilder::kCode : 0);
  put<std::uint64_t>(bytes, header);
  for (int i = 0; i < 3; ++i) put<std::uint64_t>(bytes, header);
  put<std::uint64_t>(bytes, table);
  bytes += names;
  bytes.resize(table);
  const auto description = static_cast<std::uint32_t>(8 * functions.size() + 8);
  for (std::size_t i = 0; i < functions.size(); ++i) {
    put(bytes, code_at[i]);
    put(bytes, description + static_cast<std::uint32_t>(8 * i));
  }
  put(bytes, end);
  put<std::uint32_t>(bytes, 0);
  for (std::size_t i = 0; i < functions.size(); ++i) {
    put(bytes, code_at[i]);
    put(bytes, name_at[i]);
  }
  const std::uint64_t at = program.add_data(bytes);
  if (has_sections) {
    program.add_section(".gopclntab", at, bytes.size());
    program.add_section(".text", ProgramBuilder::kCode, end);
  }
  return program.build();
}

// Where the code begins in a file of ProgramBuilder.
inline std::size_t code_offset(const std::vector<std::uint8_t>& file) {
  Elf64_Phdr code;
  std::memcpy(&code, file.data() + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr), sizeof(code));
  return code.p_offset;
}

}  // namespace aispm::sensor::fingerprint
