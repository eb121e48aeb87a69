// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "gateway/collector/store/asset_book.hpp"
#include "gateway/collector/store/inventory_reader.hpp"
#include "gateway/collector/store/paging.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::uint32_t kDefaultDays = 30;
constexpr std::uint32_t kMaxDays = 90;

// Agents that somebody answers for.
constexpr std::string_view kOwned =
    "WITH owned AS (SELECT DISTINCT agent FROM assets WHERE owner<>'' AND agent IS NOT NULL), "
    "owned_nodes AS (SELECT n.ref FROM nodes n JOIN agents g ON g.agent_id=n.name JOIN owned o ON "
    "o.agent=g.ref WHERE n.kind=1) ";

// Each entity as rows of (is owned, last risky moment, last judged moment).
constexpr std::pair<const char*, std::string_view> kEntities[] = {
    {"agents", "SELECT ref IN owned, risky, judged FROM agents"},
    {"models",
     "SELECT EXISTS (SELECT 1 FROM agent_models m WHERE m.model=models.model AND m.agent IN owned) "
     "OR EXISTS (SELECT 1 FROM assets a WHERE a.kind IN ('model_file', 'model_server') AND "
     "a.name=models.model AND a.owner<>''), risky, judged FROM models"},
    // Tools of MCP servers, and tools that models called and no server is known for.
    {"tools",
     "SELECT EXISTS (SELECT 1 FROM mcp_server_agents m WHERE m.server=t.server AND m.agent IN "
     "owned) OR EXISTS (SELECT 1 FROM mcp_servers s JOIN assets a ON a.host=s.host AND "
     "a.kind='mcp_server' AND a.name=s.name AND a.owner<>'' WHERE s.ref=t.server), t.risky, "
     "t.judged FROM mcp_tools t WHERE t.removed=0 UNION ALL "
     "SELECT EXISTS (SELECT 1 FROM edges e WHERE e.target=n.ref AND e.agent IN owned_nodes), "
     "(SELECT IFNULL(MAX(risky), 0) FROM edges e WHERE e.target=n.ref), (SELECT "
     "IFNULL(MAX(judged), 0) FROM edges e WHERE e.target=n.ref) FROM nodes n WHERE n.kind=6 AND "
     "NOT EXISTS (SELECT 1 FROM mcp_tools t WHERE t.name=n.name) AND EXISTS (SELECT 1 FROM edges e "
     "WHERE e.target=n.ref)"},
    // Classes of files that agents used, and vector stores.
    {"data",
     "SELECT EXISTS (SELECT 1 FROM edges e WHERE e.target=n.ref AND e.agent IN owned_nodes), "
     "(SELECT IFNULL(MAX(risky), 0) FROM edges e WHERE e.target=n.ref), (SELECT "
     "IFNULL(MAX(judged), 0) FROM edges e WHERE e.target=n.ref) FROM nodes n WHERE n.kind=7 AND "
     "EXISTS (SELECT 1 FROM edges e WHERE e.target=n.ref) UNION ALL "
     "SELECT a.owner<>'', 0, 0 FROM assets a WHERE a.kind='vector_store' AND a.gone IS NULL AND "
     "NOT EXISTS (SELECT 1 FROM nodes n WHERE n.kind=7 AND n.name=a.name)"},
    {"sessions", "SELECT IFNULL(agent IN owned, 0), risky, judged FROM sessions"},
    {"mcp_servers",
     "SELECT EXISTS (SELECT 1 FROM mcp_server_agents m WHERE m.server=s.ref AND m.agent IN owned) "
     "OR EXISTS (SELECT 1 FROM assets a WHERE a.host=s.host AND a.kind='mcp_server' AND "
     "a.name=s.name AND a.owner<>''), s.risky, s.judged FROM mcp_servers s"},
    // Valid agent keys, and the users as whom agents run ("alice" of "alice/agent.py").
    {"identities",
     "SELECT IFNULL(g.ref IN owned, 0), IFNULL(g.risky, 0), IFNULL(g.judged, 0) FROM agent_keys k "
     "LEFT JOIN agents g ON g.agent_id=k.agent_id WHERE k.revoked IS NULL UNION ALL "
     "SELECT MAX(ref IN owned), MAX(risky), MAX(judged) FROM agents WHERE instr(agent_id, '/') > 1 "
     "GROUP BY substr(agent_id, 1, instr(agent_id, '/') - 1)"},
};

}  // namespace

Result<pb::InventorySummary> InventoryReader::summary(const pb::GetInventorySummaryRequest& request,
                                                      WallTime now) {
  const QueryDeadline deadline(database_);
  if (request.days() > kMaxDays) return fail(Errc::kInvalid, "days: allowed is 1..90, or 0 for 30");
  pb::InventorySummary summary;
  summary.set_days(request.days() == 0 ? kDefaultDays : request.days());
  summary.set_stale_days(stale_days_);
  const std::int64_t since = now.nanoseconds - summary.days() * kDay;
  for (const auto& [name, rows] : kEntities) {
    AISPM_TRY(Statement* const find,
              database_.cached(std::string(kOwned) + ", rows(owned, risky, judged) AS (" +
                               std::string(rows) +
                               ") SELECT COUNT(*), IFNULL(SUM(risky>=?1), 0), IFNULL(SUM(NOT "
                               "owned), 0), IFNULL(SUM(judged<?1), 0) FROM rows"));
    AISPM_TRY(const bool is_row, find->bind(since).step());
    pb::EntityCount& entity = *summary.add_entities();
    entity.set_entity(name);
    if (is_row) {
      entity.set_total(find->count(0));
      entity.set_high_risk(find->count(1));
      entity.set_unowned(find->count(2));
      entity.set_no_policy(find->count(3));
    }
    find->reset();
  }
  AISPM_TRY(Statement* const states,
            database_.cached(
                "SELECT kind, SUM(gone IS NULL AND state=1), SUM(gone IS NULL AND state=0), "
                "SUM(gone IS NULL AND state=2), SUM(gone IS NOT NULL), SUM(gone IS NULL AND "
                "owner=''), SUM(gone IS NULL AND last_seen<=?) FROM assets GROUP BY kind ORDER BY "
                "kind"));
  states->bind(stale_before(now));
  for (;;) {
    AISPM_TRY(const bool is_row, states->step());
    if (!is_row) return summary;
    pb::StateCount& count = *summary.add_states();
    count.set_kind(states->text(0));
    count.set_sanctioned(states->count(1));
    count.set_unsanctioned(states->count(2));
    count.set_ignored(states->count(3));
    count.set_gone(states->count(4));
    count.set_unowned(states->count(5));
    summary.set_stale(summary.stale() + states->count(6));
  }
}

}  // namespace aispm::collector::store
