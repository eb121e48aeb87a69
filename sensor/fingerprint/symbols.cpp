// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/symbols.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace aispm::sensor::fingerprint {
namespace {

constexpr std::size_t kMaxHits = 64;         // names that end alike
constexpr std::size_t kMaxNameBytes = 4096;  // looked back for where a name begins
constexpr std::size_t kSymbolBatch = 16384;

using Names = std::map<std::uint32_t, const std::string*>;  // offset of a name -> its ending

// Offsets in the name table of names that end in `ending`.
void find_names(const ElfView& elf, const ElfView::Section& names, const std::string& ending,
                Names& found) {
  const std::string needle = ending + '\0';
  std::vector<std::uint8_t> window(ElfView::kWindowBytes + kMaxNameBytes);
  for (std::uint64_t at = 0; at < names.size && found.size() < kMaxHits;) {
    const std::uint64_t from = at > kMaxNameBytes ? at - kMaxNameBytes : 0;
    const std::size_t wanted = std::min<std::uint64_t>(window.size(), names.size - from);
    const std::size_t size = elf.read_file(names.offset + from, std::span(window).first(wanted));
    const std::uint8_t* hit = window.data();
    const std::uint8_t* end = window.data() + size;
    while ((hit = static_cast<const std::uint8_t*>(::memmem(
                hit, static_cast<std::size_t>(end - hit), needle.data(), needle.size())))) {
      const std::uint8_t* begin = hit;
      while (begin > window.data() && begin[-1] != 0) --begin;
      if (found.size() < kMaxHits)
        found.emplace(
            static_cast<std::uint32_t>(from + static_cast<std::uint64_t>(begin - window.data())),
            &ending);
      ++hit;
    }
    if (size < wanted || from + size >= names.size) return;
    at = from + size;
  }
}

void find_addresses(const ElfView& elf, const ElfView::Section& table, const Names& names,
                    std::map<std::string, std::vector<std::uint64_t>>& found) {
  const std::uint64_t count = std::min(table.size / sizeof(Elf64_Sym), kMaxSymbols);
  std::vector<std::uint8_t> raw(kSymbolBatch * sizeof(Elf64_Sym));
  for (std::uint64_t first = 0; first < count; first += kSymbolBatch) {
    const std::size_t wanted =
        std::min<std::uint64_t>(kSymbolBatch, count - first) * sizeof(Elf64_Sym);
    const std::size_t size =
        elf.read_file(table.offset + first * sizeof(Elf64_Sym), std::span(raw).first(wanted));
    for (std::size_t at = 0; at + sizeof(Elf64_Sym) <= size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, raw.data() + at, sizeof(symbol));
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      const auto name = names.find(symbol.st_name);
      if (name == names.end() || !elf.is_code(symbol.st_value)) continue;
      auto& addresses = found[*name->second];
      if (std::find(addresses.begin(), addresses.end(), symbol.st_value) == addresses.end())
        addresses.push_back(symbol.st_value);
    }
    if (size < wanted) return;
  }
}

}  // namespace

std::map<std::string, std::vector<std::uint64_t>> find_symbols(
    const ElfView& elf, const std::vector<std::string>& endings) {
  std::map<std::string, std::vector<std::uint64_t>> found;
  for (const ElfView::Section& table : elf.sections()) {
    if (table.type != SHT_SYMTAB && table.type != SHT_DYNSYM) continue;
    if (table.link >= elf.sections().size()) continue;
    const ElfView::Section& strings = elf.sections()[table.link];
    if (strings.type != SHT_STRTAB || strings.size > kMaxSymbolNames) continue;
    Names names;
    for (const std::string& ending : endings) find_names(elf, strings, ending, names);
    if (!names.empty()) find_addresses(elf, table, names, found);
  }
  return found;
}

}  // namespace aispm::sensor::fingerprint
