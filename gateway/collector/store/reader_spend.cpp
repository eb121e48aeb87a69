// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "gateway/collector/store/inventory_reader.hpp"
#include "gateway/collector/store/paging.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::uint32_t kDefaultDays = 30;
constexpr std::uint32_t kMaxDays = 90;
constexpr int kMaxRows = 1000;

// What stands for a row, and what it needs beside the calls.
struct By {
  std::string_view name;
  std::string_view key;
  std::string_view join;
};
constexpr By kBy[] = {
    {"agent", "IFNULL(a.agent_id, '')", "LEFT JOIN agents a ON a.ref=c.agent"},
    // The user as whom an agent runs: "alice" of "alice/agent.py".
    {"user",
     "CASE WHEN instr(a.agent_id, '/')>1 THEN substr(a.agent_id, 1, instr(a.agent_id, '/')-1) ELSE "
     "'' END",
     "LEFT JOIN agents a ON a.ref=c.agent"},
    {"model", "IFNULL(m.model, '')", "LEFT JOIN models m ON m.ref=c.model"},
    {"provider", "IFNULL(p.provider, '')", "LEFT JOIN providers p ON p.ref=c.provider"},
    {"day", "date(c.time/1000000000, 'unixepoch')", ""},
};

constexpr std::string_view kSums =
    "COUNT(*), IFNULL(SUM(c.input_tokens), 0), IFNULL(SUM(c.output_tokens), 0), "
    "IFNULL(SUM(c.cost), 0), IFNULL(SUM(c.cost IS NULL AND c.input_tokens+c.output_tokens>0), 0), "
    "IFNULL(SUM(c.estimated), 0)";

void read_sums(const Statement& row, int first, pb::SpendRow* to) {
  to->set_calls(row.count(first));
  to->set_input_tokens(row.count(first + 1));
  to->set_output_tokens(row.count(first + 2));
  to->set_cost_nano_usd(row.count(first + 3));
  to->set_unpriced_calls(row.count(first + 4));
  to->set_estimated_calls(row.count(first + 5));
}

}  // namespace

Result<pb::Spend> InventoryReader::spend(const pb::GetSpendRequest& request, WallTime now) {
  const QueryDeadline deadline(database_);
  if (request.days() > kMaxDays) return fail(Errc::kInvalid, "days: allowed is 1..90, or 0 for 30");
  pb::Spend spend;
  spend.set_days(request.days() == 0 ? kDefaultDays : request.days());
  spend.set_by(request.by().empty() ? "agent" : request.by());
  const auto* const by =
      std::ranges::find_if(kBy, [&](const By& one) { return one.name == spend.by(); });
  if (by == std::end(kBy))
    return fail(Errc::kInvalid, "by: agent, user, model, provider or day is allowed");
  const std::int64_t since = (now.nanoseconds / kDay - spend.days() + 1) * kDay;
  AISPM_TRY(Statement* const sums,
            database_.cached("SELECT " + std::string(kSums) + " FROM calls c WHERE c.time>=?"));
  AISPM_TRY(const bool has_sums, sums->bind(since).step());
  if (has_sums) read_sums(*sums, 0, spend.mutable_total());
  sums->reset();
  const std::string order = spend.by() == "day" ? "1 DESC" : "5 DESC, 4 DESC, 1";
  AISPM_TRY(Statement* const rows,
            database_.cached("SELECT " + std::string(by->key) + ", " + std::string(kSums) +
                             " FROM calls c " + std::string(by->join) +
                             " WHERE c.time>=? GROUP BY 1 ORDER BY " + order + " LIMIT ?"));
  rows->bind(since, kMaxRows + 1);
  for (;;) {
    AISPM_TRY(const bool is_row, rows->step());
    if (!is_row) return spend;
    if (spend.rows_size() == kMaxRows) {
      spend.set_cut(true);
      rows->reset();
      return spend;
    }
    pb::SpendRow& row = *spend.add_rows();
    row.set_name(rows->text(0));
    read_sums(*rows, 1, &row);
  }
}

}  // namespace aispm::collector::store
