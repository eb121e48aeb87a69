// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/secret.hpp"
#include "sensor/classify/config_value.hpp"
#include "sensor/classify/signatures.hpp"

// MCP servers in the configuration files of agents and editors. Pure.
namespace aispm::sensor {

// A secret that stands in a configuration file: never its value.
struct McpCredential {
  std::string name;  // of the variable or header
  std::string hash;  // keyed; empty without a key
  bool operator==(const McpCredential&) const = default;
};

struct McpServerEntry {
  std::string name;               // as the user calls it
  std::vector<std::string> argv;  // stdio: command and arguments. May hold secrets: never sent
  std::string url;                // HTTP: without user, query and fragment
  std::vector<McpCredential> credentials;
  bool is_disabled = false;
};

inline constexpr std::size_t kMaxMcpServers = 256;  // of one file; what is beyond is left out

// Servers under "mcpServers", "mcp_servers", "context_servers", "amp.mcpServers", "extensions",
// "mcp", "servers" and `key`, at any depth (projects have their own). `host_key` hashes their
// credentials; without one these have names only.
std::vector<McpServerEntry> find_mcp_servers(const ConfigValue& config, std::string_view key,
                                             const Signatures& signatures, const Secret& host_key);

// SHA-256 over command and arguments: changes when what will run changes.
std::string command_sha256(const std::vector<std::string>& argv);

}  // namespace aispm::sensor
