// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sensor/classify/facts.hpp"
#include "sensor/classify/risk.hpp"

// From facts to what exists: which inventory objects a process or file speaks for. Pure.
namespace aispm::sensor {

enum class AssetKind : std::uint8_t {
  kAgent,
  kCodingAgent,
  kModelServer,
  kMcpServer,
  kSdkClient,
  kModelFile,
  kVectorStore,
  kGpuUser
};
std::string_view name_of(AssetKind kind);

// Everything known about one process that may be AI.
struct ProcessFacts {
  model::Process process;
  std::vector<EvidenceItem> seen;     // at exec, listen, connect, calls: live
  std::vector<EvidenceItem> scanned;  // by the latest look into it
  std::vector<EvidenceItem> answers;  // to probes
  std::vector<ModelFile> models;
  std::set<std::uint16_t> ports;
  std::set<std::string> addresses;
  std::set<std::string> risky_flags;                // names of commands with a safety off
  std::set<std::string> model_names;                // called
  std::map<std::string, std::uint64_t> sent_bytes;  // by provider, in calls
  std::string script_path;
  std::string mcp_server_name;  // it answered as an MCP server: what it calls itself
  std::string mcp_server_version;
  bool is_mcp_server = false;
  bool offers_tools = false;  // its calls offer tools to a model: an agent
  bool sees_docker_socket = false;
};

// That something exists, as one source tells it.
struct Claim {
  AssetKind kind = AssetKind::kAgent;
  std::string key;  // the same each time for the same thing on this host
  std::string name;
  std::string provider;
  std::string version;
  std::vector<EvidenceItem> evidence;
  std::map<std::string, std::string> attributes;
  bool operator==(const Claim&) const = default;
};

// `sanctioned` names the registry's entry that covers the process, or is empty.
std::vector<Claim> claims_of(const ProcessFacts& facts, const Signatures& signatures,
                             const std::string& sanctioned);
std::vector<Claim> claims_of(const FoundFile& file);

// How a stdio MCP server is called in an inventory key.
std::string stdio_mcp_key(std::uint32_t uid, const std::string& token);

}  // namespace aispm::sensor
