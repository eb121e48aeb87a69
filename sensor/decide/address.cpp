// SPDX-License-Identifier: Apache-2.0
#include "sensor/decide/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace aispm::sensor {
namespace {

std::optional<unsigned> parse_number(std::string_view text, unsigned high) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > high) return std::nullopt;
  return value;
}

Prefix cut_to(Prefix prefix, unsigned bits) {
  prefix.bits = static_cast<std::uint8_t>(bits);
  for (unsigned i = 0; i < prefix.address.size(); ++i) {
    const unsigned kept = std::clamp(static_cast<int>(bits) - static_cast<int>(i * 8), 0, 8);
    prefix.address[i] = static_cast<std::uint8_t>(prefix.address[i] & (0xff00U >> kept));
  }
  return prefix;
}

// ::ffff:192.0.2.1 is 192.0.2.1.
void unmap(Prefix& prefix) {
  static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!prefix.is_v6 || prefix.bits < 96 ||
      std::memcmp(prefix.address.data(), kMapped, sizeof(kMapped)) != 0)
    return;
  std::array<std::uint8_t, 16> v4{};
  std::copy_n(prefix.address.begin() + 12, 4, v4.begin());
  prefix = {false, static_cast<std::uint8_t>(prefix.bits - 96), v4};
}

}  // namespace

Result<Prefix> parse_prefix(const std::string& text) {
  const auto slash = text.find('/');
  const std::string host = text.substr(0, slash);
  Prefix prefix;
  prefix.is_v6 = host.find(':') != std::string::npos;
  if (::inet_pton(prefix.is_v6 ? AF_INET6 : AF_INET, host.c_str(), prefix.address.data()) != 1)
    return fail(Errc::kInvalid, "\"" + text + "\" is no address; allowed: 192.0.2.1, " +
                                    "192.0.2.0/24, 2001:db8::/32");
  const unsigned longest = prefix.is_v6 ? 128 : 32;
  prefix.bits = static_cast<std::uint8_t>(longest);
  if (slash != std::string::npos) {
    const auto bits = parse_number(std::string_view(text).substr(slash + 1), longest);
    if (!bits) return fail(Errc::kInvalid, "\"" + text + "\": the prefix length is wrong");
    if (cut_to(prefix, *bits).address != prefix.address)
      return fail(Errc::kInvalid, "\"" + text + "\": bits beyond the prefix are set");
    prefix.bits = static_cast<std::uint8_t>(*bits);
  }
  unmap(prefix);
  return prefix;
}

Result<ProtectedEndpoint> parse_endpoint(const std::string& text) {
  std::string host = text;
  unsigned port = 0;
  const bool is_bracketed = text.starts_with('[');
  const auto colon = text.rfind(':');
  if (is_bracketed || (colon != std::string::npos && text.find(':') == colon)) {
    const auto close = is_bracketed ? text.find(']') : colon;
    if (close == std::string::npos) return fail(Errc::kInvalid, "\"" + text + "\": no ]");
    host = is_bracketed ? text.substr(1, close - 1) : text.substr(0, colon);
    const std::string_view rest = std::string_view(text).substr(is_bracketed ? close + 1 : colon);
    if (!rest.empty()) {
      const auto number = parse_number(rest.substr(1), 65535);
      if (rest[0] != ':' || !number)
        return fail(Errc::kInvalid, "\"" + text + "\": the port is wrong");
      port = *number;
    }
  }
  AISPM_TRY(const Prefix prefix, parse_prefix(host));
  if (prefix.bits != (prefix.is_v6 ? 128 : 32))
    return fail(Errc::kInvalid, "\"" + text + "\": one address is needed");
  return ProtectedEndpoint{prefix.is_v6, static_cast<std::uint16_t>(port), prefix.address};
}

std::map<Prefix, RuleMask> accumulate(const std::map<Prefix, RuleMask>& exact) {
  std::map<Prefix, RuleMask> all = exact;
  for (auto& [prefix, mask] : all)
    for (unsigned bits = 0; bits < prefix.bits; ++bits)
      if (const auto shorter = exact.find(cut_to(prefix, bits)); shorter != exact.end())
        mask |= shorter->second;
  return all;
}

std::map<std::string, RuleMask> accumulate(const std::map<std::string, RuleMask>& exact) {
  std::map<std::string, RuleMask> all = exact;
  for (auto& [name, mask] : all) {
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
      if (const auto shorter = exact.find(name.substr(dot + 1)); shorter != exact.end())
        mask |= shorter->second;
  }
  return all;
}

bool is_below(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return false;
  return name.size() == suffix.size() || name[name.size() - suffix.size() - 1] == '.';
}

std::string normal_domain(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string normal;
  for (const char c : name) {
    const char lower = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    const bool is_fine = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ||
                         lower == '-' || lower == '.' || lower == '_';
    if (!is_fine) return {};
    normal += lower;
  }
  const bool has_room = normal.size() < AISPM_NAME_BYTES - 1;
  return has_room && !normal.starts_with('.') && normal.find("..") == std::string::npos
             ? normal
             : std::string();
}

}  // namespace aispm::sensor
