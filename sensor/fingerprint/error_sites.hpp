// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sensor/fingerprint/code_scan.hpp"
#include "sensor/fingerprint/elf_view.hpp"
#include "sensor/fingerprint/pack.hpp"

namespace aispm::sensor::fingerprint {

// A place in code where a library reports an error of its own.
struct ErrorSite {
  std::uint64_t address = 0;
  std::uint32_t reason = 0;
  std::uint32_t line = 0;
  std::optional<std::uint64_t> function;  // where the function around it begins
};

// Follows the code around a reference to a source file's name to the error function's call and
// reads the constants it is given. Nothing when it is no such call. What is set before the
// reference counts where `function`, the start of the function around it, is known.
std::optional<ErrorSite> read_error_site(const ElfView& elf, const Reference& reference,
                                         const ErrorPack& pack,
                                         std::optional<std::uint64_t> function);

// A function of a pack in one program, or why it is not known there.
struct FoundFunction {
  const FunctionRule* rule = nullptr;
  std::uint64_t address = 0;  // 0 = not found
  std::string reason;
};

// Matches the rules of a pack against all its error sites in a program. A function counts as found
// only when exactly one place fits.
std::vector<FoundFunction> match_functions(const ErrorPack& pack,
                                           const std::vector<ErrorSite>& sites);

}  // namespace aispm::sensor::fingerprint
