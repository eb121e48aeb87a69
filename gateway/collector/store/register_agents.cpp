// SPDX-License-Identifier: Apache-2.0
// The registry's agents.
#include "gateway/collector/store/asset_book.hpp"
#include "gateway/collector/store/checks.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/policy_shelf.hpp"
#include "gateway/collector/store/register_book.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::size_t kMaxKeyBytes = 4096;  // as the reader of registry.yaml takes it
constexpr std::size_t kMaxFactBytes = 512;
constexpr unsigned kMaxStreak = 4;  // more than three denials in a row count

// Whoever was seen, and whoever somebody decided about.
constexpr std::string_view kColumns =
    "SELECT a.ref, a.agent_id, IFNULL(r.state, 0), IFNULL(r.reason, ''), r.rights, "
    "IFNULL(r.owner, ''), r.expires, r.ref, ";
constexpr std::string_view kRest =
    " AS seen, a.first_seen, a.last_seen, a.llm_calls, a.denied, r.changed, "
    "IFNULL(r.changed_by, '') FROM agents a LEFT JOIN registry_agents r ON r.tenant=?1 AND "
    "r.agent_id=a.agent_id ";

std::string columns() { return std::string(kColumns) + kHasDone + std::string(kRest); }

std::int64_t nanoseconds_of(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000'000 + time.nanos();
}

Result<> check_time(const google::protobuf::Timestamp& time, const char* field) {
  constexpr std::int64_t kMaxSeconds = 9'223'372'035;
  if (time.seconds() < 0 || time.seconds() > kMaxSeconds)
    return fail(Errc::kInvalid, std::string(field) + ": allowed is 1970 to 2262");
  return {};
}

Result<> check_rights(const pb::AgentRights& rights) {
  AISPM_CHECK(check_text(rights.type(), "rights.type", kMaxFactBytes));
  AISPM_CHECK(check_text(rights.environment(), "rights.environment", kMaxFactBytes));
  AISPM_CHECK(check_list(rights.roles(), "rights.roles", RegisterBook::kMaxNames));
  AISPM_CHECK(check_list(rights.scopes(), "rights.scopes", RegisterBook::kMaxNames));
  AISPM_CHECK(check_time(rights.attested_until(), "rights.attested_until"));
  if (rights.key().size() > kMaxKeyBytes)
    return fail(Errc::kInvalid, "rights.key: longer than 4096 bytes");
  for (const char* const level : {"", "untrusted", "basic", "verified", "privileged", "system"})
    if (rights.trust() == level) return {};
  return fail(Errc::kInvalid,
              "rights.trust: allowed are untrusted, basic, verified, privileged and system");
}

// What people decided, without what was seen.
pb::RegisteredAgent agent_record(const pb::RegisteredAgent& agent) {
  pb::RegisteredAgent record;
  record.set_state(agent.state());
  record.set_reason(agent.reason());
  record.set_owner(agent.owner());
  record.set_declared(agent.declared());
  if (agent.has_rights()) *record.mutable_rights() = agent.rights();
  if (agent.has_expires()) *record.mutable_expires() = agent.expires();
  return record;
}

RegisterChange agent_change(const pb::RegisteredAgent& before, const pb::RegisteredAgent& after,
                            const char* action, const std::string& reason) {
  const auto in_a_word = [](const pb::RegisteredAgent& agent) {
    return agent.has_rights() ? agent.state() + ", trust " + agent.rights().trust() : agent.state();
  };
  return {.kind = "agent",
          .provider = "",
          .name = after.agent_id(),
          .action = action,
          .reason = reason,
          .before = register_json(agent_record(before)),
          .after = register_json(agent_record(after)),
          .state_before = in_a_word(before),
          .state_after = in_a_word(after)};
}

}  // namespace

