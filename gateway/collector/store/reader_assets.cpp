// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/asset_book.hpp"
#include "gateway/collector/store/inventory_reader.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr int kMaxHistory = 200;

constexpr std::string_view kColumns =
    "SELECT a.ref, a.asset, h.host_id, h.hostname, IFNULL((SELECT agent_id FROM agents WHERE "
    "ref=a.agent), ''), a.state, a.owner, a.reason, a.changed_by, a.changed, a.first_seen, "
    "a.last_seen, a.gone, a.origin FROM assets a JOIN hosts h ON h.ref=a.host ";

std::optional<std::string> if_given(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

}  // namespace

std::int64_t InventoryReader::stale_before(WallTime now) const {
  return now.nanoseconds - (std::int64_t{stale_days_} + 1) * kDay;
}

Result<pb::InventoryAsset> InventoryReader::read_asset(const Statement& row, WallTime now) const {
  pb::InventoryAsset asset;
  const std::string_view bytes = row.blob(1);
  if (!asset.mutable_asset()->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail(Errc::kInternal, "store: an asset does not parse");
  asset.set_id("a" + std::to_string(row.integer(0)));
  asset.set_host_id(row.text(2));
  asset.set_hostname(row.text(3));
  asset.set_agent_id(row.text(4));
  asset.set_state(std::string(asset_state_name(row.integer(5))));
  asset.set_owner(row.text(6));
  asset.set_reason(row.text(7));
  asset.set_changed_by(row.text(8));
  if (!row.is_null(9)) set_time(row.integer(9), asset.mutable_changed());
  set_time(row.integer(10), asset.mutable_first_seen());
  set_time(row.integer(11), asset.mutable_last_seen());
  if (!row.is_null(12)) {
    set_time(row.integer(12), asset.mutable_gone());
    asset.mutable_asset()->set_gone(true);
  }
  asset.set_stale(row.integer(11) <= stale_before(now));
  asset.set_origin(row.integer(13) == 0 ? "sensor" : "collector");
  return asset;
}

Result<pb::AssetList> InventoryReader::assets(const pb::ListAssetsRequest& request, WallTime now) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  std::optional<int> state;
  if (!request.state().empty()) {
    AISPM_TRY(state, parse_asset_state(request.state()));
  }
  std::optional<std::string> owner = if_given(request.owner());
  if (request.unowned()) {
    if (owner) return fail(Errc::kInvalid, "unowned: not together with owner");
    owner = "";
  }
  std::optional<std::int64_t> seen_until;
  if (request.stale()) seen_until = stale_before(now);
  AISPM_TRY(Statement* const find,
            database_.cached(
                std::string(kColumns) +
                "WHERE (a.name LIKE ?1 ESCAPE '\\' OR a.provider LIKE ?1 ESCAPE '\\' OR EXISTS "
                "(SELECT 1 FROM agents g WHERE g.ref=a.agent AND g.agent_id LIKE ?1 ESCAPE '\\')) "
                "AND (?2 IS NULL OR a.kind=?2) AND (?3 IS NULL OR a.state=?3) "
                "AND (?4 IS NULL OR a.owner=?4) AND (?5 IS NULL OR h.host_id=?5) "
                "AND (?6 IS NULL OR a.agent=(SELECT ref FROM agents WHERE agent_id=?6)) "
                "AND (?7 IS NULL OR a.last_seen<=?7) AND (?8 OR a.gone IS NULL) "
                "AND (?9 OR a.ref<?10) ORDER BY a.ref DESC LIMIT ?11"));
  const auto kind = if_given(request.kind());
  const auto host = if_given(request.host_id());
  const auto agent = if_given(request.agent_id());
  find->bind(page.like, kind, state, owner, host, agent, seen_until, request.include_gone(),
             page.is_first, page.after.ref, page.limit + 1);
  pb::AssetList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 0, [&](const Statement& row) -> Result<> {
              AISPM_TRY(*list.add_assets(), read_asset(row, now));
              return {};
            }));
  return list;
}

Result<pb::InventoryAsset> InventoryReader::asset(const std::string& id, WallTime now) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const std::int64_t ref, parse_row_id('a', id));
  AISPM_TRY(Statement* const find, database_.cached(std::string(kColumns) + "WHERE a.ref=?"));
  AISPM_TRY(const bool is_row, find->bind(ref).step());
  if (!is_row) return fail(Errc::kNotFound, "no asset has the id " + id);
  auto asset = read_asset(*find, now);
  find->reset();
  if (asset) AISPM_CHECK(add_history(ref, &*asset));
  return asset;
}

Result<> InventoryReader::add_history(std::int64_t asset, pb::InventoryAsset* to) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT time, who, state_before, state, owner_before, owner, reason "
                             "FROM asset_changes WHERE asset=? ORDER BY ref DESC LIMIT ?"));
  find->bind(asset, kMaxHistory);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    pb::AssetChange& change = *to->add_history();
    set_time(find->integer(0), change.mutable_time());
    change.set_who(find->text(1));
    change.set_state_before(std::string(asset_state_name(find->integer(2))));
    change.set_state(std::string(asset_state_name(find->integer(3))));
    change.set_owner_before(find->text(4));
    change.set_owner(find->text(5));
    change.set_reason(find->text(6));
  }
}

}  // namespace aispm::collector::store
