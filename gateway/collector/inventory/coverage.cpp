// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/coverage.hpp"

#include <algorithm>
#include <utility>

#include "gateway/collector/limits.hpp"

namespace aispm::collector::inventory {
namespace {

using store::Statement;

Result<> count_once(store::Database& database, std::string_view sql, std::int64_t& count) {
  if (count >= 0) return {};
  AISPM_TRY(Statement* const find, database.cached(sql));
  AISPM_TRY(const bool is_row, find->step());
  count = is_row ? find->integer(0) : 0;
  find->reset();
  return {};
}

std::string_view program_of(const aispm::v1::Process& process) {
  return cut_name(process.exe().empty() ? process.comm() : process.exe());
}

}  // namespace

Result<> Coverage::see(const Concern& concern, const aispm::v1::Event& event) {
  const auto& process = event.process();
  const auto& coverage = event.tls_coverage();
  AISPM_CHECK(count_once(database_, "SELECT COUNT(*) FROM coverage", row_count_));
  const std::string bytes = process.SerializeAsString();
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT ref, last_seen FROM coverage WHERE host=? AND pid=? AND "
                             "start=?"));
  AISPM_TRY(const bool is_known,
            find->bind(concern.host, process.pid(), process.start_boottime_ns()).step());
  std::int64_t row = is_known ? find->integer(0) : 0;
  const bool is_late = is_known && find->integer(1) > concern.time.nanoseconds;
  find->reset();
  if (is_late) return {};
  if (!is_known && row_count_ >= limits::kMaxCoverageRows) {
    ++refused_;
    return {};
  }
  if (is_known) {
    AISPM_CHECK(run_sql(database_,
                        "UPDATE coverage SET agent=IFNULL(?2, agent), program=?3, process=?4, "
                        "connections=?5, wire_bytes=?6, plaintext_bytes=?7, last_seen=?8 WHERE "
                        "ref=?1",
                        row, concern.agent, program_of(process), store::Blob{bytes},
                        coverage.connections(), coverage.wire_bytes(), coverage.plaintext_bytes(),
                        concern.time.nanoseconds));
  } else {
    AISPM_CHECK(run_sql(database_,
                        "INSERT INTO coverage (host, pid, start, agent, program, process, "
                        "connections, wire_bytes, plaintext_bytes, last_seen) VALUES "
                        "(?,?,?,?,?,?,?,?,?,?)",
                        concern.host, process.pid(), process.start_boottime_ns(), concern.agent,
                        program_of(process), store::Blob{bytes}, coverage.connections(),
                        coverage.wire_bytes(), coverage.plaintext_bytes(),
                        concern.time.nanoseconds));
    row = database_.last_row();
    ++row_count_;
  }
  AISPM_CHECK(run_sql(database_, "DELETE FROM coverage_gaps WHERE process=?", row));
  for (const auto& gap : coverage.gaps())
    AISPM_CHECK(run_sql(
        database_,
        "INSERT INTO coverage_gaps (process, library, reason, connections, wire_bytes) VALUES "
        "(?,?,?,?,?) ON CONFLICT DO UPDATE SET connections=connections+excluded.connections, "
        "wire_bytes=wire_bytes+excluded.wire_bytes",
        row, gap.library(), gap.reason(), gap.connections(), gap.wire_bytes()));
  return {};
}

void Coverage::see_name(const Concern& concern, const aispm::v1::Event& event) {
  const auto& seen = event.name_seen();
  if (seen.name().empty()) return;
  NameUse& use = names_[{concern.host, concern.agent.value_or(0),
                         std::string(program_of(event.process())), seen.name(), seen.source()}];
  ++use.count;
  use.first = std::min(use.first, concern.time.nanoseconds);
  use.last = std::max(use.last, concern.time.nanoseconds);
  if (!seen.provider().empty()) use.provider = seen.provider();
  use.is_encrypted = seen.encrypted_hello();
  use.is_doh = seen.doh();
}

Result<> Coverage::write_name(const NameKey& key, const NameUse& use) {
  const auto& [host, agent, program, name, source] = key;
  AISPM_CHECK(run_sql(database_,
                      "UPDATE seen_names SET count=count+?6, first_seen=MIN(first_seen, ?7), "
                      "last_seen=MAX(last_seen, ?8), provider=IFNULL(NULLIF(?9, ''), provider), "
                      "encrypted_hello=?10, doh=?11 WHERE host=?1 AND program=?2 AND agent=?3 AND "
                      "name=?4 AND source=?5",
                      host, program, agent, name, source, use.count, use.first, use.last,
                      use.provider, use.is_encrypted, use.is_doh));
  if (database_.changes() > 0) return {};
  if (name_count_ >= limits::kMaxSeenNames) {
    ++refused_;
    return {};
  }
  ++name_count_;
  return run_sql(database_,
                 "INSERT INTO seen_names (host, program, agent, name, source, count, first_seen, "
                 "last_seen, provider, encrypted_hello, doh) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                 host, program, agent, name, source, use.count, use.first, use.last, use.provider,
                 use.is_encrypted, use.is_doh);
}

Result<> Coverage::flush() {
  if (names_.empty()) return {};
  AISPM_CHECK(count_once(database_, "SELECT COUNT(*) FROM seen_names", name_count_));
  for (const auto& [key, use] : names_) AISPM_CHECK(write_name(key, use));
  names_.clear();
  return {};
}

void Coverage::forget() {
  names_.clear();
  name_count_ = row_count_ = -1;
}

std::uint64_t Coverage::take_refused() { return std::exchange(refused_, 0); }

}  // namespace aispm::collector::inventory
