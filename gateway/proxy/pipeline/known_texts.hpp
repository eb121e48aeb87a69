// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace aispm::gateway {

// Texts in which nothing at all was found, by the rules of one book. Agents send their whole
// conversation with every step, so nearly all of it was judged before. Remembers 64-bit keyed
// hashes (SipHash-1-3, key of this object), so nobody can make a text that passes for another; what
// is forgotten is judged again. 128 KB, made with the first text; not thread-safe.
class KnownTexts {
 public:
  static constexpr std::size_t kEntries = 16'384;

  // Where a text is, or would be, kept.
  struct Place {
    std::uint64_t key = 0;  // 0: nothing is kept about this text
    bool is_known = false;
  };

  KnownTexts();

  Place place_of(std::uint64_t tag, std::string_view text) const {
    const std::uint64_t key = key_of(tag, text);
    return {key, contains(key)};
  }
  // `tag` tells apart what is judged differently, such as surfaces. Never 0.
  std::uint64_t key_of(std::uint64_t tag, std::string_view text) const;
  bool contains(std::uint64_t key) const {
    return !slots_.empty() && slots_[key % kEntries] == key;
  }
  void add(std::uint64_t key) {
    if (slots_.empty()) slots_.resize(kEntries);
    slots_[key % kEntries] = key;
  }

 private:
  std::uint64_t key_[2];
  std::vector<std::uint64_t> slots_;
};

}  // namespace aispm::gateway
