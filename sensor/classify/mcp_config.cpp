// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/mcp_config.hpp"

#include <algorithm>

#include "sdk/core/common/keyed_hash.hpp"
#include "sensor/classify/program_text.hpp"

namespace aispm::sensor {
namespace {

using Kind = ConfigValue::Kind;

constexpr std::size_t kMaxArguments = 256;
constexpr std::size_t kMaxCredentials = 64;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return result;
}

// A name that by itself says that a secret is its value.
bool names_a_secret(std::string_view name, const Signatures& signatures) {
  if (const Signature* known = signatures.find_variable(name);
      known != nullptr && known->category == "credential_env")
    return true;
  const std::string text = lower(name);
  static constexpr std::string_view kWords[] = {"key",      "token",         "secret",
                                                "password", "authorization", "cookie"};
  return std::any_of(std::begin(kWords), std::end(kWords), [&text](std::string_view word) {
    return text.find(word) != std::string::npos;
  });
}

// "${TOKEN}", "$TOKEN", "{env:TOKEN}": names where the secret is, and is none.
bool is_reference(std::string_view value) {
  return value.starts_with('$') || value.starts_with("{env:") || value.starts_with("env:") ||
         value.find("${") != std::string_view::npos;
}

void add_credentials(const ConfigValue* values, const Signatures& signatures,
                     const Secret& host_key, std::vector<McpCredential>& found) {
  if (values == nullptr) return;
  for (const auto& [name, value] : values->map)
    if (found.size() < kMaxCredentials && value.kind == Kind::kText && !value.text.empty() &&
        !is_reference(value.text) && names_a_secret(name, signatures))
      found.push_back({name, host_key.empty() ? "" : keyed_hash(host_key, value.text)});
}

std::string find_url(const ConfigValue& server) {
  for (const char* key : {"url", "serverUrl", "httpUrl", "uri", "endpoint"})
    if (const std::string url = plain_url(server.text_at(key)); !url.empty()) return url;
  return "";
}

// Nothing when the map is no server.
std::optional<McpServerEntry> read_server(std::string_view name, const ConfigValue& server,
                                          const Signatures& signatures, const Secret& host_key) {
  if (server.kind != Kind::kMap) return std::nullopt;
  McpServerEntry entry;
  entry.name = name;
  const auto add = [&entry](const ConfigValue* value) {
    if (value == nullptr) return;
    if (value->kind == Kind::kText && !value->text.empty()) entry.argv.push_back(value->text);
    for (const ConfigValue& one : value->list)
      if (one.kind == Kind::kText && entry.argv.size() < kMaxArguments)
        entry.argv.push_back(one.text);
  };
  const ConfigValue* command = server.find("command");
  add(command != nullptr ? command : server.find("cmd"));
  // Zed: "command": {"path": ..., "args": [...]}
  if (command != nullptr && command->kind == Kind::kMap) {
    add(command->find("path"));
    add(command->find("args"));
  }
  if (!entry.argv.empty()) add(server.find("args"));
  entry.url = find_url(server);
  if (entry.argv.empty() && entry.url.empty()) return std::nullopt;
  for (const char* key : {"env", "environment", "envs", "headers", "http_headers"})
    add_credentials(server.find(key), signatures, host_key, entry.credentials);
  entry.is_disabled = server.text_at("disabled") == "true" || server.text_at("enabled") == "false";
  return entry;
}

struct Search {
  std::string_view key;
  const Signatures& signatures;
  const Secret& host_key;
  std::vector<McpServerEntry>& found;

  bool is_server_key(std::string_view name) const {
    static constexpr std::string_view kKeys[] = {"mcpServers",     "mcp_servers", "context_servers",
                                                 "amp.mcpServers", "extensions",  "mcp",
                                                 "servers",        "mcp.servers"};
    return name == key || std::find(std::begin(kKeys), std::end(kKeys), name) != std::end(kKeys);
  }

  void take_servers(const ConfigValue& servers) {
    const auto take = [this](std::string_view name, const ConfigValue& server) {
      if (found.size() >= kMaxMcpServers) return;
      if (auto entry = read_server(name, server, signatures, host_key))
        found.push_back(std::move(*entry));
    };
    for (const auto& [name, server] : servers.map) take(name, server);
    for (const ConfigValue& server : servers.list) take(server.text_at("name"), server);
  }

  void visit(const ConfigValue& value) {
    for (const auto& [name, member] : value.map) {
      if (is_server_key(name)) take_servers(member);
      visit(member);
    }
    for (const ConfigValue& element : value.list) visit(element);
  }
};

}  // namespace

std::vector<McpServerEntry> find_mcp_servers(const ConfigValue& config, std::string_view key,
                                             const Signatures& signatures, const Secret& host_key) {
  std::vector<McpServerEntry> found;
  Search{key, signatures, host_key, found}.visit(config);
  return found;
}

std::string command_sha256(const std::vector<std::string>& argv) {
  Sha256Stream stream;
  for (const std::string& argument : argv) {
    stream.update(argument);
    stream.update(std::string_view("\0", 1));
  }
  return stream.finish_hex();
}

}  // namespace aispm::sensor
