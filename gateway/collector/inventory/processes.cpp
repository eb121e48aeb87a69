// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/processes.hpp"

#include "gateway/collector/inventory/refs.hpp"

namespace aispm::collector::inventory {
namespace {

constexpr int kProvider = 1;
constexpr int kModel = 2;
constexpr int kEvidence = 3;
constexpr int kMaxFacts = 64;  // of one kind for one process

}  // namespace

Result<> Processes::add_fact(std::int64_t process, int kind, std::string_view value, int calls) {
  if (value.empty()) return {};
  return run_sql(
      database_,
      "INSERT INTO process_facts (process, kind, value, calls) SELECT ?1, ?2, ?3, ?4 "
      "WHERE (SELECT COUNT(*) FROM process_facts WHERE process=?1 AND kind=?2) < ?5 "
      "OR EXISTS (SELECT 1 FROM process_facts WHERE process=?1 AND kind=?2 AND value=?3) "
      "ON CONFLICT DO UPDATE SET calls=calls+excluded.calls",
      process, kind, cut_name(value), calls, kMaxFacts);
}

Result<> Processes::see(std::int64_t host, const aispm::v1::Event& event, WallTime time,
                        const std::optional<Sessions::Owner>& owner) {
  const auto& process = event.process();
  const Key key{host, process.pid(), process.start_boottime_ns()};
  const std::string bytes = process.SerializeAsString();
  const std::string name =
      std::string(cut_name(process.exe())) + " " + std::string(cut_name(process.comm()));
  const bool is_call = event.body_case() == aispm::v1::Event::kLlmCall;
  std::optional<int> sanctioned;
  if (!is_call) sanctioned = event.ai_use().sanctioned() ? 1 : 0;
  const double confidence = is_call ? 1.0 : event.ai_use().confidence();
  std::optional<std::int64_t> session;
  std::optional<std::int64_t> agent;
  if (owner) {
    session = owner->session;
    agent = owner->agent;
  }
  AISPM_TRY(store::Statement* const upsert,
            database_.cached(
                "INSERT INTO processes (host, pid, start, pid_namespace, name, process, "
                "sanctioned, confidence, calls, "
                "first_seen, last_seen, running, agent, session) VALUES "
                "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?10,?11,?12,?13) "
                "ON CONFLICT (host, pid, start) DO UPDATE SET process=excluded.process, "
                "name=excluded.name, "
                // One unsanctioned use stays unsanctioned, whatever else is seen.
                "sanctioned=CASE WHEN sanctioned IS NULL THEN excluded.sanctioned "
                "WHEN excluded.sanctioned IS NULL THEN sanctioned ELSE MIN(sanctioned, "
                "excluded.sanctioned) END, "
                "confidence=MAX(confidence, excluded.confidence), calls=calls+excluded.calls, "
                "first_seen=MIN(first_seen, excluded.first_seen), last_seen=MAX(last_seen, "
                "excluded.last_seen), "
                "agent=IFNULL(excluded.agent, agent), session=IFNULL(excluded.session, session) "
                "RETURNING ref"));
  std::optional<std::int64_t> space;
  if (process.pid_namespace() != 0) space = static_cast<std::int64_t>(process.pid_namespace());
  upsert->bind(host, process.pid(), process.start_boottime_ns(), space, name, store::Blob{bytes},
               sanctioned, confidence, is_call ? 1 : 0, time.nanoseconds,
               exited_.contains(key) ? 0 : 1, agent, session);
  AISPM_TRY(const bool is_row, upsert->step());
  if (!is_row) return fail(Errc::kInternal, "store: process upsert gave no row");
  const std::int64_t ref = upsert->integer(0);
  AISPM_CHECK(upsert->run());
  const auto& call = event.llm_call();
  AISPM_CHECK(add_fact(ref, kProvider, is_call ? call.provider() : event.ai_use().provider(),
                       is_call ? 1 : 0));
  const std::string& model =
      call.response_model().empty() ? call.request_model() : call.response_model();
  AISPM_CHECK(add_fact(ref, kModel, is_call ? model : event.ai_use().model(), is_call ? 1 : 0));
  return add_fact(ref, kEvidence, is_call ? "llm_call" : event.ai_use().evidence(), 0);
}

Result<> Processes::exit(std::int64_t host, const aispm::v1::Process& process, WallTime time) {
  const Key key{host, process.pid(), process.start_boottime_ns()};
  if (exited_.insert(key).second) exit_order_.push_back(key);
  if (exit_order_.size() > kRememberedExits) {
    exited_.erase(exit_order_.front());
    exit_order_.pop_front();
  }
  return run_sql(database_,
                 "UPDATE processes SET running=0, last_seen=MAX(last_seen, ?4) WHERE host=?1 AND "
                 "pid=?2 AND start=?3",
                 host, process.pid(), process.start_boottime_ns(), time.nanoseconds);
}

Result<> Processes::reboot(std::int64_t host) {
  return run_sql(database_, "UPDATE processes SET running=0 WHERE host=?", host);
}

}  // namespace aispm::collector::inventory
