// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// The container of a semantic model: named sections, all numbers little-endian.
//   8 bytes "AISPMSEM", u32 version (1), u32 sections, then a section each:
//   24 bytes name (NUL-padded), u32 kind, u32 rows, u32 columns, u32 offset of its data in the file
// Written by policies/train/semantic_file.py.
namespace aispm::detect {

class SemanticFile {
 public:
  enum class Kind : std::uint32_t {
    kBytes = 0,   // rows = 1, columns = bytes
    kFloat = 1,   // 32-bit
    kByte = 2,    // signed, one scale a column in section "<name>.scale"
    kNibble = 3,  // two a byte, low half first, 8 is zero; one scale a row in "<name>.scale"
  };
  static constexpr std::uint32_t kVersion = 1;
  static constexpr std::uint32_t kMaxSections = 64;
  static constexpr std::uint32_t kMaxRows = 1U << 20;
  static constexpr std::uint32_t kMaxColumns = 1U << 14;

  struct Section {
    Kind kind = Kind::kBytes;
    std::uint32_t rows = 0;
    std::uint32_t columns = 0;
    std::string_view data;
  };

  // Keeps views into `bytes`, which must outlive it. Every section lies within the file.
  static Result<SemanticFile> read(std::string_view bytes);

  // kInvalid when the section is not there or is not of this kind and size.
  Result<Section> section(const std::string& name, Kind kind, std::uint32_t rows,
                          std::uint32_t columns) const;
  // The same with any number of rows (1 to kMaxRows), or of bytes.
  Result<Section> section(const std::string& name, Kind kind) const;
  // Finite 32-bit numbers; of kByte ones each times its column's scale.
  Result<std::vector<float>> numbers(const std::string& name, std::uint32_t rows,
                                     std::uint32_t columns) const;

 private:
  std::map<std::string, Section, std::less<>> sections_;
};

}  // namespace aispm::detect
