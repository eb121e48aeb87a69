// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/sightings.hpp"

#include <algorithm>
#include <utility>

#include "gateway/collector/inventory/mcp.hpp"

namespace aispm::collector::inventory {
namespace {

using aispm::v1::Event;
using store::Statement;

// What policies say of a prompt or a reply as a whole is recorded like an action.
bool is_tool(const aispm::v1::ActionCall& call) {
  const bool is_exchange =
      call.tool_provider().empty() && (call.tool() == "prompt" || call.tool() == "reply");
  return !call.tool().empty() && !is_exchange && call.surface() != "mcp.list";
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace

void Sightings::Seen::at(const Concern& concern) {
  first = std::min(first, concern.time.nanoseconds);
  if (concern.time.nanoseconds >= last) host = concern.host;
  last = std::max(last, concern.time.nanoseconds);
}

Sightings::Use& Sightings::use_of(const Concern& concern, const Event& event,
                                  const std::string& provider, const std::string& tool) {
  Use& use = tools_[{event.tenant(), std::string(cut_name(provider)), std::string(cut_name(tool))}];
  use.seen.at(concern);
  use.hosts.insert(concern.host);
  return use;
}

void Sightings::define(Use& use, const Concern& concern, const std::string& description,
                       const std::string& schema, std::set<std::string> findings) {
  if (description.empty() && schema.empty()) return;
  Seen& seen = use.definitions[{description, schema}];
  seen.at(concern);
  seen.findings.merge(findings);
}

void Sightings::see_action(const Concern& concern, const Event& event) {
  const auto& call = event.action_call();
  if (!is_tool(call)) return;
  Use& use = use_of(concern, event, call.tool_provider(), call.tool());
  define(use, concern, call.description_sha256(), call.schema_sha256(), {});
  // What is only watched changed nothing, and the same call has another record.
  if (event.decision().mode() == "monitor") return;
  ++use.decisions;
  if (verdict_of(event) == Verdict::kDenied) ++use.denied;
}

void Sightings::see(const Concern& concern, const Event& event) {
  switch (event.body_case()) {
    case Event::kMcpTools: {
      const auto& list = event.mcp_tools();
      const std::string server = identify_server(list.transport(), list.server_name(),
                                                 list.server_host(), list.server_process())
                                     .name;
      for (const auto& tool : list.tools())
        define(use_of(concern, event, server, tool.name()), concern, tool.description_sha256(),
               tool.schema_sha256(), {tool.findings().begin(), tool.findings().end()});
      return;
    }
    case Event::kMcpCall: {
      const auto& call = event.mcp_call();
      if (call.method() != "tools/call" || call.tool().empty()) return;
      ++use_of(concern, event,
               identify_server(call.transport(), call.server_name(), call.server_host(),
                               call.server_process())
                   .name,
               call.tool())
            .calls;
      return;
    }
    case Event::kActionCall:
      return see_action(concern, event);
    case Event::kLlmCall:
      for (const std::string& tool : event.llm_call().tools_offered())
        if (!tool.empty()) use_of(concern, event, "", tool);
      return;
    default:
      return;
  }
}

// 0: there is no room for it.
Result<std::int64_t> Sightings::row_of(const Name& name, const Use& use) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT ref FROM registry_tools WHERE tenant=? AND provider=? AND "
                             "name=?"));
  AISPM_TRY(const bool is_row, find->bind(name.tenant, name.provider, name.tool).step());
  const std::int64_t known = is_row ? find->integer(0) : 0;
  find->reset();
  if (known != 0) {
    AISPM_CHECK(run_sql(database_,
                        "UPDATE registry_tools SET first_seen=MIN(IFNULL(first_seen, ?2), ?2), "
                        "last_seen=MAX(IFNULL(last_seen, ?3), ?3), calls=calls+?4, "
                        "decisions=decisions+?5, denied=denied+?6 WHERE ref=?1",
                        known, use.seen.first, use.seen.last, use.calls, use.decisions,
                        use.denied));
    return known;
  }
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO registry_tools (tenant, provider, name, first_seen, last_seen, "
                      "calls, decisions, denied) SELECT ?1,?2,?3,?4,?5,?6,?7,?8 WHERE (SELECT "
                      "COUNT(*) FROM registry_tools) < ?9",
                      name.tenant, name.provider, name.tool, use.seen.first, use.seen.last,
                      use.calls, use.decisions, use.denied, kMaxTools));
  if (database_.changes() == 0) {
    ++refused_;
    return std::int64_t{0};
  }
  return database_.last_row();
}

Result<> Sightings::write_definition(std::int64_t tool, const Definition& definition,
                                     const Seen& seen) {
  const std::string findings = joined(seen.findings);
  return run_sql(database_,
                 "INSERT INTO registry_definitions (tool, description, schema, first_seen, "
                 "last_seen, host, findings) VALUES (?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
                 "first_seen=MIN(IFNULL(first_seen, excluded.first_seen), excluded.first_seen), "
                 "last_seen=MAX(IFNULL(last_seen, excluded.last_seen), excluded.last_seen), "
                 "host=excluded.host, findings=IFNULL(NULLIF(excluded.findings, ''), findings)",
                 tool, definition.description, definition.schema, seen.first, seen.last, seen.host,
                 findings);
}

Result<> Sightings::write(const Name& name, const Use& use) {
  AISPM_TRY(const std::int64_t tool, row_of(name, use));
  if (tool == 0) return {};
  for (const std::int64_t host : use.hosts)
    AISPM_CHECK(run_sql(database_,
                        "INSERT INTO registry_tool_hosts (tool, host, last_seen) VALUES (?,?,?) ON "
                        "CONFLICT DO UPDATE SET last_seen=MAX(last_seen, excluded.last_seen)",
                        tool, host, use.seen.last));
  for (const auto& [definition, seen] : use.definitions)
    AISPM_CHECK(write_definition(tool, definition, seen));
  if (use.definitions.empty()) return {};
  return run_sql(database_,
                 "DELETE FROM registry_definitions WHERE tool=?1 AND pinned=0 AND (description, "
                 "schema) NOT IN (SELECT description, schema FROM registry_definitions WHERE "
                 "tool=?1 ORDER BY pinned DESC, last_seen DESC LIMIT ?2)",
                 tool, kMaxDefinitions);
}

Result<> Sightings::flush() {
  for (const auto& [name, use] : tools_) AISPM_CHECK(write(name, use));
  tools_.clear();
  return {};
}

void Sightings::forget() {
  tools_.clear();
  refused_ = 0;
}

std::uint64_t Sightings::take_refused() { return std::exchange(refused_, 0); }

}  // namespace aispm::collector::inventory
