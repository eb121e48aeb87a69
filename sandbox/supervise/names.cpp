// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/names.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace aispm::sandbox {
namespace {

constexpr std::uint32_t kBase4 = 198U << 24 | 18U << 16;
constexpr std::array<std::uint8_t, 6> kPrefix6 = {0xfd, 0x61, 0x69, 0x73, 0x70, 0x6d};  // "aispm"

std::optional<std::uint32_t> checked(std::uint32_t number) {
  if (number == 0 || number > NameTable::kNumbers) return std::nullopt;
  return number;
}

}  // namespace

Ip4 synthetic_ip4(std::uint32_t number) {
  const std::uint32_t address = kBase4 + number;
  return {static_cast<std::uint8_t>(address >> 24), static_cast<std::uint8_t>(address >> 16),
          static_cast<std::uint8_t>(address >> 8), static_cast<std::uint8_t>(address)};
}

Ip6 synthetic_ip6(std::uint32_t number) {
  Ip6 address{};
  std::copy(kPrefix6.begin(), kPrefix6.end(), address.begin());
  for (std::size_t i = 0; i < 4; ++i)
    address[12 + i] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
  return address;
}

std::optional<std::uint32_t> number_in(const Ip4& address) {
  std::uint32_t value = 0;
  for (const std::uint8_t byte : address) value = value << 8 | byte;
  if (value < kBase4) return std::nullopt;
  return checked(value - kBase4);
}

std::optional<std::uint32_t> number_in(const Ip6& address) {
  if (!std::equal(kPrefix6.begin(), kPrefix6.end(), address.begin())) return std::nullopt;
  for (std::size_t i = kPrefix6.size(); i < 12; ++i)
    if (address[i] != 0) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = 12; i < address.size(); ++i) value = value << 8 | address[i];
  return checked(value);
}

std::uint32_t NameTable::free_number() {
  do last_ = last_ == kNumbers ? 1 : last_ + 1;
  while (by_number_.contains(last_));
  return last_;
}

std::uint32_t NameTable::remember(const std::string& name) {
  if (const auto known = by_name_.find(name); known != by_name_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
    return known->second->number;
  }
  if (by_name_.size() >= kMaxNames) {
    const Entry& oldest = entries_.back();
    by_number_.erase(oldest.number);
    by_name_.erase(oldest.name);
    entries_.pop_back();
  }
  entries_.push_front({name, free_number()});
  by_name_[name] = entries_.begin();
  by_number_[entries_.front().number] = entries_.begin();
  return entries_.front().number;
}

std::string NameTable::find(std::uint32_t number) const {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? "" : found->second->name;
}

std::string NameTable::find_target(std::string_view target) const {
  std::string address(target.substr(0, target.rfind(':')));
  std::optional<std::uint32_t> number;
  if (address.starts_with('[') && address.ends_with(']')) {
    Ip6 bytes{};
    address = address.substr(1, address.size() - 2);
    if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) number = number_in(bytes);
  } else {
    Ip4 bytes{};
    if (::inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) number = number_in(bytes);
  }
  return number ? find(*number) : "";
}

}  // namespace aispm::sandbox