Result<pb::RegisteredAgent> RegisterBook::read_agent(const Statement& row, WallTime now) {
  pb::RegisteredAgent agent;
  agent.set_agent_id(row.text(1));
  agent.set_tenant(tenant_);
  agent.set_state(register_state_name(row.integer(2)));
  agent.set_reason(row.text(3));
  const std::string_view rights = row.blob(4);
  if (!row.is_null(4) &&
      !agent.mutable_rights()->ParseFromArray(rights.data(), static_cast<int>(rights.size())))
    return fail(Errc::kInternal, "store: an agent's rights cannot be read");
  agent.set_owner(row.text(5));
  if (!row.is_null(6)) {
    set_time(row.integer(6), agent.mutable_expires());
    if (row.integer(6) <= now.nanoseconds && agent.state() == "approved")
      agent.set_state("expired");
  }
  agent.set_declared(row.integer(2) != 0);
  if (row.integer(8) != 0) {
    set_time(row.integer(9), agent.mutable_first_seen());
    set_time(row.integer(10), agent.mutable_last_seen());
  }
  agent.set_llm_calls(row.count(11));
  agent.set_denied(row.count(12));
  if (!row.is_null(13)) set_time(row.integer(13), agent.mutable_changed());
  agent.set_changed_by(row.text(14));
  return agent;
}

Result<pb::RegisteredAgentList> RegisterBook::agents(const pb::ListRegisteredAgentsRequest& request,
                                                     WallTime now) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  int state = -1;
  const bool is_expired = request.state() == "expired";
  if (is_expired) {
    state = 1;
  } else if (!request.state().empty()) {
    AISPM_TRY(state, parse_register_state(request.state()));
  }
  AISPM_TRY(Statement* const find,
            database_.cached(columns() +
                             "WHERE a.agent_id LIKE ?2 ESCAPE '\\' AND (r.ref IS NOT NULL OR "
                             "seen) AND (?3<0 OR IFNULL(r.state, 0)=?3) AND (?3<>1 OR "
                             "?4=(IFNULL(r.expires, 9223372036854775807)<=?5)) AND (?6=0 OR "
                             "IFNULL(r.state, 0)=0) AND (?7 OR a.agent_id>?8) ORDER BY a.agent_id "
                             "LIMIT ?9"));
  find->bind(tenant_, page.like, state, is_expired, now.nanoseconds, request.undeclared(),
             page.is_first, page.after.key, page.limit + 1);
  pb::RegisteredAgentList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 1, 0, [&](const Statement& row) -> Result<> {
              AISPM_TRY(*list.add_agents(), read_agent(row, now));
              return {};
            }));
  return list;
}

Result<pb::RegisteredAgent> RegisterBook::find_agent(const std::string& agent_id, WallTime now) {
  AISPM_TRY(Statement* const find,
            database_.cached(columns() + "WHERE a.agent_id=?2 AND (r.ref IS NOT NULL OR seen)"));
  AISPM_TRY(const bool is_row, find->bind(tenant_, agent_id).step());
  if (!is_row) return fail(Errc::kNotFound, "no agent has that id");
  auto agent = read_agent(*find, now);
  find->reset();
  return agent;
}

Result<pb::RegisteredAgent> RegisterBook::agent(const std::string& agent_id, WallTime now) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(pb::RegisteredAgent agent, find_agent(agent_id, now));
  AISPM_CHECK(
      add_hosts("SELECT DISTINCT h.host_id FROM events e JOIN hosts h ON h.ref=e.host "
                "WHERE e.agent=(SELECT ref FROM agents WHERE agent_id=?1) LIMIT ?2",
                agent_id, &agent));
  AISPM_CHECK(add_history("agent", "", agent_id, &agent));
  return agent;
}

Result<> RegisterBook::save_agent(const pb::RegisteredAgent& agent, int state,
                                  const std::string& who, WallTime now) {
  std::string bytes;
  std::optional<Blob> rights;
  if (agent.has_rights()) {
    bytes = agent.rights().SerializeAsString();
    rights = Blob{bytes};
  }
  std::optional<std::int64_t> expires;
  if (agent.has_expires()) expires = nanoseconds_of(agent.expires());
  // Lists are made over who was seen; who has done nothing yet shows up in this one only.
  AISPM_CHECK(run_sql(database_,
                      "INSERT OR IGNORE INTO agents (agent_id, first_seen, last_seen) VALUES "
                      "(?1,?2,?2)",
                      agent.agent_id(), now.nanoseconds));
  return run_sql(database_,
                 "INSERT INTO registry_agents (tenant, agent_id, state, reason, rights, owner, "
                 "expires, changed, changed_by) VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE "
                 "SET state=excluded.state, reason=excluded.reason, rights=excluded.rights, "
                 "owner=excluded.owner, expires=excluded.expires, changed=excluded.changed, "
                 "changed_by=excluded.changed_by",
                 tenant_, agent.agent_id(), state, agent.reason(), rights, agent.owner(), expires,
                 now.nanoseconds, who);
}

