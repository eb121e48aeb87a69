// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

constexpr int kProvider = 1;
constexpr int kModel = 2;
constexpr int kEvidence = 3;

}  // namespace

Result<std::vector<std::string>> Reader::names(std::string_view sql, std::int64_t ref) {
  std::vector<std::string> all;
  AISPM_TRY(Statement* const find, database_.cached(sql));
  find->bind(ref);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return all;
    all.push_back(find->text(0));
  }
}

Result<pb::HostList> Reader::hosts(const pb::ListRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(
      Statement* const find,
      database_.cached(
          "SELECT hostname, ref, host_id, os, kernel, architecture, first_seen, last_seen, events, "
          "(SELECT COUNT(*) FROM processes p WHERE p.host=hosts.ref) "
          "FROM hosts WHERE (hostname LIKE ?1 ESCAPE '\\' OR host_id LIKE ?1 ESCAPE '\\') "
          "AND (?2 OR (hostname, ref) > (?3, ?4)) ORDER BY hostname, ref LIMIT ?5"));
  find->bind(page.like, page.is_first, page.after.key, page.after.ref, page.limit + 1);
  pb::HostList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 1, [&](const Statement& row) -> Result<> {
              pb::Host& host = *list.add_hosts();
              host.set_hostname(row.text(0));
              host.set_host_id(row.text(2));
              host.set_os(row.text(3));
              host.set_kernel(row.text(4));
              host.set_architecture(row.text(5));
              set_time(row.integer(6), host.mutable_first_seen());
              set_time(row.integer(7), host.mutable_last_seen());
              host.set_events(row.count(8));
              host.set_ai_processes(row.count(9));
              return {};
            }));
  return list;
}

Result<pb::ProcessList> Reader::processes(const pb::ListRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(Statement* const find,
            database_.cached(
                "SELECT p.ref, h.host_id, h.hostname, p.process, " + kIsShadow +
                ", p.confidence, p.calls, "
                "p.first_seen, p.last_seen, p.running, "
                "IFNULL((SELECT agent_id FROM agents WHERE ref=p.agent), ''), "
                "IFNULL((SELECT session_id FROM sessions WHERE ref=p.session), ''), "
                "(SELECT launch FROM sessions WHERE ref=p.session) "
                "FROM processes p JOIN hosts h ON h.ref=p.host WHERE p.name LIKE ?1 ESCAPE '\\' "
                "AND (?2 OR p.ref < ?3) ORDER BY p.ref DESC LIMIT ?4"));
  find->bind(page.like, page.is_first, page.after.ref, page.limit + 1);
  static constexpr std::string_view kFacts =
      "SELECT value FROM process_facts WHERE process=?1 AND kind=?2 ORDER BY value";
  pb::ProcessList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 0, [&](const Statement& row) -> Result<> {
              pb::AiProcess& process = *list.add_processes();
              process.set_host_id(row.text(1));
              process.set_hostname(row.text(2));
              const std::string_view bytes = row.blob(3);
              if (!process.mutable_process()->ParseFromArray(bytes.data(),
                                                             static_cast<int>(bytes.size())))
                return fail(Errc::kInternal, "store: a process does not parse");
              process.set_verdict(row.integer(4) == 0 ? "sanctioned" : "unsanctioned");
              process.set_confidence(row.number(5));
              process.set_calls(row.count(6));
              set_time(row.integer(7), process.mutable_first_seen());
              set_time(row.integer(8), process.mutable_last_seen());
              process.set_running(row.integer(9) != 0);
              process.set_agent_id(row.text(10));
              process.set_session_id(row.text(11));
              AISPM_TRY(const pb::SandboxStart launch, read_launch(row, 12));
              process.set_profile(launch.profile());
              AISPM_TRY(Statement* const facts, database_.cached(kFacts));
              for (const auto& [kind, names] : {std::pair(kProvider, process.mutable_providers()),
                                                std::pair(kModel, process.mutable_models()),
                                                std::pair(kEvidence, process.mutable_evidence())}) {
                facts->bind(row.integer(0), kind);
                for (;;) {
                  AISPM_TRY(const bool is_fact, facts->step());
                  if (!is_fact) break;
                  names->Add(facts->text(0));
                }
              }
              return {};
            }));
  return list;
}

