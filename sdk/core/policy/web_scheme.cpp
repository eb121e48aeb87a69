// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/web_scheme.hpp"

#include <algorithm>
#include <array>

namespace aispm::policy {
namespace {

constexpr std::array<std::string_view, 6> kWebSchemes = {"http", "https", "ws",
                                                         "wss",  "ftp",   "ftps"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

bool is_web_scheme(std::string_view name) {
  return std::any_of(kWebSchemes.begin(), kWebSchemes.end(), [&](std::string_view scheme) {
    return std::equal(scheme.begin(), scheme.end(), name.begin(), name.end(),
                      [](char want, char have) { return want == lower(have); });
  });
}

}  // namespace aispm::policy
