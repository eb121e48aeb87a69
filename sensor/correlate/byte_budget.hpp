// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace aispm::sensor {

// Memory shared by all connections. Not thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}
  std::size_t used() const { return used_; }

 private:
  friend class ByteCharge;
  std::size_t limit_bytes_;
  std::size_t used_ = 0;
};

// One holder's share of a budget; given back on destruction.
class ByteCharge {
 public:
  explicit ByteCharge(ByteBudget& budget) : budget_(budget) {}
  ByteCharge(const ByteCharge&) = delete;
  ByteCharge& operator=(const ByteCharge&) = delete;
  ~ByteCharge() { budget_.used_ -= size_; }

  // Makes this share `size` bytes; false (and no change) when the budget does not allow it.
  [[nodiscard]] bool resize(std::size_t size) {
    if (size > size_ && budget_.limit_bytes_ - budget_.used_ < size - size_) return false;
    budget_.used_ = budget_.used_ - size_ + size;
    size_ = size;
    return true;
  }
  std::size_t size() const { return size_; }

 private:
  ByteBudget& budget_;
  std::size_t size_ = 0;
};

}  // namespace aispm::sensor
