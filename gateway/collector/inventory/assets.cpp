// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/assets.hpp"

#include <algorithm>

#include "gateway/collector/limits.hpp"

namespace aispm::collector::inventory {
namespace {

using store::Blob;
using store::Statement;

std::string source_name(aispm::v1::Source source) {
  switch (source) {
    case aispm::v1::SOURCE_SENSOR:
      return "sensor";
    case aispm::v1::SOURCE_SANDBOX:
      return "sandbox";
    case aispm::v1::SOURCE_SDK:
      return "sdk";
    default:
      return "gateway";
  }
}

bool is_agent_kind(const aispm::v1::Asset& asset) {
  return asset.kind() == "agent" || asset.kind() == "coding_agent";
}

// For an agent of which only its deeds are known.
aispm::v1::Asset describe_agent(const std::string& agent_id, const std::string& source) {
  aispm::v1::Asset asset;
  asset.set_asset_id("agent/" + agent_id);
  asset.set_kind("agent");
  asset.set_name(agent_id);
  asset.set_confidence(1);
  auto& evidence = *asset.add_evidence();
  evidence.set_type("event");
  evidence.set_value("reported by the " + source);
  evidence.set_weight(1);
  asset.set_explanation("The " + source + " reported events of this agent; no sensor found it.");
  return asset;
}

}  // namespace

Result<> Assets::see(const Concern& concern, const aispm::v1::Asset& asset) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT resync FROM assets WHERE host=? AND asset_id=?"));
  AISPM_TRY(const bool is_known, find->bind(concern.host, asset.asset_id()).step());
  const bool is_named_before =
      is_known && !asset.resync_id().empty() && find->text(0) == asset.resync_id();
  find->reset();
  if (!is_known) {
    AISPM_TRY(const bool has_room, make_room(concern, asset));
    if (!has_room) {
      ++refused_;
      return {};
    }
  }
  AISPM_CHECK(write(concern, asset));
  if (asset.resync_id().empty()) return {};
  return count_in(concern, asset, is_named_before);
}

Result<bool> Assets::make_room(const Concern& concern, const aispm::v1::Asset& asset) {
  if (concern.agent && is_agent_kind(asset)) {
    // The row that stood for the agent so far, with its owner, state and history.
    AISPM_CHECK(run_sql(database_,
                        "UPDATE assets SET host=?1, asset_id=?2, origin=0 WHERE ref=(SELECT ref "
                        "FROM assets WHERE agent=?3 AND origin=1 LIMIT 1)",
                        concern.host, asset.asset_id(), concern.agent));
    if (database_.changes() == 1) return true;
  }
  AISPM_TRY(Statement* const count, database_.cached("SELECT COUNT(*) FROM assets WHERE host=?"));
  AISPM_TRY(const bool is_row, count->bind(concern.host).step());
  const bool has_room = is_row && count->integer(0) < limits::kMaxAssetsOfHost;
  count->reset();
  return has_room;
}

Result<> Assets::write(const Concern& concern, const aispm::v1::Asset& asset) {
  aispm::v1::Asset kept = asset;
  kept.clear_gone();
  kept.clear_resync_id();
  kept.clear_resync_size();
  const std::string bytes = kept.SerializeAsString();
  const std::int64_t time = concern.time.nanoseconds;
  std::optional<std::int64_t> gone;
  if (asset.gone()) gone = time;
  return run_sql(
      database_,
      "INSERT INTO assets (host, asset_id, kind, name, provider, asset, agent, origin, first_seen, "
      "last_seen, reported, gone, resync) VALUES (?1,?2,?3,?4,?5,?6,?7,0,?8,?8,?8,?9,?10) "
      "ON CONFLICT (host, asset_id) DO UPDATE SET kind=excluded.kind, name=excluded.name, "
      "provider=excluded.provider, asset=excluded.asset, agent=IFNULL(excluded.agent, agent), "
      "first_seen=MIN(first_seen, excluded.first_seen), last_seen=MAX(last_seen, "
      "excluded.last_seen), reported=excluded.reported, gone=excluded.gone, "
      "resync=IFNULL(NULLIF(excluded.resync, ''), resync) "
      // A report that comes late does not undo a newer one.
      "WHERE excluded.reported>=reported",
      concern.host, asset.asset_id(), asset.kind(), asset.name(), asset.provider(), Blob{bytes},
      concern.agent, time, gone, asset.resync_id());
}

