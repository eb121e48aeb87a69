// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/semantic_file.hpp"

#include <bit>
#include <cmath>
#include <cstring>

namespace aispm::detect {

namespace {

static_assert(std::endian::native == std::endian::little, "model files are little-endian");

constexpr std::string_view kMagic = "AISPMSEM";
constexpr std::size_t kHead = 16;
constexpr std::size_t kNameBytes = 24;
constexpr std::size_t kEntry = kNameBytes + 16;

std::uint32_t read_u32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Bytes of a section; 0 for a kind that is not known.
std::uint64_t size_of(std::uint32_t kind, std::uint64_t rows, std::uint64_t columns) {
  switch (static_cast<SemanticFile::Kind>(kind)) {
    case SemanticFile::Kind::kBytes:
      return rows == 1 ? columns : 0;
    case SemanticFile::Kind::kFloat:
      return rows * columns * 4;
    case SemanticFile::Kind::kByte:
      return rows * columns;
    case SemanticFile::Kind::kNibble:
      return columns % 2 == 0 ? rows * columns / 2 : 0;
  }
  return 0;
}

tl::unexpected<Error> bad(std::string_view what) {
  return fail(Errc::kInvalid, "semantic model: " + std::string(what));
}

Result<std::vector<float>> floats(const SemanticFile::Section& section, const std::string& name) {
  std::vector<float> values(section.data.size() / sizeof(float));
  std::memcpy(values.data(), section.data.data(), values.size() * sizeof(float));
  for (const float value : values)
    if (!std::isfinite(value)) return bad(name + ": not a number");
  return values;
}

}  // namespace

Result<SemanticFile> SemanticFile::read(std::string_view bytes) {
  if (bytes.size() < kHead || !bytes.starts_with(kMagic)) return bad("not a model file");
  if (read_u32(bytes, 8) != kVersion)
    return bad("version " + std::to_string(read_u32(bytes, 8)) + ", this program reads 1");
  const std::uint32_t count = read_u32(bytes, 12);
  if (count > kMaxSections || bytes.size() < kHead + count * kEntry) return bad("cut short");

  SemanticFile file;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t at = kHead + i * kEntry;
    const std::string_view padded = bytes.substr(at, kNameBytes);
    const std::string name(padded.substr(0, padded.find('\0')));
    const std::uint32_t kind = read_u32(bytes, at + kNameBytes);
    const std::uint32_t rows = read_u32(bytes, at + kNameBytes + 4);
    const std::uint32_t columns = read_u32(bytes, at + kNameBytes + 8);
    const std::uint64_t offset = read_u32(bytes, at + kNameBytes + 12);
    const std::uint64_t size = size_of(kind, rows, columns);
    const bool fits = kind == 0 || (rows <= kMaxRows && columns <= kMaxColumns);
    if (size == 0 || !fits || offset > bytes.size() || size > bytes.size() - offset)
      return bad(name + ": wrong kind or size");
    if (!file.sections_
             .emplace(name,
                      Section{static_cast<Kind>(kind), rows, columns, bytes.substr(offset, size)})
             .second)
      return bad(name + ": twice");
  }
  return file;
}

Result<SemanticFile::Section> SemanticFile::section(const std::string& name, Kind kind) const {
  const auto found = sections_.find(name);
  if (found == sections_.end()) return bad(name + ": missing");
  if (found->second.kind != kind) return bad(name + ": of another kind");
  return found->second;
}

Result<SemanticFile::Section> SemanticFile::section(const std::string& name, Kind kind,
                                                    std::uint32_t rows,
                                                    std::uint32_t columns) const {
  AISPM_TRY(const Section found, section(name, kind));
  if (found.rows != rows || found.columns != columns)
    return bad(name + ": " + std::to_string(found.rows) + " x " + std::to_string(found.columns) +
               ", not " + std::to_string(rows) + " x " + std::to_string(columns));
  return found;
}

Result<std::vector<float>> SemanticFile::numbers(const std::string& name, std::uint32_t rows,
                                                 std::uint32_t columns) const {
  const auto found = sections_.find(name);
  if (found != sections_.end() && found->second.kind == Kind::kByte) {
    AISPM_TRY(const Section bytes, section(name, Kind::kByte, rows, columns));
    AISPM_TRY(const Section scale_data, section(name + ".scale", Kind::kFloat, 1, columns));
    AISPM_TRY(const std::vector<float> scale, floats(scale_data, name + ".scale"));
    std::vector<float> values(bytes.data.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(static_cast<std::int8_t>(bytes.data[i])) * scale[i % columns];
    return values;
  }
  AISPM_TRY(const Section plain, section(name, Kind::kFloat, rows, columns));
  return floats(plain, name);
}

}  // namespace aispm::detect
