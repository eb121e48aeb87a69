// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::uint32_t kDefaultHours = 24;
constexpr std::uint32_t kMaxHours = 720;
constexpr int kTopNames = 10;

Result<std::uint64_t> count_rows(Database& database, std::string_view sql, std::int64_t since) {
  AISPM_TRY(Statement* const find, database.cached(sql));
  AISPM_TRY(const bool is_row, find->bind(since).step());
  const std::uint64_t count = is_row ? find->count(0) : 0;
  find->reset();
  return count;
}

Result<> read_named(Database& database, std::string_view sql, std::int64_t since,
                    google::protobuf::RepeatedPtrField<pb::NamedCount>* counts) {
  AISPM_TRY(Statement* const find, database.cached(sql));
  find->bind(since, kTopNames);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    auto* const named = counts->Add();
    named->set_name(find->text(0));
    named->set_count(find->count(1));
  }
}

std::int64_t bucket_size(std::uint32_t hours) {
  if (hours <= 3) return 5 * kMinute;
  return hours <= 48 ? kHour : 24 * kHour;
}

}  // namespace

Result<> Reader::count_window(pb::Overview* overview, std::int64_t since) {
  AISPM_TRY(
      const auto agents,
      count_rows(database_, "SELECT COUNT(*) FROM agents a WHERE a.last_seen>=? AND " + kHasDone,
                 since));
  overview->set_agents(agents);
  AISPM_TRY(const auto sessions,
            count_rows(database_, "SELECT COUNT(*) FROM sessions WHERE last_seen>=?", since));
  overview->set_sessions(sessions);
  AISPM_TRY(const auto events,
            count_rows(database_, "SELECT IFNULL(SUM(count),0) FROM event_counts WHERE minute>=?",
                       since / kMinute));
  overview->set_events(events);
  AISPM_TRY(const auto found,
            count_rows(database_, "SELECT COUNT(*) FROM detections WHERE time>=?", since));
  overview->set_detections(found);
  AISPM_TRY(
      const auto denied,
      count_rows(database_, "SELECT IFNULL(SUM(count),0) FROM verdicts WHERE time>=? AND verdict=1",
                 since));
  overview->set_denied(denied);
  AISPM_TRY(
      const auto redacted,
      count_rows(database_, "SELECT IFNULL(SUM(count),0) FROM verdicts WHERE time>=? AND verdict=2",
                 since));
  overview->set_redacted(redacted);
  AISPM_TRY(
      const auto refused,
      count_rows(database_, "SELECT IFNULL(SUM(count),0) FROM verdicts WHERE time>=? AND verdict=3",
                 since));
  overview->set_sandbox_denials(refused);
  AISPM_TRY(
      const auto shadow,
      count_rows(database_,
                 "SELECT COUNT(*) FROM processes p WHERE p.last_seen>=? AND " + kIsShadow, since));
  overview->set_unsanctioned_processes(shadow);
  return {};
}

Result<> Reader::count_fleet(pb::Overview* overview, std::int64_t since) {
  AISPM_TRY(
      const auto unsanctioned,
      count_rows(database_, "SELECT COUNT(*) FROM assets WHERE state=0 AND gone IS NULL AND ?>0",
                 std::max<std::int64_t>(since, 1)));
  overview->set_unsanctioned_assets(unsanctioned);
  AISPM_TRY(const auto direct,
            count_rows(database_, "SELECT COUNT(*) FROM calls WHERE time>=? AND route=3", since));
  overview->set_direct_calls(direct);
  AISPM_TRY(const auto changes,
            count_rows(database_, "SELECT COUNT(*) FROM mcp_tool_changes WHERE time>=?", since));
  overview->set_mcp_tool_changes(changes);
  AISPM_TRY(
      Statement* const kinds,
      database_.cached("SELECT kind, SUM(count) FROM event_counts WHERE minute>=? AND kind IN "
                       "(?,?,?) GROUP BY kind"));
  kinds->bind(since / kMinute, static_cast<int>(pb::Event::kMcpCall),
              static_cast<int>(pb::Event::kTamper), static_cast<int>(pb::Event::kEnforcement));
  for (;;) {
    AISPM_TRY(const bool is_row, kinds->step());
    if (!is_row) break;
    if (kinds->integer(0) == pb::Event::kMcpCall) overview->set_mcp_calls(kinds->count(1));
    if (kinds->integer(0) == pb::Event::kTamper) overview->set_tamper_events(kinds->count(1));
    if (kinds->integer(0) == pb::Event::kEnforcement) overview->set_enforcements(kinds->count(1));
  }
  AISPM_TRY(Statement* const bytes,
            database_.cached("SELECT IFNULL(SUM(wire_bytes), 0), IFNULL(SUM(MIN(plaintext_bytes, "
                             "wire_bytes)), 0) FROM coverage WHERE last_seen>=?"));
  AISPM_TRY(const bool is_row, bytes->bind(since).step());
  if (is_row) {
    overview->set_wire_bytes(bytes->count(0));
    overview->set_plaintext_bytes(bytes->count(1));
  }
  bytes->reset();
  return {};
}

