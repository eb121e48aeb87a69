// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/policy/action.hpp"

// What a tool call does, told by the words of the tool's name and by its arguments: what the Rego
// modules write_approval, memory, retrieval and egress are asked about. Pure.
namespace aispm::policy {

struct MemoryUse {
  std::string_view operation;  // "read", "write", "delete"
  std::string_view kind;       // "session", "longterm"
};

struct RetrievalUse {
  std::string place;         // namespace, collection, index; "" = the call names none
  std::uint64_t wanted = 1;  // chunks; what cannot be told is more than anybody allows
};

struct ToolUse {
  // Whatever the name does not say only reads. A shell writes.
  bool writes = false;
  std::optional<MemoryUse> memory;
  std::optional<RetrievalUse> retrieval;
  std::vector<std::string> hosts;  // of URLs among the arguments, lower case, each once
  // A URL whose host programs may read differently, a second URL behind the first one, or more
  // hosts than kMaxHosts.
  bool has_unreadable_host = false;

  static constexpr std::size_t kMaxHosts = 16;
};

// `destination`: where the call goes, if known: a URL, a host, be it without a dot ("localhost").
// Only mail addresses and "#channel" name none. `arguments`: null where they could not be read.
ToolUse read_tool_use(std::string_view tool, std::string_view destination,
                      const Arguments* arguments);

}  // namespace aispm::policy
