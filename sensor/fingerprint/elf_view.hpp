// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sensor/fingerprint/file_bytes.hpp"

namespace aispm::sensor::fingerprint {

// An ELF-64 x86-64 file as the kernel maps it. Every field is another user's claim: offsets are
// checked against what can be read, tables have limits.
class ElfView {
 public:
  static constexpr std::size_t kMaxSegments = 128;
  static constexpr std::size_t kMaxSections = 4096;
  static constexpr std::size_t kMaxSectionNames = 1U << 20;      // bytes
  static constexpr std::uint64_t kMaxSegmentBytes = 2ULL << 30;  // of one segment that is searched
  static constexpr std::size_t kWindowBytes = 1U << 20;

  struct Segment {
    std::uint64_t address = 0;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;  // bytes in the file
    bool is_code = false;
    bool is_writable = false;
  };
  struct Range {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
  };
  struct Section {
    std::string name;
    std::uint32_t type = 0;  // SHT_*
    std::uint32_t link = 0;  // index of another section, such as a symbol table's strings
    std::uint64_t address = 0;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };
  enum class Part : std::uint8_t { kCode, kReadOnly };  // kReadOnly: code and constants

  // kUnsupported: an ELF file, but not one for this processor. kInvalid: not an ELF file, or a
  // broken one. `bytes` must outlive the view.
  static Result<ElfView> open(const FileBytes& bytes);

  const std::vector<Segment>& segments() const { return segments_; }
  bool is_position_independent() const { return is_position_independent_; }
  // At most `limit_bytes` at a virtual address, within one segment; empty where none holds it.
  std::vector<std::uint8_t> read(std::uint64_t address, std::size_t limit_bytes) const;
  std::optional<std::uint64_t> read_u64(std::uint64_t address) const;
  // The program header of a type such as PT_GNU_EH_FRAME or PT_DYNAMIC.
  std::optional<Range> special_segment(std::uint32_t type) const;
  // A section by name; files without section headers have none.
  std::optional<Range> section(std::string_view name) const;
  const std::vector<Section>& sections() const { return sections_; }
  // At most out.size() bytes at a file offset; returns how many there are.
  std::size_t read_file(std::uint64_t offset, std::span<std::uint8_t> out) const {
    return bytes_->read(offset, out);
  }
  bool is_code(std::uint64_t address) const;
  std::optional<std::uint64_t> file_offset(std::uint64_t address) const;

  // Walks a part of the file in windows that overlap by `overlap` bytes (below kWindowBytes / 2);
  // `visit` gets the address of the window's first byte and returns false to stop. Memory is one
  // window. Returns false when a segment is above kMaxSegmentBytes and was skipped, or could not
  // be read to its end.
  using Visit = std::function<bool(std::uint64_t address, std::span<const std::uint8_t> window)>;
  bool walk(Part part, std::size_t overlap, const Visit& visit) const;
  // Addresses where `needle` is, at most `limit`.
  std::vector<std::uint64_t> find(Part part, std::string_view needle, std::size_t limit) const;

 private:
  struct Special {
    std::uint32_t type;
    Range range;
  };

  explicit ElfView(const FileBytes& bytes) : bytes_(&bytes) {}
  Result<> read_segments(std::uint64_t table, std::size_t count);
  void read_sections(std::uint64_t table, std::size_t count, std::size_t names);
  const Segment* segment_of(std::uint64_t address) const;
  template <typename T>
  bool read_at(std::uint64_t offset, T& out) const;

  const FileBytes* bytes_;
  bool is_position_independent_ = false;
  std::vector<Segment> segments_;
  std::vector<Special> specials_;
  std::vector<Section> sections_;
};

}  // namespace aispm::sensor::fingerprint