Result<> Reader::count_calls(pb::Overview* overview, std::int64_t since, std::int64_t now) {
  AISPM_TRY(Statement* const sums,
            database_.cached("SELECT COUNT(*), IFNULL(SUM(input_tokens),0), "
                             "IFNULL(SUM(output_tokens),0) FROM calls WHERE time>=?"));
  AISPM_TRY(const bool is_row, sums->bind(since).step());
  if (is_row) {
    overview->set_llm_calls(sums->count(0));
    overview->set_input_tokens(sums->count(1));
    overview->set_output_tokens(sums->count(2));
  }
  sums->reset();
  const std::int64_t width = bucket_size(overview->hours());
  const std::int64_t first = since / width;
  for (std::int64_t bucket = first; bucket <= now / width; ++bucket)
    set_time(bucket * width, overview->add_calls_over_time()->mutable_start());
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT time/?2, COUNT(*), SUM(verdict=1), SUM(verdict=2) FROM calls "
                             "WHERE time>=?1 GROUP BY 1"));
  find->bind(since, width);
  for (;;) {
    AISPM_TRY(const bool is_bucket, find->step());
    if (!is_bucket) return {};
    const std::int64_t index = find->integer(0) - first;
    if (index < 0 || index >= overview->calls_over_time_size())
      continue;  // from a clock ahead of ours
    auto* const bucket = overview->mutable_calls_over_time(static_cast<int>(index));
    bucket->set_calls(find->count(1));
    bucket->set_denied(find->count(2));
    bucket->set_redacted(find->count(3));
  }
}

Result<> Reader::count_reporting(pb::Overview* overview, const std::vector<std::string>& connected,
                                 WallTime now) {
  std::string list;  // host ids are UUIDs: nothing to escape
  for (const std::string& host_id : connected)
    list += (list.empty() ? "[\"" : ",\"") + host_id + '"';
  list += list.empty() ? "[]" : "]";
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT COUNT(*) FROM hosts WHERE last_seen>=?1 OR host_id IN "
                             "(SELECT value FROM json_each(?2))"));
  AISPM_TRY(const bool is_row, find->bind(now.nanoseconds - kMinute, list).step());
  if (is_row) overview->set_hosts_reporting(find->count(0));
  find->reset();
  return {};
}

Result<pb::Overview> Reader::overview(std::uint32_t hours,
                                      const std::vector<std::string>& connected, WallTime now) {
  const QueryDeadline deadline(database_);
  if (hours > kMaxHours) return fail(Errc::kInvalid, "hours: allowed is 1..720, or 0 for 24");
  pb::Overview overview;
  overview.set_hours(hours == 0 ? kDefaultHours : hours);
  // Whole minutes, so that the counts kept by the minute are exact.
  const std::int64_t since = (now.nanoseconds - overview.hours() * kHour) / kMinute * kMinute;
  AISPM_CHECK(database_.execute("BEGIN"));  // one snapshot for all numbers
  const auto read = [&]() -> Result<> {
    AISPM_TRY(const auto hosts,
              count_rows(database_, "SELECT COUNT(*) FROM hosts WHERE last_seen>=?", 0));
    overview.set_hosts(hosts);
    AISPM_CHECK(count_reporting(&overview, connected, now));
    AISPM_CHECK(count_window(&overview, since));
    AISPM_CHECK(count_fleet(&overview, since));
    AISPM_CHECK(count_calls(&overview, since, now.nanoseconds));
    AISPM_CHECK(read_named(
        database_,
        "SELECT p.provider, COUNT(*) n FROM calls c JOIN providers p ON p.ref=c.provider "
        "WHERE c.time>=? GROUP BY c.provider ORDER BY n DESC, 1 LIMIT ?",
        since, overview.mutable_calls_by_provider()));
    AISPM_CHECK(read_named(database_,
                           "SELECT m.model, COUNT(*) n FROM calls c JOIN models m ON m.ref=c.model "
                           "WHERE c.time>=? GROUP BY m.model ORDER BY n DESC, 1 LIMIT ?",
                           since, overview.mutable_calls_by_model()));
    return read_named(database_,
                      "SELECT category, COUNT(*) n FROM detections WHERE time>=? GROUP BY category "
                      "ORDER BY n DESC, 1 LIMIT ?",
                      since, overview.mutable_detections_by_category());
  };
  auto done = read();
  AISPM_CHECK(database_.execute("COMMIT"));
  if (!done) return fail(std::move(done).error());
  return overview;
}

Result<> Reader::status(pb::Status* status) {
  const QueryDeadline deadline(database_);
  auto& store = *status->mutable_store();
  AISPM_TRY(Statement* const counters, database_.cached("SELECT name, value FROM counters"));
  for (;;) {
    AISPM_TRY(const bool is_row, counters->step());
    if (!is_row) break;
    const std::string name = counters->text(0);
    if (name == "events") store.set_events(counters->count(1));
    if (name == "duplicates") store.set_duplicates_ignored(counters->count(1));
    if (name == "rejected") store.set_rejected(counters->count(1));
    if (name == "inventory_refused") store.set_inventory_refused(counters->count(1));
    if (name == "retention_deleted") store.set_deleted_by_retention(counters->count(1));
  }
  AISPM_TRY(const auto bytes, database_.used_bytes());
  store.set_bytes(bytes);
  AISPM_TRY(const auto version, database_.schema_version());
  store.set_schema_version(version);
  AISPM_TRY(
      Statement* const find,
      database_.cached(
          "SELECT c.component, h.host_id, c.hostname, c.version, c.last_seen, c.health, "
          "c.acknowledged, "
          "c.lost FROM components c JOIN hosts h ON h.ref=c.host ORDER BY c.hostname, c.component "
          "LIMIT 20000"));
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    pb::Component& component = *status->add_components();
    component.set_component(find->text(0));
    component.set_host_id(find->text(1));
    component.set_hostname(find->text(2));
    component.set_version(find->text(3));
    set_time(find->integer(4), component.mutable_last_seen());
    const std::string_view health = find->blob(5);
    if (!find->is_null(5) &&
        !component.mutable_health()->ParseFromArray(health.data(), static_cast<int>(health.size())))
      return fail(Errc::kInternal, "store: a health record does not parse");
    component.set_acknowledged_sequence(find->count(6));
    component.set_lost_events(find->count(7));
  }
}

}  // namespace aispm::collector::store
