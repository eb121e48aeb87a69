// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_subject.hpp"

#include "gateway/mcp/mcp_listing.hpp"
#include "gateway/mcp/mcp_names.hpp"
#include "gateway/mcp/shown_entry.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"

namespace aispm::gateway {

using codec::json_string;
using net::Task;

namespace {

constexpr std::size_t kMaxShownName = 256;

McpSubject::Kind kind_of(std::string_view method) {
  if (method == "prompts/get") return McpSubject::Kind::kPrompt;
  return method.starts_with("resources/") ? McpSubject::Kind::kResource : McpSubject::Kind::kTool;
}

bool is_granted(const McpServerConfig& server, McpSubject::Kind kind, std::string_view name) {
  switch (kind) {
    case McpSubject::Kind::kTool:
      return is_tool_granted(server, name);
    case McpSubject::Kind::kPrompt:
      return is_item_granted(server, Shelf::kPrompts, name);
    default:
      return name.size() <= Catalogue::kMaxUriBytes &&
             is_item_granted(server, Shelf::kResources, name);
  }
}

}  // namespace

std::string McpSubject::action() const {
  switch (kind) {
    case Kind::kTool:
      return name;
    case Kind::kPrompt:
      return std::string(kPromptAction);
    default:
      return std::string(kResourceAction);
  }
}

ServerAsk McpSubject::ask(const std::string& action_arguments) const {
  ServerAsk asked{.method = action(), .params = action_arguments, .name = name};
  if (kind != Kind::kTool) return asked;
  asked.method = "tools/call";
  asked.params = server_call(name, action_arguments);
  asked.header_lines = argument_headers(*tool, action_arguments);
  return asked;
}

ToolLook McpSubject::look(const ScanContext& scan) const {
  if (tool != nullptr) return look_at_tool(scan, *tool);
  return prompt != nullptr ? look_at_item(scan, *prompt) : ToolLook{};
}

Result<> McpSubject::check(const std::string& given) const {
  if (tool != nullptr) return check_arguments(*tool, given);
  return prompt != nullptr ? check_prompt_arguments(*prompt, given) : Result<>{};
}

codec::Surface McpSubject::surface() const {
  return kind == Kind::kTool ? codec::Surface::kToolResult : codec::Surface::kDocument;
}

Result<std::string> McpSubject::known_result(const std::string& result, bool has_uris,
                                             bool is_stateless) const {
  AISPM_TRY(std::string known,
            has_uris ? prefix_uris(server, result) : Result<std::string>(result));
  if (kind == Kind::kTool) return shown_result(known, !is_stateless);
  if (kind != Kind::kResource) return known;
  codec::JsonTree tree;
  AISPM_CHECK(tree.read(known, codec::kMaxRpcDepth));
  const std::size_t contents = tree.find(0, "contents");
  if (contents == codec::JsonTree::kNone) return fail(Errc::kInvalid, "it has no contents");
  const codec::JsonSpan span = tree[contents].span();
  return "{\"contents\":" + known.substr(span.begin, span.size()) +
         (is_stateless ? ",\"ttlMs\":0,\"cacheScope\":\"private\"}" : "}");
}

std::string McpSubject::result_of(const std::string& words) const {
  const std::string text = "{\"type\":\"text\",\"text\":" + json_string(words) + "}";
  switch (kind) {
    case Kind::kTool:
      return "{\"content\":[" + text + "]}";
    case Kind::kPrompt:
      return "{\"messages\":[{\"role\":\"user\",\"content\":" + text + "}]}";
    default:
      return "{\"contents\":[{\"uri\":" + json_string(name) +
             ",\"mimeType\":\"text/plain\",\"text\":" + json_string(words) + "}]}";
  }
}

std::optional<McpAddress> find_address(const McpConfig& config, const McpMessage& asked,
                                       std::string_view agent_id) {
  McpAddress address;
  address.kind = kind_of(asked.method);
  std::string_view server;
  if (address.kind == McpSubject::Kind::kResource) {
    const auto uri = split_uri(asked.target);
    if (!uri || has_dot_segment(uri->uri)) return std::nullopt;
    server = uri->server;
    address.name = std::string(uri->uri);
  } else {
    const auto named = split_name(asked.target);
    if (!named) return std::nullopt;
    server = named->server;
    address.name = std::string(named->name);
  }
  const auto found = find_server(config, server, agent_id);
  if (!found || !is_granted(config.servers[*found], address.kind, address.name))
    return std::nullopt;
  address.server = *found;
  return address;
}

Task<McpSubject> find_subject(ServerLink& link, const McpServerConfig& config,
                              const McpAddress& address, const McpMessage& asked) {
  McpSubject subject;
  subject.kind = address.kind;
  subject.server = config.endpoint.name;
  subject.name = address.name;
  subject.arguments = asked.arguments;
  if (address.kind == McpSubject::Kind::kTool) {
    AISPM_CO_TRY(subject.tools, co_await link.tools(config.list_age));
    subject.tool = subject.tools->find(address.name);
    if (subject.tool == nullptr) co_return fail(Errc::kNotFound, "no such tool");
  } else if (address.kind == McpSubject::Kind::kPrompt) {
    AISPM_CO_TRY(subject.prompts, co_await link.catalogue(Shelf::kPrompts, config.list_age));
    subject.prompt = subject.prompts->find(address.name);
    if (subject.prompt == nullptr) co_return fail(Errc::kNotFound, "no such prompt");
    subject.arguments = server_prompt(address.name, asked.arguments);
  } else {
    subject.arguments = server_read(address.name);
  }
  co_return subject;
}

std::string unknown_subject(const McpMessage& asked) {
  const std::string name = asked.target.substr(0, kMaxShownName);
  switch (kind_of(asked.method)) {
    case McpSubject::Kind::kTool:
      return mcp_error(asked.id, mcp_code::kInvalidParams, "Unknown tool: " + name);
    case McpSubject::Kind::kPrompt:
      return mcp_error(asked.id, mcp_code::kInvalidParams, "Unknown prompt: " + name);
    default:
      return mcp_error(asked.id,
                       asked.is_stateless ? mcp_code::kInvalidParams : mcp_code::kUnknownResource,
                       "Resource not found: " + name, "{\"uri\":" + json_string(name) + "}");
  }
}

}  // namespace aispm::gateway
