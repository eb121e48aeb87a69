// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/mcp.hpp"

#include <algorithm>
#include <utility>

#include "gateway/collector/limits.hpp"

namespace aispm::collector::inventory {
namespace {

using aispm::v1::Event;
using store::Blob;
using store::Statement;

std::string base_name(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

// "/usr/bin/node /srv/files.js": an interpreter alone would make all servers of a host one.
std::string command_of(const aispm::v1::Process& process) {
  std::string command = process.exe();
  for (int i = 1; i < process.argv_size(); ++i) {
    if (process.argv(i).empty() || process.argv(i).front() == '-') continue;
    command += ' ' + process.argv(i);
    break;
  }
  return std::string(cut_name(command));
}

// Listed before, and not the same now: what of it is another.
template <typename Tool>
std::string difference(const Tool& before, const Tool& after) {
  const bool is_other_text = before.description != after.description;
  const bool is_other_schema = before.schema != after.schema;
  if (is_other_text && is_other_schema) return "description and schema";
  return is_other_text ? "description" : is_other_schema ? "schema" : "";
}

}  // namespace

ServerIdentity identify_server(const std::string& transport, const std::string& name,
                               const std::string& host, const aispm::v1::Process& process) {
  ServerIdentity identity;
  identity.transport = transport;
  identity.endpoint = host.empty() ? command_of(process) : host;
  identity.is_named = !name.empty();
  identity.name = identity.is_named ? name : host.empty() ? base_name(identity.endpoint) : host;
  if (identity.name.empty()) identity.name = "(unnamed)";
  return identity;
}

Result<McpServers::Known> McpServers::server(const Place& place, const aispm::v1::Process* process,
                                             Moment moment) {
  const std::int64_t host = place.first;
  const ServerIdentity& identity = place.second;
  const auto find = [&](std::string_view sql) -> Result<Known> {
    AISPM_TRY(Statement* const row, database_.cached(sql));
    AISPM_TRY(const bool is_row,
              row->bind(host, identity.transport, identity.endpoint, identity.name).step());
    const Known known = is_row ? Known{row->integer(0), row->integer(1)} : Known{};
    row->reset();
    return known;
  };
  AISPM_TRY(Known known, find("SELECT ref, IFNULL(listed, 0) FROM mcp_servers WHERE host=?1 AND "
                              "transport=?2 AND endpoint=?3 AND name=?4"));
  // Calls may be seen before the server said its name, and after.
  if (known.ref == 0 && !identity.is_named) {
    AISPM_TRY(known, find("SELECT ref, IFNULL(listed, 0) FROM mcp_servers WHERE host=?1 AND "
                          "transport=?2 AND endpoint=?3 AND ?4<>'' ORDER BY last_seen DESC"));
  } else if (known.ref == 0) {
    const std::string fallback =
        identify_server(identity.transport, "",
                        identity.transport == "stdio" ? "" : identity.endpoint,
                        process == nullptr ? aispm::v1::Process() : *process)
            .name;
    AISPM_TRY(Statement* const rename,
              database_.cached("UPDATE mcp_servers SET name=?4 WHERE host=?1 AND transport=?2 AND "
                               "endpoint=?3 AND name=?5 RETURNING ref, IFNULL(listed, 0)"));
    AISPM_TRY(
        const bool is_row,
        rename->bind(host, identity.transport, identity.endpoint, identity.name, fallback).step());
    if (is_row) known = {rename->integer(0), rename->integer(1)};
    AISPM_CHECK(rename->run());
  }
  std::optional<std::string> bytes;
  if (process != nullptr) bytes = process->SerializeAsString();
  std::optional<Blob> blob;
  if (bytes) blob = Blob{*bytes};
  if (known.ref != 0) {
    AISPM_CHECK(run_sql(database_,
                        "UPDATE mcp_servers SET first_seen=MIN(first_seen, ?2), "
                        "last_seen=MAX(last_seen, ?3), process=IFNULL(?4, process) WHERE ref=?1",
                        known.ref, moment.first, moment.last, blob));
    return known;
  }
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO mcp_servers (host, transport, name, endpoint, process, "
                      "first_seen, last_seen) SELECT ?1,?2,?3,?4,?5,?6,?8 WHERE (SELECT COUNT(*) "
                      "FROM mcp_servers) < ?7",
                      host, identity.transport, identity.name, identity.endpoint, blob,
                      moment.first, limits::kMaxServers, moment.last));
  if (database_.changes() == 0) {
    ++refused_;
    return Known{};
  }
  return Known{database_.last_row(), 0};
}

void McpServers::Calls::add(const Concern& concern, const Event& event) {
  const std::int64_t time = concern.time.nanoseconds;
  ++count;
  if (event.mcp_call().is_error()) ++errors;
  first = std::min(first, time);
  last = std::max(last, time);
  if (is_risky(event)) risky = std::max(risky, time);
  if (event.has_decision()) judged = std::max(judged, time);
}

void McpServers::see_call(const Concern& concern, const Event& event) {
  const auto& call = event.mcp_call();
  if (call.protocol() == "a2a") return;  // another agent, not a tool server
  ServerUse& use =
      uses_[{concern.host, identify_server(call.transport(), call.server_name(), call.server_host(),
                                           call.server_process())}];
  use.calls.add(concern, event);
  if (!call.server_version().empty()) use.version = call.server_version();
  if (!call.protocol_version().empty()) use.protocol_version = call.protocol_version();
  if (call.has_server_process() && !use.process) use.process = call.server_process();
  if (concern.agent) use.agents.insert(*concern.agent);
  if (call.method() == "tools/call" && !call.tool().empty())
    use.tools[call.tool()].add(concern, event);
}

Result<> McpServers::write_calls(const Place& place, const ServerUse& use) {
  AISPM_TRY(const Known known, server(place, use.process ? &*use.process : nullptr,
                                      {use.calls.first, use.calls.last}));
  if (known.ref == 0) return {};
  AISPM_CHECK(run_sql(database_,
                      "UPDATE mcp_servers SET version=IFNULL(NULLIF(?2, ''), version), "
                      "protocol_version=IFNULL(NULLIF(?3, ''), protocol_version), calls=calls+?4, "
                      "errors=errors+?5, risky=MAX(risky, ?6), judged=MAX(judged, ?7) WHERE ref=?1",
                      known.ref, use.version, use.protocol_version, use.calls.count,
                      use.calls.errors, use.calls.risky, use.calls.judged));
  for (const std::int64_t agent : use.agents)
    AISPM_CHECK(run_sql(database_,
                        "INSERT OR IGNORE INTO mcp_server_agents (server, agent) VALUES (?,?)",
                        known.ref, agent));
  for (const auto& [tool, calls] : use.tools) {
    AISPM_CHECK(run_sql(
        database_,
        "INSERT INTO mcp_tools (server, name, first_seen, last_seen, calls, errors, risky, judged) "
        "SELECT ?1,?2,?3,?4,?5,?6,?7,?8 WHERE (SELECT COUNT(*) FROM mcp_tools WHERE server=?1) < "
        "?9 "
        "OR EXISTS (SELECT 1 FROM mcp_tools WHERE server=?1 AND name=?2) "
        "ON CONFLICT DO UPDATE SET first_seen=MIN(first_seen, excluded.first_seen), "
        "last_seen=MAX(last_seen, excluded.last_seen), calls=calls+excluded.calls, "
        "errors=errors+excluded.errors, risky=MAX(risky, excluded.risky), judged=MAX(judged, "
        "excluded.judged)",
        known.ref, tool, calls.first, calls.last, calls.count, calls.errors, calls.risky,
        calls.judged, limits::kMaxToolsOfServer));
    if (database_.changes() == 0) ++refused_;
  }
  return {};
}

Result<> McpServers::flush() {
  for (const auto& [place, use] : uses_) AISPM_CHECK(write_calls(place, use));
  uses_.clear();
  return {};
}

void McpServers::forget() {
  uses_.clear();
  refused_ = 0;
}

Result<std::map<std::string, McpServers::Tool>> McpServers::tools_of(std::int64_t server) {
  std::map<std::string, Tool> tools;
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT name, description_sha256, schema_sha256, removed, is_listed "
                             "FROM mcp_tools WHERE server=?"));
  find->bind(server);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return tools;
    tools[find->text(0)] = {find->text(1), find->text(2), find->integer(3) != 0,
                            find->integer(4) != 0};
  }
}