Result<Assets::Resync*> Assets::resync_of(std::int64_t host) {
  const auto found = resyncs_.find(host);
  if (found != resyncs_.end()) return &found->second;
  Resync resync;
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT resync, started, is_complete, (SELECT COUNT(*) FROM assets a "
                             "WHERE a.host=resyncs.host AND a.resync=resyncs.resync) FROM resyncs "
                             "WHERE host=?"));
  AISPM_TRY(const bool is_row, find->bind(host).step());
  if (is_row) {
    resync.id = find->text(0);
    resync.started = find->integer(1);
    resync.is_complete = find->integer(2) != 0;
    // This asset is written already and will be counted by the caller.
    resync.named = static_cast<std::uint32_t>(find->count(3));
  }
  find->reset();
  return &resyncs_.emplace(host, std::move(resync)).first->second;
}

Result<> Assets::count_in(const Concern& concern, const aispm::v1::Asset& asset,
                          bool is_named_before) {
  const bool is_loaded = resyncs_.contains(concern.host);
  AISPM_TRY(Resync* const resync, resync_of(concern.host));
  const std::int64_t time = concern.time.nanoseconds;
  if (resync->id != asset.resync_id()) {
    *resync = {asset.resync_id(), time, 1, false};
    AISPM_CHECK(run_sql(
        database_,
        "INSERT OR REPLACE INTO resyncs (host, resync, started, is_complete) VALUES (?,?,?,0)",
        concern.host, resync->id, time));
  } else if (is_loaded && !is_named_before) {
    ++resync->named;
  }
  if (time < resync->started) {
    resync->started = time;
    AISPM_CHECK(
        run_sql(database_, "UPDATE resyncs SET started=? WHERE host=?", time, concern.host));
  }
  if (resync->is_complete || asset.resync_size() == 0 || resync->named < asset.resync_size())
    return {};
  return finish(concern.host, *resync, time);
}

Result<> Assets::finish(std::int64_t host, Resync& resync, std::int64_t time) {
  resync.is_complete = true;
  AISPM_CHECK(run_sql(database_, "UPDATE resyncs SET is_complete=1 WHERE host=?", host));
  return run_sql(database_,
                 "UPDATE assets SET gone=?2 WHERE host=?1 AND gone IS NULL AND origin=0 AND "
                 "resync<>?3 AND last_seen<?4",
                 host, time, resync.id, resync.started);
}

void Assets::see_agent(const Concern& concern, const aispm::v1::Event& event) {
  if (!concern.agent) return;
  const std::int64_t time = concern.time.nanoseconds;
  const auto [found, is_new] = agents_.try_emplace(*concern.agent);
  Active& active = found->second;
  if (is_new) active = {event.agent_id(), source_name(event.source()), concern.host, time, time};
  active.first = std::min(active.first, time);
  active.last = std::max(active.last, time);
}

Result<> Assets::flush() {
  for (const auto& [agent, active] : agents_) {
    AISPM_CHECK(run_sql(database_,
                        "UPDATE assets SET last_seen=MAX(last_seen, ?) WHERE agent=? AND kind IN "
                        "('agent', 'coding_agent') AND gone IS NULL",
                        active.last, agent));
    if (database_.changes() > 0) continue;
    const aispm::v1::Asset asset = describe_agent(active.agent_id, active.source);
    const std::string bytes = asset.SerializeAsString();
    AISPM_CHECK(run_sql(database_,
                        "INSERT INTO assets (host, asset_id, kind, name, provider, asset, agent, "
                        "origin, first_seen, last_seen) SELECT ?1, ?2, 'agent', ?3, '', ?4, ?5, 1, "
                        "?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM assets WHERE agent=?5 AND kind IN "
                        "('agent', 'coding_agent')) AND (SELECT COUNT(*) FROM assets WHERE "
                        "host=?1) < ?8 ON CONFLICT DO NOTHING",
                        active.host, asset.asset_id(), active.agent_id, Blob{bytes}, agent,
                        active.first, active.last, limits::kMaxAssetsOfHost));
  }
  agents_.clear();
  return {};
}

void Assets::forget() {
  resyncs_.clear();
  agents_.clear();
  refused_ = 0;
}

std::uint64_t Assets::take_refused() { return std::exchange(refused_, 0); }

}  // namespace aispm::collector::inventory
