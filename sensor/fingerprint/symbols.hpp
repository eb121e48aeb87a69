// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sensor/fingerprint/elf_view.hpp"

namespace aispm::sensor::fingerprint {

constexpr std::uint64_t kMaxSymbols = 8U << 20;
constexpr std::uint64_t kMaxSymbolNames = 1ULL << 30;  // bytes of one table of names

// Functions whose names end in one of `endings` (build tools put prefixes before names, as
// aws-lc's do), by ending. The names are searched and the symbols read piece by piece.
std::map<std::string, std::vector<std::uint64_t>> find_symbols(
    const ElfView& elf, const std::vector<std::string>& endings);

}  // namespace aispm::sensor::fingerprint
