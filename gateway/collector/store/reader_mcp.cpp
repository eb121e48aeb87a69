// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/asset_book.hpp"
#include "gateway/collector/store/inventory_reader.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"

namespace aispm::collector::store {
namespace {

constexpr int kMaxHistory = 200;
constexpr int kMaxAgents = 64;

constexpr std::string_view kColumns =
    "SELECT s.ref, h.host_id, h.hostname, s.name, s.version, s.protocol_version, s.transport, "
    "s.endpoint, s.process, s.first_seen, s.last_seen, s.calls, s.errors, (SELECT COUNT(*) FROM "
    "mcp_tools t WHERE t.server=s.ref AND t.removed=0), s.listed, s.changes, s.last_change "
    "FROM mcp_servers s JOIN hosts h ON h.ref=s.host ";

}  // namespace

Result<pb::McpServer> InventoryReader::read_server(const Statement& row) {
  pb::McpServer server;
  server.set_id("m" + std::to_string(row.integer(0)));
  server.set_host_id(row.text(1));
  server.set_hostname(row.text(2));
  server.set_name(row.text(3));
  server.set_version(row.text(4));
  server.set_protocol_version(row.text(5));
  server.set_transport(row.text(6));
  server.set_endpoint(row.text(7));
  const std::string_view process = row.blob(8);
  if (!row.is_null(8) &&
      !server.mutable_process()->ParseFromArray(process.data(), static_cast<int>(process.size())))
    return fail(Errc::kInternal, "store: a process does not parse");
  set_time(row.integer(9), server.mutable_first_seen());
  set_time(row.integer(10), server.mutable_last_seen());
  server.set_calls(row.count(11));
  server.set_errors(row.count(12));
  server.set_tools(static_cast<std::uint32_t>(row.count(13)));
  server.set_listed(!row.is_null(14));
  server.set_changes(static_cast<std::uint32_t>(row.count(15)));
  if (!row.is_null(16)) set_time(row.integer(16), server.mutable_last_change());
  AISPM_TRY(Statement* const agents,
            database_.cached("SELECT g.agent_id FROM mcp_server_agents m JOIN agents g ON "
                             "g.ref=m.agent WHERE m.server=? ORDER BY 1 LIMIT ?"));
  agents->bind(row.integer(0), kMaxAgents);
  for (;;) {
    AISPM_TRY(const bool is_agent, agents->step());
    if (!is_agent) return server;
    server.add_agents(agents->text(0));
  }
}

Result<pb::McpServerList> InventoryReader::mcp_servers(const pb::ListMcpServersRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const Page page, Page::of(request));
  AISPM_TRY(Statement* const find,
            database_.cached(std::string(kColumns) +
                             "WHERE (s.name LIKE ?1 ESCAPE '\\' OR s.endpoint LIKE ?1 ESCAPE '\\') "
                             "AND (?2='' OR h.host_id=?2) AND (?3=0 OR s.changes>0) "
                             "AND (?4 OR (s.last_seen, s.ref) < (?5, ?6)) "
                             "ORDER BY s.last_seen DESC, s.ref DESC LIMIT ?7"));
  find->bind(page.like, request.host_id(), request.changed(), page.is_first,
             std::strtoll(page.after.key.c_str(), nullptr, 10), page.after.ref, page.limit + 1);
  pb::McpServerList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, page.limit, 10, 0, [&](const Statement& row) -> Result<> {
              AISPM_TRY(*list.add_servers(), read_server(row));
              return {};
            }));
  return list;
}

Result<pb::McpServer> InventoryReader::mcp_server(const std::string& id) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const std::int64_t ref, parse_row_id('m', id));
  AISPM_TRY(Statement* const find, database_.cached(std::string(kColumns) + "WHERE s.ref=?"));
  AISPM_TRY(const bool is_row, find->bind(ref).step());
  if (!is_row) return fail(Errc::kNotFound, "no MCP server has the id " + id);
  auto server = read_server(*find);
  find->reset();
  if (!server) return server;
  AISPM_CHECK(add_tools(ref, &*server));
  AISPM_CHECK(add_tool_changes(ref, &*server));
  return server;
}

Result<> InventoryReader::add_tools(std::int64_t server, pb::McpServer* to) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT name, description_sha256, schema_sha256, first_seen, "
                             "last_seen, changed, removed, calls, errors FROM mcp_tools WHERE "
                             "server=? ORDER BY removed, name"));
  find->bind(server);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    pb::McpServerTool& tool = *to->add_tool_list();
    tool.set_name(find->text(0));
    tool.set_description_sha256(find->text(1));
    tool.set_schema_sha256(find->text(2));
    set_time(find->integer(3), tool.mutable_first_seen());
    set_time(find->integer(4), tool.mutable_last_seen());
    if (!find->is_null(5)) set_time(find->integer(5), tool.mutable_changed());
    tool.set_removed(find->integer(6) != 0);
    tool.set_calls(find->count(7));
    tool.set_errors(find->count(8));
  }
}

Result<> InventoryReader::add_tool_changes(std::int64_t server, pb::McpServer* to) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT time, tool, change, description_before, description_after, "
                             "schema_before, schema_after FROM mcp_tool_changes WHERE server=? "
                             "ORDER BY time DESC, ref DESC LIMIT ?"));
  find->bind(server, kMaxHistory);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    pb::McpToolChange& change = *to->add_history();
    set_time(find->integer(0), change.mutable_time());
    change.set_tool(find->text(1));
    change.set_change(find->text(2));
    change.set_description_before(find->text(3));
    change.set_description_after(find->text(4));
    change.set_schema_before(find->text(5));
    change.set_schema_after(find->text(6));
  }
}

}  // namespace aispm::collector::store
