// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "gateway/collector/inventory/graph.hpp"
#include "gateway/collector/store/inventory_reader.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::uint32_t kFormat = 1;
constexpr std::uint32_t kDefaultHours = 720;
constexpr std::uint32_t kMaxHours = 2160;
constexpr std::int64_t kHour = 3'600'000'000'000;
constexpr std::size_t kMaxCalls = 100'000;
constexpr int kMaxNames = 64;

// Percentile by nearest rank: a value that occurred.
void set_spread(std::vector<std::uint64_t>& values, pb::Spread* spread) {
  if (values.empty()) return;
  std::ranges::sort(values);
  const auto at = [&](std::size_t percent) {
    return values[std::max<std::size_t>(1, (values.size() * percent + 99) / 100) - 1];
  };
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  spread->set_mean(sum / static_cast<double>(values.size()));
  spread->set_p50(at(50));
  spread->set_p95(at(95));
  spread->set_p99(at(99));
  spread->set_max(values.back());
}

void add_use(const std::string& name, std::uint64_t count,
             google::protobuf::RepeatedPtrField<pb::BaselineUse>* to) {
  if (to->size() == kMaxNames) return;
  pb::BaselineUse& use = *to->Add();
  use.set_name(name);
  use.set_count(count);
}

}  // namespace

Result<> InventoryReader::add_calls(std::int64_t agent, std::int64_t since, std::int64_t until,
                                    pb::Baseline* to) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT c.time, c.input_tokens, c.output_tokens, c.duration_us, "
                             "c.failed, IFNULL(c.model, 0) FROM calls c WHERE c.agent=? AND "
                             "c.time>=? AND c.time<=? ORDER BY c.time DESC LIMIT ?"));
  find->bind(agent, since, until, kMaxCalls + 1);
  std::vector<std::uint64_t> input, output, latency;
  std::map<std::int64_t, std::uint64_t> models;
  std::set<std::int64_t> hours;
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) break;
    if (input.size() == kMaxCalls) {
      to->set_cut(true);
      find->reset();
      break;
    }
    hours.insert(find->integer(0) / kHour);
    input.push_back(find->count(1));
    output.push_back(find->count(2));
    if (find->count(3) > 0) latency.push_back(find->count(3));
    to->set_failures(to->failures() + find->count(4));
    ++models[find->integer(5)];
  }
  to->set_calls(input.size());
  if (!hours.empty())
    to->set_calls_per_hour(static_cast<double>(input.size()) / static_cast<double>(hours.size()));
  set_spread(input, to->mutable_input_tokens());
  set_spread(output, to->mutable_output_tokens());
  set_spread(latency, to->mutable_latency_us());
  std::vector<std::pair<std::uint64_t, std::string>> named;
  for (const auto& [model, count] : models) {
    AISPM_TRY(Statement* const name, database_.cached("SELECT model FROM models WHERE ref=?"));
    AISPM_TRY(const bool is_row, name->bind(model).step());
    if (is_row) named.emplace_back(count, name->text(0));
    name->reset();
  }
  std::ranges::sort(named, std::greater<>());
  for (const auto& [count, name] : named) add_use(name, count, to->mutable_models());
  return {};
}

Result<> InventoryReader::add_uses(const std::string& agent_id, std::int64_t since,
                                   pb::Baseline* to) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT t.name, SUM(e.count) FROM edges e JOIN nodes t ON "
                             "t.ref=e.target WHERE e.agent=(SELECT ref FROM nodes WHERE kind=1 AND "
                             "name=?1) AND e.last_seen>=?2 AND t.kind=?3 GROUP BY t.ref ORDER BY 2 "
                             "DESC, 1 LIMIT ?4"));
  using inventory::NodeKind;
  for (const auto& [kind, uses] : {std::pair(NodeKind::kTool, to->mutable_tools()),
                                   std::pair(NodeKind::kService, to->mutable_destinations())}) {
    find->bind(agent_id, since, static_cast<int>(kind), kMaxNames);
    for (;;) {
      AISPM_TRY(const bool is_row, find->step());
      if (!is_row) break;
      add_use(find->text(0), find->count(1), uses);
    }
  }
  return {};
}

Result<pb::Baseline> InventoryReader::baseline(const std::string& agent_id, std::uint32_t hours,
                                               WallTime now) {
  const QueryDeadline deadline(database_);
  if (hours > kMaxHours) return fail(Errc::kInvalid, "hours: allowed is 1..2160, or 0 for 720");
  if (agent_id.empty()) return fail(Errc::kInvalid, "agent_id: must be given");
  AISPM_TRY(Statement* const find, database_.cached("SELECT ref FROM agents WHERE agent_id=?"));
  AISPM_TRY(const bool is_row, find->bind(agent_id).step());
  if (!is_row) return fail(Errc::kNotFound, "no agent has that name");
  const std::int64_t agent = find->integer(0);
  find->reset();
  const std::int64_t since = now.nanoseconds - (hours == 0 ? kDefaultHours : hours) * kHour;
  pb::Baseline baseline;
  baseline.set_format(kFormat);
  baseline.set_agent_id(agent_id);
  set_time(since, baseline.mutable_from());
  set_time(now.nanoseconds, baseline.mutable_until());
  AISPM_CHECK(add_calls(agent, since, now.nanoseconds, &baseline));
  AISPM_CHECK(add_uses(agent_id, since, &baseline));
  return baseline;
}

Result<pb::BaselineReport> InventoryReader::baseline_report(const pb::GetBaselineRequest& request,
                                                            WallTime now) {
  pb::BaselineReport report;
  AISPM_TRY(*report.mutable_current(), baseline(request.agent_id(), request.hours(), now));
  const QueryDeadline deadline(database_);
  AISPM_TRY(
      Statement* const find,
      database_.cached("SELECT baseline, imported, imported_by FROM baselines WHERE agent_id=?"));
  AISPM_TRY(const bool is_row, find->bind(request.agent_id()).step());
  if (!is_row) return report;
  auto& stored = *report.mutable_reference();
  const std::string_view bytes = find->blob(0);
  const bool is_read =
      stored.mutable_baseline()->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  set_time(find->integer(1), stored.mutable_imported());
  stored.set_imported_by(find->text(2));
  find->reset();
  if (!is_read) return fail(Errc::kInternal, "store: a baseline does not parse");
  for (auto& deviation : find_deviations(stored.baseline(), report.current()))
    report.add_deviations(std::move(deviation));
  return report;
}

Result<pb::StoredBaselineList> InventoryReader::baselines(const pb::ListRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT agent_id, 0, baseline, imported, imported_by FROM baselines "
                             "WHERE agent_id LIKE ?1 ESCAPE '\\' AND (?2 OR agent_id > ?3) ORDER "
                             "BY agent_id LIMIT ?4"));
  find->bind(page.like, page.is_first, page.after.key, page.limit + 1);
  pb::StoredBaselineList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 1, [&](const Statement& row) -> Result<> {
              pb::StoredBaseline& stored = *list.add_baselines();
              const std::string_view bytes = row.blob(2);
              if (!stored.mutable_baseline()->ParseFromArray(bytes.data(),
                                                             static_cast<int>(bytes.size())))
                return fail(Errc::kInternal, "store: a baseline does not parse");
              set_time(row.integer(3), stored.mutable_imported());
              stored.set_imported_by(row.text(4));
              return {};
            }));
  return list;
}

}  // namespace aispm::collector::store