Result<> McpServers::note_change(std::int64_t server, std::int64_t time, const std::string& name,
                                 const std::string& change, const Tool& before, const Tool& after) {
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO mcp_tool_changes (server, time, tool, change, "
                      "description_before, description_after, schema_before, schema_after) VALUES "
                      "(?,?,?,?,?,?,?,?)",
                      server, time, name, change, before.description, after.description,
                      before.schema, after.schema));
  return run_sql(database_,
                 "UPDATE mcp_servers SET changes=changes+1, last_change=?2, risky=MAX(risky, ?2) "
                 "WHERE ref=?1",
                 server, time);
}

Result<> McpServers::write_tool(std::int64_t server, std::int64_t time, const std::string& name,
                                const Tool& tool, bool is_changed) {
  std::optional<std::int64_t> changed;
  if (is_changed) changed = time;
  AISPM_CHECK(run_sql(
      database_,
      "INSERT INTO mcp_tools (server, name, description_sha256, schema_sha256, first_seen, "
      "last_seen, changed, removed, is_listed, risky) SELECT ?1,?2,?3,?4,?5,?5,?6,?7,1,IFNULL(?6, "
      "0) WHERE (SELECT COUNT(*) FROM mcp_tools WHERE server=?1) < ?8 OR EXISTS (SELECT 1 FROM "
      "mcp_tools WHERE server=?1 AND name=?2) ON CONFLICT DO UPDATE SET "
      "description_sha256=excluded.description_sha256, schema_sha256=excluded.schema_sha256, "
      "last_seen=MAX(last_seen, excluded.last_seen), changed=IFNULL(excluded.changed, changed), "
      "removed=excluded.removed, is_listed=1, risky=MAX(risky, excluded.risky)",
      server, name, tool.description, tool.schema, time, changed, tool.is_removed ? 1 : 0,
      limits::kMaxToolsOfServer));
  if (database_.changes() == 0) ++refused_;
  return {};
}

