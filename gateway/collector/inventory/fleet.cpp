// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/fleet.hpp"

namespace aispm::collector::inventory {

Result<> Fleet::add(const Concern& concern, const aispm::v1::Event& event) {
  using aispm::v1::Event;
  graph_.add(concern, event);
  // First, so that what a sensor reports finds the row that stood for its agent.
  if (event.body_case() == Event::kAsset) AISPM_CHECK(assets_.see(concern, event.asset()));
  assets_.see_agent(concern, event);
  sightings_.see(concern, event);
  switch (event.body_case()) {
    case Event::kMcpCall:
      servers_.see_call(concern, event);
      return {};
    case Event::kMcpTools:
      return servers_.see_tools(concern, event);
    case Event::kTlsCoverage:
      return coverage_.see(concern, event);
    case Event::kNameSeen:
      coverage_.see_name(concern, event);
      return {};
    default:
      return {};
  }
}

Result<> Fleet::flush() {
  AISPM_CHECK(assets_.flush());
  AISPM_CHECK(graph_.flush());
  AISPM_CHECK(servers_.flush());
  AISPM_CHECK(coverage_.flush());
  AISPM_CHECK(sightings_.flush());
  const std::uint64_t refused = assets_.take_refused() + servers_.take_refused() +
                                graph_.take_refused() + coverage_.take_refused() +
                                sightings_.take_refused();
  if (refused == 0) return {};
  return store::raise_counter(database_, "inventory_refused", refused);
}

void Fleet::forget() {
  assets_.forget();
  graph_.forget();
  coverage_.forget();
  servers_.forget();
  sightings_.forget();
}

Result<> Fleet::retain(WallTime oldest, std::uint32_t limit) {
  static constexpr std::string_view kOld[] = {
      "DELETE FROM coverage_gaps WHERE process IN (SELECT ref FROM coverage WHERE last_seen<? "
      "LIMIT ?)",
      "DELETE FROM coverage WHERE ref IN (SELECT ref FROM coverage WHERE last_seen<? LIMIT ?)",
      "DELETE FROM seen_names WHERE ref IN (SELECT ref FROM seen_names WHERE last_seen<? LIMIT ?)",
      "DELETE FROM mcp_server_agents WHERE server IN (SELECT ref FROM mcp_servers WHERE "
      "last_seen<? ORDER BY ref LIMIT ?)",
      "DELETE FROM mcp_tool_changes WHERE server IN (SELECT ref FROM mcp_servers WHERE last_seen<? "
      "ORDER BY ref LIMIT ?)",
      "DELETE FROM mcp_tools WHERE server IN (SELECT ref FROM mcp_servers WHERE last_seen<? ORDER "
      "BY ref LIMIT ?)",
      "DELETE FROM mcp_servers WHERE ref IN (SELECT ref FROM mcp_servers WHERE last_seen<? ORDER "
      "BY ref LIMIT ?)",
      "DELETE FROM assets WHERE ref IN (SELECT ref FROM assets WHERE last_seen<? AND gone IS NOT "
      "NULL AND changed IS NULL LIMIT ?)",
      "DELETE FROM registry_definitions WHERE tool IN (SELECT ref FROM registry_tools WHERE "
      "state=0 AND last_seen<? ORDER BY ref LIMIT ?)",
      "DELETE FROM registry_tool_hosts WHERE tool IN (SELECT ref FROM registry_tools WHERE "
      "state=0 AND last_seen<? ORDER BY ref LIMIT ?)",
      "DELETE FROM registry_tools WHERE ref IN (SELECT ref FROM registry_tools WHERE state=0 AND "
      "last_seen<? ORDER BY ref LIMIT ?)",
      "DELETE FROM edges WHERE (agent, source, target, host) IN (SELECT agent, source, target, "
      "host FROM edges WHERE last_seen<? LIMIT ?)",
  };
  for (const std::string_view sql : kOld)
    AISPM_CHECK(run_sql(database_, sql, oldest.nanoseconds, limit));
  coverage_.forget();
  if (database_.changes() == 0) return {};
  // Each source of an edge is an actor or the target of another edge.
  AISPM_CHECK(run_sql(database_,
                      "DELETE FROM nodes WHERE NOT EXISTS (SELECT 1 FROM edges WHERE "
                      "agent=nodes.ref) AND NOT EXISTS (SELECT 1 FROM edges WHERE "
                      "target=nodes.ref)"));
  graph_.forget();
  return {};
}

}  // namespace aispm::collector::inventory
