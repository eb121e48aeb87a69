// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aispm::policy {

// What stands between the words of a mail's recipients: "Bob <bob@a.example>, eve@a.example".
inline constexpr std::string_view kAddressBorders = ",; \t\r\n<>\"()";

// The addresses to which these values would send a mail: lower case, sorted, each once. Values
// longer than `most_bytes` are left out.
std::vector<std::string> recipients_of(std::span<const std::string_view> values,
                                       std::size_t most_bytes);

// Whether each address, in letters of any case, is one of those. Callers choose how many there are
// of both: each is looked up once.
bool are_all_recipients(std::span<const std::string> addresses,
                        const std::vector<std::string>& recipients);

}  // namespace aispm::policy
