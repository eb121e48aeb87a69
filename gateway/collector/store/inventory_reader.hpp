// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aispm/v1/api.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// Answers about the fleet: assets, MCP servers, topology, coverage, names, baselines, and the
// numbers over them. Every call ends after kQueryDeadline at the latest. Owned by one thread.
class InventoryReader {
 public:
  // Since when an asset counts as stale: more than so many whole days.
  static constexpr std::uint32_t kStaleDays = 30;

  explicit InventoryReader(Database& database) : database_(database) {}
  void set_stale_days(std::uint32_t days) { stale_days_ = days; }

  Result<pb::AssetList> assets(const pb::ListAssetsRequest& request, WallTime now);
  Result<pb::InventoryAsset> asset(const std::string& id, WallTime now);
  Result<pb::McpServerList> mcp_servers(const pb::ListMcpServersRequest& request);
  Result<pb::McpServer> mcp_server(const std::string& id);
  Result<pb::Topology> topology(const pb::GetTopologyRequest& request, WallTime now);
  Result<pb::CoverageList> coverage(const pb::ListCoverageRequest& request);
  Result<pb::SeenNameList> names(const pb::ListRequest& request);
  // What stored events say about an agent from `hours` ago (0 for 720) until now. kNotFound for an
  // unknown agent.
  Result<pb::Baseline> baseline(const std::string& agent_id, std::uint32_t hours, WallTime now);
  // The same beside the imported reference.
  Result<pb::BaselineReport> baseline_report(const pb::GetBaselineRequest& request, WallTime now);
  Result<pb::StoredBaselineList> baselines(const pb::ListRequest& request);
  Result<pb::InventorySummary> summary(const pb::GetInventorySummaryRequest& request, WallTime now);
  Result<pb::Spend> spend(const pb::GetSpendRequest& request, WallTime now);

 private:
  Result<pb::InventoryAsset> read_asset(const Statement& row, WallTime now) const;
  Result<> add_history(std::int64_t asset, pb::InventoryAsset* to);
  Result<pb::McpServer> read_server(const Statement& row);
  Result<> add_tools(std::int64_t server, pb::McpServer* to);
  Result<> add_tool_changes(std::int64_t server, pb::McpServer* to);
  Result<> add_calls(std::int64_t agent, std::int64_t since, std::int64_t until, pb::Baseline* to);
  Result<> add_uses(const std::string& agent_id, std::int64_t since, pb::Baseline* to);
  Result<> add_gaps(std::string_view condition, std::int64_t key, pb::Coverage* to);
  // Last moment at which a thing that is stale now was seen.
  std::int64_t stale_before(WallTime now) const;

  Database& database_;
  std::uint32_t stale_days_ = kStaleDays;
};

// Where `current` leaves `reference`: one sentence each. Pure.
std::vector<std::string> find_deviations(const pb::Baseline& reference,
                                         const pb::Baseline& current);

}  // namespace aispm::collector::store