Result<> McpServers::compare(const Known& known, std::int64_t time,
                             const std::map<std::string, Tool>& before,
                             const std::map<std::string, Tool>& after) {
  const bool is_first = known.listed == 0;
  for (const auto& [name, tool] : after) {
    const auto found = before.find(name);
    // A tool that only calls told of has no hashes to compare.
    const bool was_there =
        found != before.end() && found->second.is_listed && !found->second.is_removed;
    std::string change = was_there ? difference(found->second, tool) : is_first ? "" : "added";
    if (found != before.end() && !found->second.is_listed) change.clear();
    if (!change.empty())
      AISPM_CHECK(
          note_change(known.ref, time, name, change, was_there ? found->second : Tool{}, tool));
    AISPM_CHECK(write_tool(known.ref, time, name, tool, !change.empty()));
  }
  for (const auto& [name, tool] : before) {
    if (!tool.is_listed || tool.is_removed || after.contains(name)) continue;
    AISPM_CHECK(note_change(known.ref, time, name, "removed", tool, Tool{}));
    AISPM_CHECK(run_sql(database_,
                        "UPDATE mcp_tools SET removed=1, changed=?3, risky=?3 WHERE server=?1 AND "
                        "name=?2",
                        known.ref, name, time));
  }
  return {};
}

Result<> McpServers::see_tools(const Concern& concern, const Event& event) {
  const auto& list = event.mcp_tools();
  const ServerIdentity identity = identify_server(list.transport(), list.server_name(),
                                                  list.server_host(), list.server_process());
  const std::int64_t time = concern.time.nanoseconds;
  AISPM_TRY(const Known known,
            server({concern.host, identity},
                   list.has_server_process() ? &list.server_process() : nullptr, {time, time}));
  if (known.ref == 0 || time < known.listed) return {};  // a list older than the one that is known
  AISPM_TRY(const auto before, tools_of(known.ref));
  std::map<std::string, Tool> after;
  for (const auto& tool : list.tools())
    after[tool.name()] = {tool.description_sha256(), tool.schema_sha256(), false, true};
  AISPM_CHECK(compare(known, time, before, after));
  return run_sql(database_,
                 "UPDATE mcp_servers SET listed=?2, version=IFNULL(NULLIF(?3, ''), version) WHERE "
                 "ref=?1",
                 known.ref, time, list.server_version());
}

std::uint64_t McpServers::take_refused() { return std::exchange(refused_, 0); }

}  // namespace aispm::collector::inventory
