// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/query.hpp"

#include <charconv>

namespace aispm::gateway {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> decode_percent(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return fail(Errc::kInvalid, "a % without two hex digits in the query");
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> read_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (query.starts_with('?')) query.remove_prefix(1);
  if (query.size() > kMaxQueryBytes)
    return fail(Errc::kInvalid, "the query is longer than 2048 bytes");
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    std::string name(pair.substr(0, equals));
    AISPM_TRY(std::string value, decode_percent(pair.substr(std::min(equals + 1, pair.size()))));
    if (value.size() > kMaxQueryValueBytes)
      return fail(Errc::kInvalid, name.substr(0, 32) + ": longer than 256 bytes");
    pairs.emplace_back(std::move(name), std::move(value));
  }
  return pairs;
}

Result<std::uint64_t> read_query_number(const std::string& name, std::string_view value,
                                        std::uint64_t high) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number > high)
    return fail(Errc::kInvalid, name + ": a whole number from 0 to " + std::to_string(high));
  return number;
}

}  // namespace aispm::gateway
