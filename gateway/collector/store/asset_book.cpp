// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/asset_book.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::string_view kStates[] = {"unsanctioned", "sanctioned", "ignored"};
constexpr std::size_t kMaxReasonBytes = 1024;
constexpr std::uint32_t kBaselineFormat = 1;
constexpr int kMaxBaselineNames = 64;
constexpr std::int64_t kMaxBaselines = 50'000;

bool is_printable(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
}

bool is_agent(std::string_view name) {
  return !name.empty() && name.size() <= limits::kMaxNameBytes &&
         std::ranges::all_of(name, [](char c) { return c > ' ' || (c & 0x80) != 0; });
}

Result<> check_uses(const char* what,
                    const google::protobuf::RepeatedPtrField<pb::BaselineUse>& uses) {
  if (uses.size() > kMaxBaselineNames)
    return fail(Errc::kInvalid, std::string("baseline.") + what + ": more than 64");
  for (const auto& use : uses)
    if (use.name().empty() || use.name().size() > limits::kMaxNameBytes)
      return fail(Errc::kInvalid, std::string("baseline.") + what + ": a name is not 1..256 bytes");
  return {};
}

Result<> check_baseline(const pb::Baseline& baseline) {
  if (baseline.format() != kBaselineFormat)
    return fail(Errc::kInvalid, "baseline.format: allowed is 1");
  if (!is_agent(baseline.agent_id()))
    return fail(Errc::kInvalid, "baseline.agent_id: must be 1..256 printable characters");
  for (const auto* spread :
       {&baseline.input_tokens(), &baseline.output_tokens(), &baseline.latency_us()})
    if (!std::isfinite(spread->mean()) || spread->mean() < 0)
      return fail(Errc::kInvalid, "baseline: a mean is negative or not a number");
  if (!std::isfinite(baseline.calls_per_hour()) || baseline.calls_per_hour() < 0)
    return fail(Errc::kInvalid, "baseline.calls_per_hour: negative or not a number");
  AISPM_CHECK(check_uses("models", baseline.models()));
  AISPM_CHECK(check_uses("tools", baseline.tools()));
  return check_uses("destinations", baseline.destinations());
}

}  // namespace

Result<int> parse_asset_state(std::string_view state) {
  for (std::size_t i = 0; i < std::size(kStates); ++i)
    if (kStates[i] == state) return static_cast<int>(i);
  return fail(Errc::kInvalid, "state: allowed is sanctioned, unsanctioned or ignored");
}

std::string_view asset_state_name(std::int64_t state) {
  return state >= 0 && state < 3 ? kStates[state] : "unsanctioned";
}

Result<std::int64_t> parse_row_id(char kind, std::string_view id) {
  std::int64_t ref = 0;
  if (id.size() > 1 && id.size() < 20 && id.front() == kind) {
    const auto [end, error] = std::from_chars(id.data() + 1, id.data() + id.size(), ref);
    if (error == std::errc() && end == id.data() + id.size() && ref > 0) return ref;
  }
  return fail(Errc::kNotFound, "nothing has that id: ids look like " + std::string(1, kind) + "17");
}

Result<> AssetBook::set_state(const pb::SetAssetStateRequest& request, std::string_view who,
                              WallTime now) {
  AISPM_TRY(const std::int64_t ref, parse_row_id('a', request.id()));
  if (request.state().empty() && !request.has_owner())
    return fail(Errc::kInvalid, "state or owner: one of them must be given");
  if (request.owner().size() > limits::kMaxNameBytes || !is_printable(request.owner()))
    return fail(Errc::kInvalid, "owner: at most 256 printable bytes");
  if (request.reason().size() > kMaxReasonBytes || !is_printable(request.reason()))
    return fail(Errc::kInvalid, "reason: at most 1024 printable bytes");
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_TRY(Statement* const find, database_.cached("SELECT state, owner FROM assets WHERE ref=?"));
  AISPM_TRY(const bool is_row, find->bind(ref).step());
  if (!is_row) return fail(Errc::kNotFound, "no asset has the id " + request.id());
  const std::int64_t state_before = find->integer(0);
  const std::string owner_before = find->text(1);
  find->reset();
  std::int64_t state = state_before;
  if (!request.state().empty()) {
    AISPM_TRY(state, parse_asset_state(request.state()));
  }
  const std::string owner = request.has_owner() ? request.owner() : owner_before;
  AISPM_CHECK(run_sql(
      database_,
      "UPDATE assets SET state=?2, owner=?3, reason=?4, changed_by=?5, changed=?6 WHERE ref=?1",
      ref, state, owner, request.reason(), who, now.nanoseconds));
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO asset_changes (asset, time, who, state_before, state, "
                      "owner_before, owner, reason) VALUES (?,?,?,?,?,?,?,?)",
                      ref, now.nanoseconds, who, state_before, state, owner_before, owner,
                      request.reason()));
  return transaction.commit();
}

Result<pb::StoredBaseline> AssetBook::import_baseline(const pb::Baseline& baseline,
                                                      std::string_view who, WallTime now) {
  AISPM_CHECK(check_baseline(baseline));
  const std::string bytes = baseline.SerializeAsString();
  AISPM_CHECK(run_sql(
      database_,
      "INSERT INTO baselines (agent_id, baseline, imported, imported_by) SELECT ?1,?2,?3,?4 WHERE "
      "(SELECT COUNT(*) FROM baselines) < ?5 OR EXISTS (SELECT 1 FROM baselines WHERE "
      "agent_id=?1) ON CONFLICT DO UPDATE SET baseline=excluded.baseline, "
      "imported=excluded.imported, imported_by=excluded.imported_by",
      baseline.agent_id(), Blob{bytes}, now.nanoseconds, who, kMaxBaselines));
  if (database_.changes() == 0) return fail(Errc::kExhausted, "there are 50000 baselines already");
  pb::StoredBaseline stored;
  *stored.mutable_baseline() = baseline;
  stored.set_imported_by(std::string(who));
  set_time(now.nanoseconds, stored.mutable_imported());
  return stored;
}

}  // namespace aispm::collector::store
