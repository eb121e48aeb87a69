// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

// What the check digits of national_id.hpp are computed from.
namespace aispm::detect {

constexpr std::size_t kMaxDigits = 20;

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// Letters and digits of a number as written, upper case; nothing when other signs than the usual
// separators stand in it or it is too long.
class Compact {
 public:
  explicit Compact(std::string_view text) {
    for (const char c : text) {
      if (c == ' ' || c == '-' || c == '.' || c == '/' || c == '+') continue;
      if (size_ == kMaxDigits || (!is_digit(c) && !is_letter(c))) {
        size_ = 0;
        return;
      }
      all_[size_++] = upper(c);
    }
  }
  std::size_t size() const { return size_; }
  char at(std::size_t i) const { return all_[i]; }
  int digit(std::size_t i) const { return all_[i] - '0'; }
  // Value of `count` digits from `from`.
  long long number(std::size_t from, std::size_t count) const {
    long long value = 0;
    for (std::size_t i = from; i < from + count; ++i) value = value * 10 + digit(i);
    return value;
  }
  bool digits(std::size_t from, std::size_t count) const {
    if (from + count > size_) return false;
    for (std::size_t i = from; i < from + count; ++i)
      if (!is_digit(all_[i])) return false;
    return true;
  }
  // Exactly `count` digits that are not all the same.
  bool is_number(std::size_t count) const {
    if (size_ != count || !digits(0, count)) return false;
    for (std::size_t i = 1; i < count; ++i)
      if (all_[i] != all_[0]) return true;
    return false;
  }
  int weighted(std::initializer_list<int> weights, std::size_t from = 0) const {
    int sum = 0;
    for (const int weight : weights) sum += weight * digit(from++);
    return sum;
  }

 private:
  std::array<char, kMaxDigits> all_{};
  std::size_t size_ = 0;
};

inline bool is_luhn(const Compact& number, std::size_t from, std::size_t count, int start = 0) {
  int sum = start;
  for (std::size_t i = 0; i < count; ++i) {
    int digit = number.digit(from + count - 1 - i);
    if (i % 2 == 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 == 0;
}

inline bool is_date(long long month, long long day) {
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

// A modulo-11 check digit where 10 stands for 0.
inline int eleven(int sum) {
  const int rest = sum % 11;
  return rest < 2 ? 0 : 11 - rest;
}

}  // namespace aispm::detect
