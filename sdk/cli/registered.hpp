// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "aispm/v1/registry.pb.h"
#include "sdk/cli/commands.hpp"

// The collector's registry: agents and tools, what was seen of them and what people decided.
namespace aispm::cli {

struct ToolWords {
  std::string tool;  // its name, or the id that `list` shows
  std::string provider;
  std::string state, query;
  std::string description, schema;  // SHA-256 of the definition that is approved
  std::string reason;
  std::string list;  // file with the server's tools/list
  bool only = false, any = false;
  std::string version, publisher, source, sha256, risk, scope, owner;
  std::vector<std::string> permissions;
  double posture_below = -1;  // negative: not said
  bool is_verified = false;
};

Result<> list_registered_tools(Client& client, const ToolWords& words, const Output& output);
Result<> show_registered_tool(Client& client, const ToolWords& words, const Output& output);
// Without hashes: the one definition that was seen; more than one is an error that lists them.
Result<> approve_registered_tool(Client& client, const ToolWords& words, const Output& output);
// `state`: "blocked" or "undecided".
Result<> decide_registered_tool(Client& client, const ToolWords& words, const std::string& state,
                                const Output& output);
// With a list: its tools (or the one that is named) with their definitions and what a scan of their
// words finds.
Result<> register_tools(Client& client, const ToolWords& words, const Output& output);

struct AgentWords {
  std::string agent;
  std::string state, query;
  bool is_undeclared = false;
  std::string reason, owner, type, environment, trust, key_file;
  std::vector<std::string> roles, scopes;
  std::uint32_t valid_seconds = 0;     // 0: the registration does not expire
  std::uint32_t attested_seconds = 0;  // 0: nobody vouches
  bool only_delegated = false;
};

Result<> list_registered_agents(Client& client, const AgentWords& words, const Output& output);
Result<> show_registered_agent(Client& client, const AgentWords& words, const Output& output);
Result<> register_agent(Client& client, const AgentWords& words, const Output& output);
// `state`: "approved", "blocked" or "undecided".
Result<> decide_registered_agent(Client& client, const AgentWords& words, const std::string& state,
                                 const Output& output);

// "In force in 2 places" of a version of the registry; waits a moment for what gateways say.
Result<std::string> registry_in_force(Client& client, std::uint64_t version);
// Who decided what, the newest first.
std::string render_history(const google::protobuf::RepeatedPtrField<v1::RegistryChange>& history,
                           const Output& output);
Style style_of_state(const std::string& state);

}  // namespace aispm::cli
