// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace aispm::sensor::fingerprint {

// The bytes of a file, wherever they are. A file under analysis belongs to somebody else: it is
// read piece by piece into buffers of ours, never mapped, so that truncating it meanwhile costs a
// short read and not a SIGBUS.
class FileBytes {
 public:
  virtual ~FileBytes() = default;
  // Copies what the file has at `offset`, up to out.size(). Returns the bytes copied; fewer at the
  // end of the file or when it cannot be read.
  virtual std::size_t read(std::uint64_t offset, std::span<std::uint8_t> out) const = 0;
};

// A file that is in memory already. Does not own the bytes.
class MemoryBytes final : public FileBytes {
 public:
  explicit MemoryBytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::size_t read(std::uint64_t offset, std::span<std::uint8_t> out) const override {
    if (offset >= bytes_.size()) return 0;
    const std::size_t size = std::min<std::size_t>(out.size(), bytes_.size() - offset);
    std::memcpy(out.data(), bytes_.data() + offset, size);
    return size;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace aispm::sensor::fingerprint
