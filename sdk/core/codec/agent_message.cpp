// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/agent_message.hpp"

#include <algorithm>

#include "sdk/core/codec/agent_internal.hpp"
#include "sdk/core/codec/json_array.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;

Result<AgentMessage> parse_one(std::string_view text) {
  JsonTree& tree = thread_tree();
  AISPM_CHECK(tree.read(text, kMaxRpcDepth));
  AISPM_TRY(const RpcMessage rpc, read_rpc(tree, text));
  AgentMessage message;
  message.kind = rpc.kind;
  message.id = rpc.id;
  message.method = short_copy(rpc.method);
  message.is_error = rpc.kind == RpcKind::kError;
  message.error_code = rpc.error_code;
  message.error_message = short_copy(rpc.error_message);
  AgentReader reader{tree, rpc, message};
  const bool is_known = read_mcp(reader) || read_a2a(reader);
  if (!is_known) {
    // Nobody's words, but they are seen all the same.
    if (rpc.params != kNone) {
      reader.set_arguments(rpc.params);
      reader.add_all(rpc.params, Surface::kOther);
    }
    if (rpc.result != kNone) reader.set_result(rpc.result);
  }
  if (rpc.kind == RpcKind::kError) reader.add_all(tree.find(0, "error"), Surface::kToolResult);
  if (message.parts.size() > kMaxTextParts)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxTextParts) + " strings");
  message.decoded = tree.take_decoded();
  return message;
}

void shift(JsonSpan& span, std::size_t offset) {
  if (span.empty()) return;
  span.begin += offset;
  span.end += offset;
}

}  // namespace

std::string_view name_of(AgentProtocol protocol) {
  switch (protocol) {
    case AgentProtocol::kMcp:
      return "mcp";
    case AgentProtocol::kA2a:
      return "a2a";
    case AgentProtocol::kUnknown:
      break;
  }
  return "";
}

void AgentReader::add_all(std::size_t node, Surface surface) {
  if (node == kNone) return;
  each_string(tree, node, [&](const JsonNode& one) {
    const bool is_binary = !one.is_key && is_media(one.text);
    message.parts.push_back(
        {is_binary ? Surface::kMedia : surface, one.text, one.span(), one.is_key, false});
  });
}

void AgentReader::set_arguments(std::size_t node) {
  if (node == kNone) return;
  message.arguments = tree[node].span();
  message.arguments_sha256 = canonical_sha256(tree, node);
}

void AgentReader::set_result(std::size_t node) {
  if (node == kNone) return;
  message.result = tree[node].span();
  message.result_sha256 = canonical_sha256(tree, node);
  if (message.parts.empty()) add_all(node, Surface::kToolResult);
}

Party AgentReader::party(std::size_t node) const {
  if (node == kNone) return {};
  return {short_copy(tree.string_at(node, "name")), short_copy(tree.string_at(node, "version"))};
}

ToolDefinition read_tool(const JsonTree& tree, std::size_t tool, std::string_view name_key) {
  ToolDefinition definition;
  definition.name = short_copy(tree.string_at(tool, name_key));
  // Written member by member in sorted order: the canonical form of two objects that are not there.
  std::vector<std::pair<std::string_view, std::size_t>> members;
  tree.each_member(tool, [&](const JsonNode& key, std::size_t value) {
    if (key.text != "_meta") members.emplace_back(key.text, value);
  });
  std::sort(members.begin(), members.end());
  std::string texts = "{";
  std::string schemas = "{";
  for (const auto& [key, value] : members) {
    std::string& out = key == "inputSchema" || key == "outputSchema" ? schemas : texts;
    if (out.size() > 1) out.push_back(',');
    out += json_string(key) + ":" + canonical_json(tree, value);
  }
  definition.description_sha256 = sha256_hex(texts + "}");
  definition.schema_sha256 = sha256_hex(schemas + "}");
  return definition;
}

void read_tools(const JsonTree& tree, std::size_t list, std::string_view name_key,
                std::vector<ToolDefinition>& tools, bool& is_cut) {
  tree.each_element(list, [&](std::size_t tool, std::size_t) {
    if (tree[tool].kind != JsonKind::kObject) return;
    if (tools.size() >= kMaxListedTools) {
      is_cut = true;
      return;
    }
    tools.push_back(read_tool(tree, tool, name_key));
  });
}

Result<std::vector<AgentMessage>> parse_agent_messages(std::string_view text) {
  if (text.size() > kMaxRpcBytes)
    return fail(Errc::kTooLarge, "json-rpc: more than " + std::to_string(kMaxRpcBytes) + " bytes");
  std::vector<AgentMessage> messages;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '[') {
    AISPM_TRY(AgentMessage message, parse_one(text));
    messages.push_back(std::move(message));
    return messages;
  }
  JsonArraySplitter splitter(kMaxRpcBytes);
  splitter.feed(text);
  for (;;) {
    AISPM_TRY(const auto element, splitter.next());
    if (!element) break;
    if (messages.size() >= kMaxRpcBatch)
      return fail(Errc::kTooLarge,
                  "json-rpc: a batch of more than " + std::to_string(kMaxRpcBatch));
    const std::size_t offset = splitter.element_offset();
    // The caller's bytes, not the splitter's: views must live as long as the text.
    AISPM_TRY(AgentMessage message, parse_one(text.substr(offset, element->size())));
    shift(message.arguments, offset);
    shift(message.result, offset);
    for (TextPart& part : message.parts) shift(part.span, offset);
    messages.push_back(std::move(message));
  }
  if (!splitter.ended()) return fail(Errc::kInvalid, "json-rpc: the batch is cut");
  if (messages.empty()) return fail(Errc::kInvalid, "json-rpc: an empty batch");
  return messages;
}

std::string tool_list_sha256(const ToolList& list) {
  std::vector<const ToolDefinition*> sorted;
  for (const ToolDefinition& tool : list.tools) sorted.push_back(&tool);
  std::sort(sorted.begin(), sorted.end(), [](const ToolDefinition* a, const ToolDefinition* b) {
    return std::tie(a->name, a->description_sha256, a->schema_sha256) <
           std::tie(b->name, b->description_sha256, b->schema_sha256);
  });
  Sha256Stream stream;
  for (const ToolDefinition* tool : sorted)
    stream.update(json_string(tool->name) + tool->description_sha256 + tool->schema_sha256);
  return stream.finish_hex();
}

}  // namespace aispm::codec
