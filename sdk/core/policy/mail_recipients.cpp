// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/mail_recipients.hpp"

#include <algorithm>

namespace aispm::policy {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return out;
}

}  // namespace

std::vector<std::string> recipients_of(std::span<const std::string_view> values,
                                       std::size_t most_bytes) {
  std::vector<std::string> found;
  for (std::string_view value : values) {
    if (value.size() > most_bytes) continue;
    while (!value.empty()) {
      const std::size_t end = std::min(value.find_first_of(kAddressBorders), value.size());
      const std::string_view word = value.substr(0, end);
      value.remove_prefix(std::min(end + 1, value.size()));
      if (word.find('@') != std::string_view::npos) found.push_back(lower(word));
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

bool are_all_recipients(std::span<const std::string> addresses,
                        const std::vector<std::string>& recipients) {
  return std::all_of(addresses.begin(), addresses.end(), [&](const std::string& address) {
    return std::binary_search(recipients.begin(), recipients.end(), lower(address));
  });
}

}  // namespace aispm::policy
