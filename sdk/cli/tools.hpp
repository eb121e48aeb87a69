// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sdk/cli/fleet_arguments.hpp"
#include "sdk/cli/policy_commands.hpp"

// `aispm tool ...`: what MCP servers offer, and what a bundle's pins.yaml says of it. What asks the
// collector stands in registered.hpp.
namespace aispm::cli {

void add_tool_commands(CLI::App& app, const std::function<void(LocalAction)>& choose_local,
                       const std::function<void(Action)>& choose);

struct ToolReview {
  std::string bundle;
  std::string tool;      // empty with `approve`: every tool of the list
  std::string provider;  // MCP server; empty: any
  std::string list;      // file with the server's tools/list
  std::string reason;
  bool only = false;  // forget the definitions that were approved before
};

// Registered tools, with what is pinned of each.
Result<> list_tools(const std::string& bundle, const Output& output);
// `file`: JSON of one MCP server, with `tools` as it lists them; `-` for standard input. With a
// bundle also what the bundle says of each definition.
Result<> scan_tools(const std::string& file, const std::string& bundle, const Output& output);
// The tools of such a file with the hashes that pins know them by and what a scan finds in each.
struct ScannedTool {
  std::string name;
  std::string description_sha256;
  std::string schema_sha256;
  std::vector<std::string> findings;
};
Result<std::vector<ScannedTool>> scan_definitions(const std::string& file);
// Write pins.yaml; the bundle is compiled first, so what does not work is not written.
Result<> approve_tool(const ToolReview& review, const Output& output);
Result<> block_tool(const ToolReview& review, const Output& output);

}  // namespace aispm::cli
