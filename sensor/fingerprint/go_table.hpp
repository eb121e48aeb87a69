// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sensor/fingerprint/elf_view.hpp"

namespace aispm::sensor::fingerprint {

// The function table (pclntab) that a Go program carries for its own runtime, stripped or not.
// Knows the layouts of Go 1.18 and later, that is all with register calls and generics.
// Source: debug/gosym/pclntab.go and runtime/symtab.go of the Go distribution.
class GoTable {
 public:
  static constexpr std::uint64_t kMaxFunctions = 4U << 20;
  static constexpr std::uint64_t kMaxNames = 512U << 20;  // bytes of names

  // kNotFound: not a Go program. kUnsupported or kInvalid: one whose table cannot be used.
  static Result<GoTable> open(const ElfView& elf);

  // The code of functions by their full name; absent ones are left out.
  Result<std::map<std::string, ElfView::Range, std::less<>>> find(
      const std::vector<std::string_view>& names) const;

 private:
  struct Header {
    std::uint64_t functions = 0;
    std::uint64_t text = 0;   // 0 since Go 1.26: the table does not say
    std::uint64_t names = 0;  // offsets from the table's start
    std::uint64_t table = 0;
  };

  GoTable(const ElfView& elf, ElfView::Range range, const Header& header)
      : elf_(&elf), range_(range), header_(header) {}
  static std::optional<Header> read_header(const ElfView& elf, const ElfView::Range& range);
  std::map<std::uint32_t, std::string_view> find_names(
      const std::vector<std::string_view>& names) const;
  // Candidates for the address that the table's offsets count from, most trusted first.
  std::vector<std::uint64_t> text_candidates() const;
  std::optional<std::uint64_t> text_of_module() const;
  std::optional<std::uint64_t> text_of_relocations() const;

  const ElfView* elf_;
  ElfView::Range range_;
  Header header_;
};

}  // namespace aispm::sensor::fingerprint
