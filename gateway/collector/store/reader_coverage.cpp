// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/collector/store/inventory_reader.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

constexpr int kMaxGaps = 16;

// How rows are put together, and where the gaps of one row are.
struct Grouping {
  std::string_view key;   // column of coverage
  std::string_view gaps;  // condition on coverage_gaps with the key as ?1
};

Result<Grouping> grouping_of(const std::string& by) {
  if (by.empty() || by == "process") return Grouping{"ref", "process=?1"};
  if (by == "agent")
    return Grouping{"IFNULL(agent, 0)",
                    "process IN (SELECT ref FROM coverage WHERE IFNULL(agent, 0)=?1)"};
  if (by == "host") return Grouping{"host", "process IN (SELECT ref FROM coverage WHERE host=?1)"};
  return fail(Errc::kInvalid, "by: allowed is process, agent or host");
}

std::string grouped(std::string_view key) {
  return "WITH g AS (SELECT " + std::string(key) +
         " AS k, MIN(host) AS host, IFNULL(MAX(agent), 0) AS agent, MAX(process) AS process, "
         "COUNT(*) AS processes, SUM(connections) AS connections, SUM(wire_bytes) AS wire, "
         "SUM(MIN(plaintext_bytes, wire_bytes)) AS plain, MAX(last_seen) AS seen FROM coverage c "
         "WHERE (program LIKE ?1 ESCAPE '\\' OR EXISTS (SELECT 1 FROM agents WHERE ref=c.agent AND "
         "agent_id LIKE ?1 ESCAPE '\\')) AND (?2='' OR host=(SELECT ref FROM hosts WHERE "
         "host_id=?2)) GROUP BY 1) ";
}

void fill(pb::Coverage& coverage, const Statement& row, int first) {
  coverage.set_processes(row.count(first));
  coverage.set_connections(row.count(first + 1));
  coverage.set_wire_bytes(row.count(first + 2));
  coverage.set_plaintext_bytes(row.count(first + 3));
  // Plaintext is smaller than what it travels in, so the share is a floor.
  if (coverage.wire_bytes() > 0)
    coverage.set_share(static_cast<double>(coverage.plaintext_bytes()) /
                       static_cast<double>(coverage.wire_bytes()));
  if (!row.is_null(first + 4)) set_time(row.integer(first + 4), coverage.mutable_last_seen());
}

}  // namespace

Result<> InventoryReader::add_gaps(std::string_view condition, std::int64_t key, pb::Coverage* to) {
  AISPM_TRY(
      Statement* const find,
      database_.cached("SELECT library, reason, SUM(connections), SUM(wire_bytes) FROM "
                       "coverage_gaps WHERE " +
                       std::string(condition) + " GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2 LIMIT ?2"));
  find->bind(key, kMaxGaps);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    pb::CoverageGap& gap = *to->add_gaps();
    gap.set_library(find->text(0));
    gap.set_reason(find->text(1));
    gap.set_connections(find->count(2));
    gap.set_wire_bytes(find->count(3));
  }
}

Result<pb::CoverageList> InventoryReader::coverage(const pb::ListCoverageRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(const Grouping grouping, grouping_of(request.by()));
  const bool is_process = request.by().empty() || request.by() == "process";
  pb::CoverageList list;
  AISPM_TRY(Statement* const sum,
            database_.cached(grouped(grouping.key) +
                             "SELECT IFNULL(SUM(processes), 0), IFNULL(SUM(connections), 0), "
                             "IFNULL(SUM(wire), 0), IFNULL(SUM(plain), 0), MAX(seen) FROM g"));
  AISPM_TRY(const bool is_sum, sum->bind(page.like, request.host_id()).step());
  if (is_sum) fill(*list.mutable_total(), *sum, 0);
  sum->reset();
  AISPM_TRY(Statement* const find,
            database_.cached(
                grouped(grouping.key) +
                "SELECT g.wire-g.plain, g.k, h.host_id, h.hostname, IFNULL((SELECT agent_id FROM "
                "agents WHERE ref=g.agent), ''), g.process, g.processes, g.connections, g.wire, "
                "g.plain, g.seen FROM g JOIN hosts h ON h.ref=g.host WHERE ?3 OR (g.wire-g.plain, "
                "g.k) < (?4, ?5) ORDER BY 1 DESC, 2 DESC LIMIT ?6"));
  find->bind(page.like, request.host_id(), page.is_first,
             std::strtoll(page.after.key.c_str(), nullptr, 10), page.after.ref, page.limit + 1);
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 1, [&](const Statement& row) -> Result<> {
              pb::Coverage& coverage = *list.add_rows();
              if (request.by() != "agent") {
                coverage.set_host_id(row.text(2));
                coverage.set_hostname(row.text(3));
              }
              if (request.by() != "host") coverage.set_agent_id(row.text(4));
              const std::string_view bytes = row.blob(5);
              if (is_process && !coverage.mutable_process()->ParseFromArray(
                                    bytes.data(), static_cast<int>(bytes.size())))
                return fail(Errc::kInternal, "store: a process does not parse");
              fill(coverage, row, 6);
              return add_gaps(grouping.gaps, row.integer(1), &coverage);
            }));
  return list;
}

Result<pb::SeenNameList> InventoryReader::names(const pb::ListRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(Statement* const find,
            database_.cached(
                "SELECT n.last_seen, n.ref, h.host_id, h.hostname, IFNULL((SELECT agent_id FROM "
                "agents WHERE ref=n.agent), ''), n.program, n.name, n.source, n.provider, "
                "n.encrypted_hello, n.doh, n.count, n.first_seen FROM seen_names n JOIN hosts h ON "
                "h.ref=n.host WHERE (n.name LIKE ?1 ESCAPE '\\' OR n.program LIKE ?1 ESCAPE '\\') "
                "AND (?2 OR (n.last_seen, n.ref) < (?3, ?4)) ORDER BY n.last_seen DESC, n.ref DESC "
                "LIMIT ?5"));
  find->bind(page.like, page.is_first, std::strtoll(page.after.key.c_str(), nullptr, 10),
             page.after.ref, page.limit + 1);
  pb::SeenNameList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 1, [&](const Statement& row) -> Result<> {
              pb::SeenName& name = *list.add_names();
              set_time(row.integer(0), name.mutable_last_seen());
              name.set_host_id(row.text(2));
              name.set_hostname(row.text(3));
              name.set_agent_id(row.text(4));
              name.set_program(row.text(5));
              name.set_name(row.text(6));
              name.set_source(row.text(7));
              name.set_provider(row.text(8));
              name.set_encrypted_hello(row.integer(9) != 0);
              name.set_doh(row.integer(10) != 0);
              name.set_count(row.count(11));
              set_time(row.integer(12), name.mutable_first_seen());
              return {};
            }));
  return list;
}

}  // namespace aispm::collector::store
