// SPDX-License-Identifier: Apache-2.0
// What a server offers: asked page by page, kept for its session.
#include "gateway/mcp/mcp_request.hpp"
#include "gateway/mcp/server_link.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::gateway {

using net::Task;

namespace {

// A server that names the page that was just read as the next one has no more.
std::string next_page(const std::string& read, std::string next) {
  return next == read ? std::string() : next;
}

}  // namespace

Task<std::shared_ptr<const ToolBook>> ServerLink::list() {
  auto book = std::make_shared<ToolBook>();
  const auto with = co_await connect();
  if (!with) co_return fail(with.error());
  if (!with->offers.tools) co_return std::shared_ptr<const ToolBook>(std::move(book));
  std::string cursor;
  do {
    const ServerAsk what{.method = "tools/list", .params = server_list(cursor)};
    AISPM_CO_TRY(const ServerMessage said, co_await ask(what));
    const bool is_refused = said.kind == ServerMessage::Kind::kError;
    const std::string code = std::to_string(said.error_code);
    auto next = is_refused ? Result<std::string>(
                                 fail(Errc::kUnavailable, "answered tools/list with error " + code))
                           : book->add_page(config().endpoint.name, said.result);
    if (!next) co_return note(Result<std::shared_ptr<const ToolBook>>(fail(next.error())));
    cursor = next_page(cursor, std::move(*next));
  } while (!cursor.empty());
  book->finish(config().endpoint.name);
  co_return std::shared_ptr<const ToolBook>(std::move(book));
}

void ServerLink::tell_tools(const ToolBook& book) {
  Services& services = worker_.services();
  const std::string& server = config().endpoint.name;
  if (!services.told_tools.is_news(server, book)) return;
  model::McpTools list;
  list.transport = "http";
  list.server_name = server;
  const std::string& origin = config().endpoint.origin;
  const std::size_t scheme = origin.find("://");
  list.server_host = scheme == std::string::npos ? origin : origin.substr(scheme + 3);
  for (const McpTool& tool : book.tools()) {
    if (tool.hides_output_schema)
      log::warn("mcp.output_schema_dropped", {{"server", server}, {"tool", tool.definition.name}});
    model::McpTool& told = list.tools.emplace_back();
    told.name = tool.definition.name;
    told.description_sha256 = tool.definition.description_sha256;
    told.schema_sha256 = tool.definition.schema_sha256;
    if (tool.hides_text) told.findings.emplace_back("HIDDEN_TEXT");
    if (tool.speaks_of_others) told.findings.emplace_back("CROSS_TOOL_REFERENCE");
  }
  model::Event event;
  event.id = make_uuid();
  event.time = wall_now();
  event.source = model::Source::kGateway;
  event.host_id = services.host_id;
  event.body = std::move(list);
  worker_.record(std::move(event));
}

Task<> ServerLink::read_shelf(Catalogue& read) {
  std::string cursor;
  do {
    const ServerAsk what{.method = std::string(list_method(read.shelf())),
                         .params = server_list(cursor)};
    AISPM_CO_TRY(const ServerMessage said, co_await ask(what));
    if (said.kind == ServerMessage::Kind::kError) {
      // Many have resources and no templates of them.
      const bool is_unknown = said.error_code == mcp_code::kUnknownMethod;
      if (is_unknown && read.shelf() == Shelf::kTemplates) co_return Result<>{};
      co_return note(Result<>(fail(Errc::kUnavailable, "answered " + what.method + " with error " +
                                                           std::to_string(said.error_code))));
    }
    auto next = read.add_page(config().endpoint.name, said.result);
    if (!next) co_return note(Result<>(fail(next.error())));
    cursor = next_page(cursor, std::move(*next));
  } while (!cursor.empty());
  read.finish(config().endpoint.name);
  co_return Result<>{};
}

Task<std::shared_ptr<const ToolBook>> ServerLink::tools(std::chrono::milliseconds age) {
  if (auto known = session_.tools(server_, age, net::Clock::now())) co_return known;
  AISPM_CO_TRY(auto listed, co_await list());
  session_.keep_tools(server_, listed, net::Clock::now());
  tell_tools(*listed);
  co_return listed;
}

Task<std::shared_ptr<const Catalogue>> ServerLink::catalogue(Shelf shelf,
                                                             std::chrono::milliseconds age) {
  if (auto known = session_.catalogue(server_, shelf, age, net::Clock::now())) co_return known;
  auto opened = co_await connect();
  if (!opened) co_return fail(opened.error());
  auto read = std::make_shared<Catalogue>(shelf);
  const ServerOffers& offers = opened->offers;
  if (shelf == Shelf::kPrompts ? offers.prompts : offers.resources)
    AISPM_CO_CHECK(co_await read_shelf(*read));
  session_.keep_catalogue(server_, read, net::Clock::now());
  co_return std::shared_ptr<const Catalogue>(std::move(read));
}

}  // namespace aispm::gateway
