// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <type_traits>

#include "sdk/core/common/result.hpp"

namespace aispm::sensor {

// The bytes of a key or value.
template <typename T>
std::string bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}
template <typename T>
T value_of(const std::string& bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value{};
  std::memcpy(&value, bytes.data(), std::min(sizeof(T), bytes.size()));
  return value;
}

// A table in the kernel whose values start with a mask of rules. What it holds is remembered, so
// that a change costs only its difference. The descriptor belongs to whoever loaded the object.
class KernelMap {
 public:
  using Content = std::map<std::string, std::string>;

  // Reads what is there: a table may have outlived the daemon that filled it.
  static Result<KernelMap> open(int fd, const std::string& name, std::size_t key_bytes,
                                std::size_t value_bytes);

  // Before new rules count: every wanted entry is there and says what it said as well.
  Result<> add(const Content& wanted);
  // After: exactly the wanted entries.
  Result<> finish(const Content& wanted);
  std::size_t size() const { return content_.size(); }

 private:
  KernelMap(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  Result<> write(const std::string& key, const std::string& value);

  int fd_;
  std::string name_;
  Content content_;
};

// Every key of a map, or fewer when it changes meanwhile.
Result<std::map<std::string, std::string>> read_map(int fd, const std::string& name,
                                                    std::size_t key_bytes, std::size_t value_bytes);

}  // namespace aispm::sensor
