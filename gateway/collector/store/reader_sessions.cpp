// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

// Kind 20 is process_exec: a process counts once, also when it executes several programs in a row.
const std::string kSessionColumns =
    "SELECT s.ref, s.session_id, IFNULL((SELECT agent_id FROM agents WHERE ref=s.agent), ''), "
    "h.host_id, h.hostname, "
    "IFNULL(s.started, s.first_seen), s.started IS NOT NULL, s.ended, s.exit_code, s.signal, "
    "s.llm_calls, s.detections, "
    "s.denied, s.redacted, s.sandbox_denials, s.launch, "
    "(SELECT COUNT(DISTINCT e.process_start) FROM events e WHERE e.session=s.ref AND e.kind=20) "
    "FROM sessions s JOIN hosts h ON h.ref=s.host ";

constexpr int kRef = 0;

}  // namespace

Result<pb::SandboxStart> Reader::read_launch(const Statement& row, int column) {
  pb::SandboxStart launch;
  const std::string_view bytes = row.blob(column);
  if (!launch.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail(Errc::kInternal, "store: a session's launch does not parse");
  return launch;
}

Result<pb::Session> Reader::read_session(const Statement& row) {
  pb::Session session;
  session.set_session_id(row.text(1));
  session.set_agent_id(row.text(2));
  session.set_host_id(row.text(3));
  session.set_hostname(row.text(4));
  set_time(row.integer(5), session.mutable_start());
  // A session without a sandbox has no end of its own; one with a sandbox runs until its
  // SandboxExit.
  session.set_running(row.integer(6) != 0 && row.is_null(7));
  if (!row.is_null(7)) set_time(row.integer(7), session.mutable_end());
  session.set_exit_code(static_cast<std::uint32_t>(row.integer(8)));
  session.set_signal(static_cast<std::uint32_t>(row.integer(9)));
  session.set_llm_calls(row.count(10));
  session.set_detections(row.count(11));
  session.set_denied(row.count(12));
  session.set_redacted(row.count(13));
  session.set_sandbox_denials(row.count(14));
  AISPM_TRY(const pb::SandboxStart launch, read_launch(row, 15));
  *session.mutable_command() = launch.command();
  *session.mutable_mechanisms() = launch.mechanisms();
  session.set_profile(launch.profile());
  session.set_workspace(launch.workspace());
  session.set_processes(row.count(16));
  return session;
}

Result<pb::SessionList> Reader::sessions(const pb::ListRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(
      Statement* const find,
      database_.cached(
          kSessionColumns +
          "WHERE (s.session_id LIKE ?1 ESCAPE '\\' OR (SELECT agent_id FROM agents WHERE "
          "ref=s.agent) "
          "LIKE ?1 ESCAPE '\\' OR (?1='%%')) AND (?2 OR s.ref < ?3) ORDER BY s.ref DESC LIMIT ?4"));
  find->bind(page.like, page.is_first, page.after.ref, page.limit + 1);
  pb::SessionList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, kRef, kRef, [&](const Statement& row) -> Result<> {
              AISPM_TRY(*list.add_sessions(), read_session(row));
              return {};
            }));
  return list;
}

Result<pb::SessionStory> Reader::session(const std::string& session_id) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(Statement* const find, database_.cached(kSessionColumns + "WHERE s.session_id=?"));
  AISPM_TRY(const bool is_row, find->bind(session_id).step());
  if (!is_row) return fail(Errc::kNotFound, "no session with that id");
  pb::SessionStory story;
  const std::int64_t ref = find->integer(kRef);
  AISPM_TRY(*story.mutable_session(), read_session(*find));
  find->reset();
  AISPM_TRY(Statement* const events,
            database_.cached(std::string(kEventColumns) +
                             "INDEXED BY events_session WHERE e.session=? ORDER BY e.time, e.seq"));
  events->bind(ref);
  std::size_t bytes = 0;
  for (;;) {
    AISPM_TRY(const bool is_event, events->step());
    if (!is_event) return story;
    bytes += events->blob(8).size();
    if (static_cast<std::size_t>(story.events_size()) == limits::kMaxStoryEvents ||
        bytes > limits::kMaxStoryBytes) {
      events->reset();
      story.set_truncated(true);
      return story;
    }
    AISPM_TRY(*story.add_events(), read_event(*events));
  }
}

}  // namespace aispm::collector::store
