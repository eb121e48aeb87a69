// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/operator_inventory.hpp"

#include "aispm/v1/api.pb.h"
#include "sdk/core/common/log.hpp"

namespace aispm::collector::api {
namespace {

namespace pb = aispm::v1;

void add_assets(Handlers& handlers, const WallClock& clock, std::uint32_t stale_days) {
  add_handler<pb::ListAssetsRequest, pb::AssetList>(
      handlers, "ListAssets", [clock, stale_days](Desk& desk, const auto& request) {
        desk.inventory.set_stale_days(stale_days);
        return desk.inventory.assets(request, clock());
      });
  add_handler<pb::GetAssetRequest, pb::InventoryAsset>(
      handlers, "GetAsset", [clock, stale_days](Desk& desk, const auto& request) {
        desk.inventory.set_stale_days(stale_days);
        return desk.inventory.asset(request.id(), clock());
      });
  add_handler<pb::SetAssetStateRequest, pb::InventoryAsset>(
      handlers, "SetAssetState",
      [clock, stale_days](Desk& desk, const auto& request) -> Result<pb::InventoryAsset> {
        desk.inventory.set_stale_days(stale_days);
        AISPM_CHECK(desk.assets.set_state(request, desk.caller.name, clock()));
        AISPM_TRY(pb::InventoryAsset asset, desk.inventory.asset(request.id(), clock()));
        log::info("asset.changed", {{"asset", asset.id()},
                                    {"state", asset.state()},
                                    {"owner", asset.owner()},
                                    {"who", desk.caller.name}});
        return asset;
      });
  add_handler<pb::GetInventorySummaryRequest, pb::InventorySummary>(
      handlers, "GetInventorySummary", [clock, stale_days](Desk& desk, const auto& request) {
        desk.inventory.set_stale_days(stale_days);
        return desk.inventory.summary(request, clock());
      });
  add_handler<pb::GetSpendRequest, pb::Spend>(
      handlers, "GetSpend",
      [clock](Desk& desk, const auto& request) { return desk.inventory.spend(request, clock()); });
}

void add_views(Handlers& handlers, const WallClock& clock) {
  add_handler<pb::ListMcpServersRequest, pb::McpServerList>(
      handlers, "ListMcpServers",
      [](Desk& desk, const auto& request) { return desk.inventory.mcp_servers(request); });
  add_handler<pb::GetMcpServerRequest, pb::McpServer>(
      handlers, "GetMcpServer",
      [](Desk& desk, const auto& request) { return desk.inventory.mcp_server(request.id()); });
  add_handler<pb::GetTopologyRequest, pb::Topology>(
      handlers, "GetTopology", [clock](Desk& desk, const auto& request) {
        return desk.inventory.topology(request, clock());
      });
  add_handler<pb::ListCoverageRequest, pb::CoverageList>(
      handlers, "ListCoverage",
      [](Desk& desk, const auto& request) { return desk.inventory.coverage(request); });
  add_handler<pb::ListRequest, pb::SeenNameList>(
      handlers, "ListNames",
      [](Desk& desk, const auto& request) { return desk.inventory.names(request); });
}

void add_baselines(Handlers& handlers, const WallClock& clock) {
  add_handler<pb::GetBaselineRequest, pb::BaselineReport>(
      handlers, "GetBaseline", [clock](Desk& desk, const auto& request) {
        return desk.inventory.baseline_report(request, clock());
      });
  add_handler<pb::ExportBaselineRequest, pb::Baseline>(
      handlers, "ExportBaseline", [clock](Desk& desk, const auto& request) {
        return desk.inventory.baseline(request.agent_id(), request.hours(), clock());
      });
  add_handler<pb::ImportBaselineRequest, pb::StoredBaseline>(
      handlers, "ImportBaseline",
      [clock](Desk& desk, const auto& request) -> Result<pb::StoredBaseline> {
        AISPM_TRY(auto stored,
                  desk.assets.import_baseline(request.baseline(), desk.caller.name, clock()));
        log::info("baseline.imported",
                  {{"agent", stored.baseline().agent_id()}, {"who", desk.caller.name}});
        return stored;
      });
  add_handler<pb::ListRequest, pb::StoredBaselineList>(
      handlers, "ListBaselines",
      [](Desk& desk, const auto& request) { return desk.inventory.baselines(request); });
}

}  // namespace

void add_inventory(Handlers& handlers, const WallClock& clock, std::uint32_t stale_days) {
  add_assets(handlers, clock, stale_days);
  add_views(handlers, clock);
  add_baselines(handlers, clock);
}

}  // namespace aispm::collector::api
