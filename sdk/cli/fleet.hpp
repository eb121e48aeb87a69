// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sdk/cli/commands.hpp"

// Subcommands about what the fleet has and who answers for it. As in commands.hpp.
namespace aispm::cli {

struct AssetFilter {
  std::string kind, state, owner, host, agent, query;
  bool unowned = false;
  bool stale = false;
  bool with_gone = false;
  std::size_t limit = 100;  // 0 = all
};

struct TopologyFilter {
  std::string agent, host;
  std::uint32_t depth = 0;  // 0 = all
  std::uint32_t hours = 0;  // 0 = the collector's default
};

Result<> list_assets(Client& client, const AssetFilter& filter, const Output& output);
Result<> show_asset(Client& client, const std::string& id, const Output& output);
// Empty `state` keeps it; no `owner` keeps it. Stops at the first id that is refused.
Result<> set_assets(Client& client, const std::vector<std::string>& ids, const std::string& state,
                    const std::optional<std::string>& owner, const std::string& reason,
                    const Output& output);
Result<> show_summary(Client& client, std::uint32_t days, const Output& output);
// `by`: agent, user, model, provider or day. `days`: 0 for 30.
Result<> show_spend(Client& client, const std::string& by, std::uint32_t days,
                    const Output& output);
Result<> list_mcp_servers(Client& client, const std::string& query, bool changed, std::size_t limit,
                          const Output& output);
Result<> show_mcp_server(Client& client, const std::string& id, const Output& output);
// A tree for each agent.
Result<> show_topology(Client& client, const TopologyFilter& filter, const Output& output);
Result<> show_coverage(Client& client, const std::string& by, const std::string& query,
                       std::size_t limit, const Output& output);
Result<> list_names(Client& client, const std::string& query, std::size_t limit,
                    const Output& output);
Result<> show_baseline(Client& client, const std::string& agent, std::uint32_t hours,
                       const Output& output);
// One JSON document a line; of all agents when none is named.
Result<> export_baselines(Client& client, std::vector<std::string> agents, std::uint32_t hours,
                          const Output& output);
// What export_baselines wrote, from a file or "-" for standard input, at most 16 MiB.
Result<> import_baselines(Client& client, const std::string& path, const Output& output);
Result<> list_baselines(Client& client, std::size_t limit, const Output& output);

// The tree of a topology, for terminals. Pure.
std::string render_topology(const v1::Topology& topology, const Screen& screen);

}  // namespace aispm::cli
