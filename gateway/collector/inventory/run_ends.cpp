// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/run_ends.hpp"

#include "sdk/core/model/run_facts.hpp"

namespace aispm::collector::inventory {
namespace {

// The launcher reads the start from /proc/PID/stat, in ticks of USER_HZ, rounded down (proc(5)).
constexpr std::uint64_t kTick = 10'000'000;

std::optional<model::RunInit> init_of(const aispm::v1::SandboxStart& start) {
  for (const std::string& mechanism : start.mechanisms())
    if (const auto init = model::parse_run_init(mechanism)) return init;
  return std::nullopt;
}

bool is_init(const model::RunInit& init, const aispm::v1::Process& process) {
  return process.pid() == init.pid && process.start_boottime_ns() >= init.start_boottime_ns &&
         process.start_boottime_ns() - init.start_boottime_ns < kTick;
}

aispm::v1::SandboxExit as_end(const aispm::v1::ProcessExit& exit) {
  aispm::v1::SandboxExit end;
  end.set_exit_code(exit.exit_code());
  end.set_signal(exit.signal());
  return end;
}

// The SandboxStart of a session that has not ended.
Result<std::optional<aispm::v1::SandboxStart>> running(store::Database& database,
                                                       std::int64_t session) {
  AISPM_TRY(store::Statement* const find,
            database.cached("SELECT launch FROM sessions WHERE ref=? AND started IS NOT NULL AND "
                            "ended IS NULL"));
  AISPM_TRY(const bool is_row, find->bind(session).step());
  if (!is_row) return std::optional<aispm::v1::SandboxStart>();
  aispm::v1::SandboxStart start;
  const std::string_view launch = find->blob(0);
  const bool is_read = start.ParseFromArray(launch.data(), static_cast<int>(launch.size()));
  find->reset();
  if (!is_read) return fail(Errc::kInternal, "store: a run's start cannot be read");
  return std::optional(std::move(start));
}

}  // namespace

Result<> end_with_init(store::Database& database, Sessions& sessions, std::int64_t session,
                       const aispm::v1::Process& process, const aispm::v1::ProcessExit& exit,
                       WallTime time) {
  AISPM_TRY(const auto start, running(database, session));
  if (!start) return {};
  const auto init = init_of(*start);
  return init && is_init(*init, process) ? sessions.end(session, as_end(exit), time) : Result<>();
}

Result<> end_with_known_init(store::Database& database, Sessions& sessions, std::int64_t session,
                             std::int64_t host, const aispm::v1::SandboxStart& start,
                             WallTime started) {
  const auto init = init_of(start);
  AISPM_TRY(const auto still, running(database, session));
  if (!init || !still || start.pid_namespace() == 0) return {};
  // Kind 21 is process_exit.
  AISPM_TRY(
      store::Statement* const find,
      database.cached("SELECT body, time FROM events WHERE host=? AND pid_namespace=? AND "
                      "time>? AND kind=21 AND source=1 AND process_start>=? AND process_start<?"));
  find->bind(host, static_cast<std::int64_t>(start.pid_namespace()),
             started.nanoseconds - Sessions::kBeforeStart, init->start_boottime_ns,
             init->start_boottime_ns + kTick);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    aispm::v1::Event event;
    const std::string_view body = find->blob(0);
    const WallTime time{find->integer(1)};
    if (!event.ParseFromArray(body.data(), static_cast<int>(body.size())))
      return fail(Errc::kInternal, "store: an event cannot be read");
    if (!is_init(*init, event.process())) continue;
    find->reset();
    return sessions.end(session, as_end(event.process_exit()), time);
  }
}

}  // namespace aispm::collector::inventory
