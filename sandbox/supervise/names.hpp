// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace aispm::sandbox {

// The synthetic addresses that stand for names inside: 198.18.0.0/15 (RFC 2544, no host's own) and
// fd61:6973:706d::/48 (RFC 4193). A name has one number, and so one address of each family, for as
// long as it is among the last kMaxNames that were asked for. Numbers are taken in turn, so that a
// name that was forgotten is not soon mistaken for another. Not thread-safe.
class NameTable {
 public:
  static constexpr std::size_t kMaxNames = 4096;
  static constexpr std::uint32_t kNumbers = (1U << 17) - 2;  // 198.18.0.1 to 198.19.255.254

  // The number of `name`, from 1 on. Knows it from now on.
  std::uint32_t remember(const std::string& name);
  // Empty when the number stands for no name (any more).
  std::string find(std::uint32_t number) const;
  // The name behind "198.18.0.7:443" or "[fd61:6973:706d::7]:443"; empty when there is none.
  std::string find_target(std::string_view target) const;
  std::size_t size() const { return by_name_.size(); }

 private:
  struct Entry {
    std::string name;
    std::uint32_t number;
  };
  std::uint32_t free_number();

  std::list<Entry> entries_;  // the one asked for last is first
  std::map<std::string, std::list<Entry>::iterator, std::less<>> by_name_;
  std::map<std::uint32_t, std::list<Entry>::iterator> by_number_;
  std::uint32_t last_ = 0;
};

using Ip4 = std::array<std::uint8_t, 4>;
using Ip6 = std::array<std::uint8_t, 16>;

Ip4 synthetic_ip4(std::uint32_t number);
Ip6 synthetic_ip6(std::uint32_t number);
// The number in a synthetic address; nothing for every other address.
std::optional<std::uint32_t> number_in(const Ip4& address);
std::optional<std::uint32_t> number_in(const Ip6& address);

}  // namespace aispm::sandbox
