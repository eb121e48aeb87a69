// SPDX-License-Identifier: Apache-2.0
// Whatever clients and servers say in MCP: a message that can only be read in one way, or an error.
// The first byte chooses who speaks.
#include <cstdint>
#include <cstdlib>

#include "gateway/mcp/catalogue.hpp"
#include "gateway/mcp/mcp_names.hpp"
#include "gateway/mcp/mcp_reply.hpp"
#include "gateway/mcp/server_message.hpp"
#include "gateway/mcp/shown_entry.hpp"
#include "gateway/mcp/tool_book.hpp"

namespace {

using namespace aispm::gateway;

void require(bool claim) {
  if (!claim) std::abort();
}

// Clients get it as it is.
void require_object(std::string_view json) {
  aispm::codec::JsonTree tree;
  require(tree.read(json, 2 * aispm::codec::kMaxRpcDepth).has_value());
}

void hear_client(std::string_view body, bool is_stateless) {
  McpHead head{.content_type = "application/json",
               .accept = "*/*",
               .version = std::string(is_stateless ? kMcpStateless : kMcpNewestSession),
               .session_id = {},
               .method = is_stateless ? "tools/call" : "",
               .name = is_stateless ? "a__b" : ""};
  const McpReading reading = read_mcp_post(head, body);
  if (reading.refusal) {
    require(reading.refusal->status >= 400);
    return;
  }
  const McpMessage& message = reading.message;
  if (!message.meta.empty()) require_object(message.meta);
  require(message.is_stateless == is_stateless || message.method == "initialize");
  if (message.kind != aispm::codec::RpcKind::kRequest) return;
  // What is said back can be read again as the answer to it.
  const auto heard = read_server_message(mcp_result(message, "{\"a\":1}"), message.id);
  require(heard && heard->kind == ServerMessage::Kind::kResult);
}

void hear_server(std::string_view text) {
  if (const auto message = read_server_message(text, "1"))
    if (message->kind == ServerMessage::Kind::kResult) (void)read_server_hello(message->result);
  (void)read_progress(text);
  (void)read_log(text);
  if (const auto prefixed = prefix_uris("s", text))
    require(prefix_uris("s", *prefixed).has_value());  // still one JSON text
  if (const auto path = read_redirect("http://h", text)) require(path->starts_with('/'));
  for (const bool for_sessions : {true, false})
    if (const auto shown = shown_result(text, for_sessions)) require_object(*shown);
  for (const Shelf shelf : {Shelf::kPrompts, Shelf::kResources, Shelf::kTemplates}) {
    Catalogue read(shelf);
    if (!read.add_page("server", text)) continue;
    read.finish("server");
    for (const ShelfItem& item : read.items()) {
      require(read.find(item.name) == &item);
      require_object(item.shown);
      (void)check_prompt_arguments(item, "{\"a\":\"b\"}");
    }
  }
  ToolBook book;
  if (!book.add_page("server", text)) return;
  book.finish("server");
  for (const McpTool& tool : book.tools()) {
    require(book.find(tool.definition.name) == &tool);
    require_object(tool.shown);
    require(tool.shown_stateless != tool.shown);
    require(tool.schema != nullptr || !tool.problem.empty());
    (void)check_arguments(tool, "{\"a\":1}");
    for (const char c : argument_headers(tool, text)) require(c != '\0');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 2)
    hear_server(text);
  else
    hear_client(text, data[0] % 3 == 1);
  return 0;
}
