// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/sessions.hpp"

#include <algorithm>
#include <limits>

namespace aispm::collector::inventory {
namespace {

constexpr std::size_t kMaxCached = 65536;
// Sessions of one namespace number that are looked at; older ones keep what they have.
constexpr int kNewestSessions = 64;
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

}  // namespace

void Sessions::forget() {
  known_.clear();
  intervals_.clear();
}

Result<std::int64_t> Sessions::find_or_make(const std::string& session_id, std::int64_t host,
                                            std::optional<std::int64_t> agent, WallTime time) {
  auto found = known_.find(session_id);
  if (found == known_.end()) {
    if (known_.size() >= kMaxCached) known_.clear();
    AISPM_TRY(store::Statement* const find,
              database_.cached("SELECT ref, agent FROM sessions WHERE session_id=?"));
    AISPM_TRY(const bool is_row, find->bind(session_id).step());
    Known known;
    if (is_row) {
      known = {find->integer(0), !find->is_null(1)};
      find->reset();
    } else {
      AISPM_CHECK(run_sql(database_,
                          "INSERT INTO sessions (session_id, agent, host, first_seen, last_seen) "
                          "VALUES (?1, ?2, ?3, ?4, ?4)",
                          session_id, agent, host, time.nanoseconds));
      known = {database_.last_row(), agent.has_value()};
    }
    found = known_.emplace(session_id, known).first;
  }
  if (agent && !found->second.has_agent) {
    AISPM_CHECK(
        run_sql(database_, "UPDATE sessions SET agent=? WHERE ref=?", *agent, found->second.ref));
    found->second.has_agent = true;
    intervals_.clear();
  }
  return found->second.ref;
}

Result<> Sessions::begin(std::int64_t session, std::int64_t host,
                         const aispm::v1::SandboxStart& start, WallTime time) {
  const std::string launch = start.SerializeAsString();
  std::optional<std::int64_t> space;
  if (start.pid_namespace() != 0 && start.pid_namespace() != kInitialPidNamespace)
    space = static_cast<std::int64_t>(start.pid_namespace());
  AISPM_CHECK(run_sql(database_,
                      "UPDATE sessions SET started=?1, pid_namespace=?2, launch=?3, host=?4, "
                      "first_seen=MIN(first_seen, ?1) "
                      "WHERE ref=?5",
                      time.nanoseconds, space, store::Blob{launch}, host, session));
  if (!space) return {};
  const Place place{host, start.pid_namespace()};
  intervals_.erase(place);
  return reassign(place, time.nanoseconds - kBeforeStart, kForever);
}

Result<> Sessions::end(std::int64_t session, const aispm::v1::SandboxExit& exit, WallTime time) {
  AISPM_CHECK(run_sql(database_, "UPDATE sessions SET ended=?, exit_code=?, signal=? WHERE ref=?",
                      time.nanoseconds, exit.exit_code(), exit.signal(), session));
  AISPM_TRY(store::Statement* const find,
            database_.cached(
                "SELECT host, pid_namespace FROM sessions WHERE ref=? AND started IS NOT NULL"));
  AISPM_TRY(const bool is_row, find->bind(session).step());
  if (!is_row) return {};
  const bool has_namespace = !find->is_null(1);
  const Place place{find->integer(0), find->count(1)};
  find->reset();
  if (!has_namespace) return {};
  intervals_.erase(place);
  return reassign(place, time.nanoseconds, kForever);
}

Result<std::vector<Sessions::Interval>> Sessions::load(Place place) {
  AISPM_TRY(store::Statement* const find,
            database_.cached(
                "SELECT s.ref, s.agent, s.session_id, IFNULL(a.agent_id, ''), s.started, s.ended "
                "FROM sessions s LEFT JOIN agents a ON a.ref=s.agent "
                "WHERE s.host=? AND s.pid_namespace=? AND s.started IS NOT NULL "
                "ORDER BY s.started DESC LIMIT ?"));
  find->bind(place.first, place.second, kNewestSessions);
  std::vector<Interval> intervals;  // newest first
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) break;
    Interval interval;
    interval.owner.session = find->integer(0);
    if (!find->is_null(1)) interval.owner.agent = find->integer(1);
    interval.owner.session_id = find->text(2);
    interval.owner.agent_id = find->text(3);
    const std::int64_t started = find->integer(4);
    interval.begin = started - kBeforeStart;
    interval.end = find->is_null(5) ? kForever : find->integer(5) + kAfterExit;
    if (!intervals.empty()) {
      Interval& next = intervals.back();
      // The next one begins where this one ended; where its exit is unknown, at the latest when it
      // started.
      const std::int64_t bound = find->is_null(5) ? started : find->integer(5);
      next.begin = std::max(next.begin, bound);
      interval.end = std::min(interval.end, next.begin);
    }
    intervals.push_back(std::move(interval));
  }
  return intervals;
}

Result<> Sessions::reassign(Place place, std::int64_t from, std::int64_t until) {
  AISPM_TRY(const std::vector<Interval> intervals, load(place));
  const auto space = static_cast<std::int64_t>(place.second);
  // What lies in no interval belongs to nobody; then each session takes its own.
  AISPM_CHECK(run_sql(database_,
                      "UPDATE events SET session=NULL, agent=NULL WHERE host=? AND pid_namespace=? "
                      "AND time>? AND time<=? "
                      "AND source=1 AND session IS NOT NULL",
                      place.first, space, from, until));
  AISPM_CHECK(run_sql(database_,
                      "UPDATE processes SET session=NULL, agent=NULL WHERE host=? AND "
                      "pid_namespace=? AND first_seen>? AND "
                      "first_seen<=?",
                      place.first, space, from, until));
  for (const Interval& interval : intervals) {
    if (interval.end <= from) break;
    const std::int64_t low = std::max(from, interval.begin);
    AISPM_CHECK(run_sql(database_,
                        "UPDATE events SET session=?, agent=? WHERE host=? AND pid_namespace=? AND "
                        "time>? AND time<=? AND "
                        "source=1",
                        interval.owner.session, interval.owner.agent, place.first, space, low,
                        interval.end));
    AISPM_CHECK(run_sql(database_,
                        "UPDATE processes SET session=?, agent=? WHERE host=? AND pid_namespace=? "
                        "AND first_seen>? AND "
                        "first_seen<=?",
                        interval.owner.session, interval.owner.agent, place.first, space, low,
                        interval.end));
  }
  return {};
}

Result<std::optional<Sessions::Owner>> Sessions::owner_of(std::int64_t host,
                                                          std::uint64_t pid_namespace,
                                                          WallTime time) {
  const Place place{host, pid_namespace};
  auto found = intervals_.find(place);
  if (found == intervals_.end()) {
    if (intervals_.size() >= kMaxCached) intervals_.clear();
    AISPM_TRY(std::vector<Interval> intervals, load(place));
    found = intervals_.emplace(place, std::move(intervals)).first;
  }
  for (const Interval& interval : found->second)
    if (time.nanoseconds > interval.begin && time.nanoseconds <= interval.end)
      return interval.owner;
  return std::nullopt;
}

}  // namespace aispm::collector::inventory