Result<pb::AgentList> Reader::agents(const pb::ListRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(
      Statement* const find,
      database_.cached(
          "SELECT a.agent_id, a.ref, a.first_seen, a.last_seen, a.llm_calls, a.denied, a.redacted, "
          "a.input_tokens, a.output_tokens, "
          "(SELECT COUNT(*) FROM sessions s WHERE s.agent=a.ref), "
          "IFNULL(l.session_id, ''), l.launch FROM agents a LEFT JOIN sessions l ON l.ref="
          "(SELECT ref FROM sessions s WHERE s.agent=a.ref ORDER BY "
          "IFNULL(s.started, s.first_seen) DESC LIMIT 1) "
          "WHERE a.agent_id LIKE ?1 ESCAPE '\\' AND (?2 OR a.agent_id > ?3) AND " +
          kHasDone +
          " "
          "ORDER BY a.agent_id LIMIT ?4"));
  find->bind(page.like, page.is_first, page.after.key, page.limit + 1);
  pb::AgentList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 1, [&](const Statement& row) -> Result<> {
              pb::Agent& agent = *list.add_agents();
              agent.set_agent_id(row.text(0));
              set_time(row.integer(2), agent.mutable_first_seen());
              set_time(row.integer(3), agent.mutable_last_seen());
              agent.set_llm_calls(row.count(4));
              agent.set_denied(row.count(5));
              agent.set_redacted(row.count(6));
              agent.set_input_tokens(row.count(7));
              agent.set_output_tokens(row.count(8));
              agent.set_sessions(row.count(9));
              agent.set_last_session_id(row.text(10));
              AISPM_TRY(const pb::SandboxStart launch, read_launch(row, 11));
              agent.set_last_profile(launch.profile());
              AISPM_TRY(const auto models,
                        names("SELECT model FROM agent_models WHERE agent=? ORDER BY model",
                              row.integer(1)));
              agent.mutable_models()->Assign(models.begin(), models.end());
              return {};
            }));
  return list;
}

Result<pb::ProviderList> Reader::providers(const pb::ListRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(Statement* const find,
            database_.cached(
                "SELECT provider, ref, calls, input_tokens, output_tokens, first_seen, last_seen, "
                "(SELECT IFNULL(SUM(f.calls), 0) FROM process_facts f JOIN processes p ON "
                "p.ref=f.process "
                "WHERE f.kind=1 AND f.value=providers.provider AND " +
                kIsShadow +
                ") "
                "FROM providers WHERE provider LIKE ?1 ESCAPE '\\' AND (?2 OR provider > ?3) "
                "ORDER BY provider LIMIT ?4"));
  find->bind(page.like, page.is_first, page.after.key, page.limit + 1);
  pb::ProviderList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 1, [&](const Statement& row) -> Result<> {
              pb::Provider& provider = *list.add_providers();
              provider.set_provider(row.text(0));
              provider.set_calls(row.count(2));
              provider.set_input_tokens(row.count(3));
              provider.set_output_tokens(row.count(4));
              set_time(row.integer(5), provider.mutable_first_seen());
              set_time(row.integer(6), provider.mutable_last_seen());
              provider.set_unsanctioned_calls(row.count(7));
              AISPM_TRY(const auto hosts,
                        names("SELECT host FROM provider_hosts WHERE provider=? ORDER BY host",
                              row.integer(1)));
              provider.mutable_hosts()->Assign(hosts.begin(), hosts.end());
              return {};
            }));
  return list;
}

Result<pb::ModelList> Reader::models(const pb::ListRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(
      Statement* const find,
      database_.cached("SELECT m.model, m.ref, v.provider, m.calls, m.input_tokens, "
                       "m.output_tokens, m.first_seen, "
                       "m.last_seen FROM models m JOIN providers v ON v.ref=m.provider "
                       "WHERE (m.model LIKE ?1 ESCAPE '\\' OR v.provider LIKE ?1 ESCAPE '\\') "
                       "AND (?2 OR (m.model, m.ref) > (?3, ?4)) ORDER BY m.model, m.ref LIMIT ?5"));
  find->bind(page.like, page.is_first, page.after.key, page.after.ref, page.limit + 1);
  pb::ModelList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 1, [&](const Statement& row) -> Result<> {
              pb::Model& model = *list.add_models();
              model.set_model(row.text(0));
              model.set_provider(row.text(2));
              model.set_calls(row.count(3));
              model.set_input_tokens(row.count(4));
              model.set_output_tokens(row.count(5));
              set_time(row.integer(6), model.mutable_first_seen());
              set_time(row.integer(7), model.mutable_last_seen());
              return {};
            }));
  return list;
}

Result<pb::AgentKeyList> Reader::agent_keys(const pb::ListRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(
      Statement* const find,
      database_.cached(
          "SELECT ref, key_id, agent_id, note, created, revoked FROM agent_keys "
          "WHERE (agent_id LIKE ?1 ESCAPE '\\' OR note LIKE ?1 ESCAPE '\\') AND (?2 OR ref < ?3) "
          "ORDER BY ref DESC LIMIT ?4"));
  find->bind(page.like, page.is_first, page.after.ref, page.limit + 1);
  pb::AgentKeyList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 0, 0, [&](const Statement& row) -> Result<> {
              pb::AgentKey& key = *list.add_keys();
              key.set_key_id(row.text(1));
              key.set_agent_id(row.text(2));
              key.set_note(row.text(3));
              set_time(row.integer(4), key.mutable_created());
              if (!row.is_null(5)) set_time(row.integer(5), key.mutable_revoked());
              return {};
            }));
  return list;
}

}  // namespace aispm::collector::store