Result<RegisterChange> RegisterBook::register_agent(const pb::RegisterAgentRequest& request,
                                                    const std::string& who, WallTime now) {
  AISPM_CHECK(check_reason(request.reason()));
  AISPM_CHECK(check_rights(request.rights()));
  AISPM_CHECK(check_text(request.owner(), "owner", kMaxFactBytes));
  AISPM_CHECK(check_time(request.expires(), "expires"));
  AISPM_CHECK(check_text(request.agent_id(), "agent_id"));
  if (request.agent_id().empty()) return fail(Errc::kInvalid, "agent_id: is missing");
  pb::RegisteredAgent before;
  if (auto known = find_agent(request.agent_id(), now))
    before = std::move(*known);
  else if (known.error().code != Errc::kNotFound)
    return fail(known.error());
  const bool is_blocked = before.state() == "blocked";
  pb::RegisteredAgent agent;
  agent.set_agent_id(request.agent_id());
  agent.set_reason(is_blocked ? before.reason() : request.reason());
  agent.set_owner(request.owner());
  *agent.mutable_rights() = request.rights();
  if (request.rights().trust().empty()) agent.mutable_rights()->set_trust("untrusted");
  if (request.has_expires()) *agent.mutable_expires() = request.expires();
  AISPM_CHECK(save_agent(agent, is_blocked ? 2 : 1, who, now));
  AISPM_TRY(const pb::RegisteredAgent after, find_agent(request.agent_id(), now));
  return agent_change(before, after, "agent.register", request.reason());
}

Result<RegisterChange> RegisterBook::review_agent(const pb::ReviewAgentRequest& request,
                                                  const std::string& who, WallTime now) {
  AISPM_CHECK(check_reason(request.reason()));
  AISPM_TRY(const int state, parse_register_state(request.state()));
  AISPM_TRY(const pb::RegisteredAgent before, find_agent(request.agent_id(), now));
  pb::RegisteredAgent agent = before;
  agent.set_reason(request.reason());
  if (state == 0) {
    agent.clear_rights();
    agent.clear_expires();
    agent.clear_owner();
  }
  AISPM_CHECK(save_agent(agent, state, who, now));
  AISPM_TRY(const pb::RegisteredAgent after, find_agent(request.agent_id(), now));
  constexpr const char* kActions[] = {"agent.forget", "agent.approve", "agent.block"};
  return agent_change(before, after, kActions[state], request.reason());
}

Result<unsigned> RegisterBook::denials_in_row(const std::string& agent_id) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT e.outcome, EXISTS (SELECT 1 FROM verdicts v WHERE "
                             "v.event=e.seq AND v.verdict=1) FROM events e WHERE e.agent=(SELECT "
                             "ref FROM agents WHERE agent_id=?1) AND e.kind=?2 ORDER BY e.time "
                             "DESC LIMIT ?3"));
  find->bind(agent_id, static_cast<int>(pb::Event::kActionCall), kMaxStreak);
  unsigned denials = 0;
  bool is_row_of_denials = true;
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return denials;
    is_row_of_denials = is_row_of_denials && find->integer(1) != 0;
    if (is_row_of_denials) ++denials;
  }
}

Result<std::vector<pb::RegisteredAgent>> RegisterBook::decided_agents(WallTime now) {
  std::vector<pb::RegisteredAgent> agents;
  AISPM_TRY(Statement* const find,
            database_.cached(columns() + "WHERE r.state<>0 ORDER BY a.agent_id"));
  find->bind(tenant_);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return agents;
    AISPM_TRY(agents.emplace_back(), read_agent(*find, now));
  }
}

}  // namespace aispm::collector::store
