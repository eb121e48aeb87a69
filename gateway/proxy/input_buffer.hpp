// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace aispm::gateway {

// Bytes read and not used yet, contiguous. Grows only as asked; what was used is given back for
// free. Not thread-safe.
class InputBuffer {
 public:
  static constexpr std::size_t kInitialBytes = 2U << 10;  // a short message, with its head
  static constexpr std::size_t kIdleBytes = 16U << 10;    // kept between messages
  static constexpr std::size_t kPageBytes = 4U << 10;

  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  // Room for at least `least` more bytes; moves what is held if need be, so views die.
  std::span<char> prepare(std::size_t least) {
    if (capacity_ - end_ < least) make_room(least);
    return {data_.get() + end_, capacity_ - end_};
  }
  void commit(std::size_t size) { end_ += size; }
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
    commit(bytes.size());
  }
  void consume(std::size_t size) {
    begin_ += size;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Nothing is held: gives a buffer of more than `kept` bytes back.
  void relax(std::size_t kept = kIdleBytes) {
    if (!empty() || capacity_ <= kept) return;
    data_.reset();
    capacity_ = begin_ = end_ = 0;
  }

 private:
  void make_room(std::size_t least) {
    const std::size_t held = size();
    if (capacity_ >= held + least) {
      std::memmove(data_.get(), data_.get() + begin_, held);
    } else {
      // Doubled, so that what grows bit by bit is not copied each time; what is known to come gets
      // just the room that it needs.
      std::size_t wanted = std::max(kInitialBytes, 2 * capacity_);
      if (wanted < held + least) wanted = (held + least + kPageBytes - 1) / kPageBytes * kPageBytes;
      auto larger = std::make_unique_for_overwrite<char[]>(wanted);
      if (held > 0) std::memcpy(larger.get(), data_.get() + begin_, held);
      data_ = std::move(larger);
      capacity_ = wanted;
    }
    begin_ = 0;
    end_ = held;
  }

  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace aispm::gateway
