// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sdk/core/model/event.hpp"
#include "sensor/classify/evidence.hpp"
#include "sensor/classify/mcp_config.hpp"

// What is found out about processes and files before it is judged: plain values that discovery
// makes and the inventory takes.
namespace aispm::sensor {

using model::ProcessId;

// A model file that was found, by magic.
struct ModelFile {
  std::string path;    // as seen from the host
  std::string format;  // name of the format
  std::string provider;
  std::string rule;
  double confidence = 0;
  std::string load_risk;
  std::uint64_t size_bytes = 0;
  std::string sha256;  // empty until worked out
  std::map<std::string, std::string> attributes;
  bool operator==(const ModelFile&) const = default;
};

// One look into a running process, in /proc.
struct ProcessScan {
  model::Process process;
  std::vector<EvidenceItem> evidence;  // libraries, variables, imports, packages, devices, image
  std::vector<ModelFile> models;       // that it has open or mapped
  std::set<std::uint16_t> ports;       // that it listens on
  std::set<std::string> addresses;     // "127.0.0.1:11434", of the same
  std::string script_path;             // of an interpreter's script, all links resolved
  bool has_stdio_pipes = false;        // stdin and stdout are pipes or sockets
  bool sees_docker_socket = false;     // a container runtime's socket is open or mounted in it
};

// What a local server answered, and what that means.
struct HttpAnswer {
  std::uint16_t port = 0;
  EvidenceItem evidence;
};

// A configuration file, folder or extension of an AI program that a user has.
struct FoundFile {
  std::string path;
  std::uint32_t uid = 0;
  std::string user;
  std::string what;         // "config", "mcp", "skills", "rules", "plugins", "extension", "model"
  bool is_project = false;  // in a folder that some agent works in, not in a home
  EvidenceItem evidence;    // what the file speaks for
  std::vector<McpServerEntry> servers;  // what == "mcp"
  std::vector<ModelFile> models;        // what == "model"
  std::string error;                    // why it could not be read; empty when it could
};

}  // namespace aispm::sensor
