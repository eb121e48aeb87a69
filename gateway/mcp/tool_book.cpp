// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/tool_book.hpp"

#include <algorithm>
#include <array>

#include "gateway/mcp/mcp_names.hpp"
#include "gateway/mcp/shown_entry.hpp"
#include "sdk/core/codec/http1.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/codec/mcp_http.hpp"
#include "sdk/core/codec/tool_definitions.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/policy/tool_scan.hpp"

namespace aispm::gateway {
namespace {

using codec::JsonKind;
using codec::JsonTree;

constexpr std::size_t kNone = JsonTree::kNone;
constexpr std::string_view kHeaderMark = "x-mcp-header";
constexpr std::string_view kHeaderPrefix = "mcp-param-";
std::string_view text_of(const JsonTree& tree, std::size_t node, std::string_view text) {
  return text.substr(tree[node].begin, tree[node].end - tree[node].begin);
}

// Of a tool that cannot be called by its name. What was cut when it was read may end within a
// character.
std::string shown_name(std::string_view name) {
  std::string shown = to_utf8(name);
  cut_utf8(shown, kMaxMcpName);
  return shown;
}

// Keys too: a model is told of them like of anything else.
std::string texts_of(const JsonTree& tree, std::size_t node) {
  std::string texts;
  for (std::size_t i = node; i < tree[node].next; ++i)
    if (tree[i].is_string() && !tree[i].text.empty()) texts.append(tree[i].text).push_back('\n');
  return texts;
}

// Whether only the members of `properties` are spoken of.
bool is_plain(const JsonTree& tree, std::size_t schema) {
  constexpr std::array<std::string_view, 12> kOthers = {"additionalProperties",
                                                        "unevaluatedProperties",
                                                        "patternProperties",
                                                        "$ref",
                                                        "$dynamicRef",
                                                        "allOf",
                                                        "anyOf",
                                                        "oneOf",
                                                        "if",
                                                        "dependentSchemas",
                                                        "dependencies",
                                                        "propertyNames"};
  return std::none_of(kOthers.begin(), kOthers.end(),
                      [&](std::string_view key) { return tree.find(schema, key) != kNone; });
}

void read_schema(const JsonTree& tree, std::size_t schema, std::string_view text, McpTool& tool) {
  if (schema == kNone || tree[schema].kind != JsonKind::kObject) {
    tool.problem = "the tool has no input schema";
    return;
  }
  if (tree.find(schema, "type") != kNone && tree.string_at(schema, "type") != "object") {
    tool.problem = "the tool's input schema is not that of an object";
    return;
  }
  auto compiled = policy::JsonSchema::compile(text_of(tree, schema, text));
  if (!compiled) {
    tool.problem = "the tool's input schema cannot be used: " + compiled.error().message;
    return;
  }
  tool.schema = std::move(*compiled);
  tool.is_closed = is_plain(tree, schema);
  tree.each_member(tree.find(schema, "properties"), [&](const codec::JsonNode& key, std::size_t) {
    tool.known_arguments.emplace_back(key.text);
  });
}

void read_output_schema(const JsonTree& tree, std::size_t node, std::string_view text,
                        McpTool& tool) {
  const std::size_t schema = tree.find(node, "outputSchema");
  if (schema == kNone || tree[schema].kind != JsonKind::kObject) return;
  if (auto compiled = policy::JsonSchema::compile(text_of(tree, schema, text)))
    tool.output_schema = std::move(*compiled);
}

// A tool as clients of both kinds get it.
void show(const JsonTree& tree, std::size_t node, std::string_view text, std::string_view as_shown,
          McpTool& tool) {
  EntryView as{.kind = EntryKind::kTool,
               .name = as_shown,
               .for_sessions = false,
               .has_output_schema = tool.output_schema != nullptr};
  tool.shown_stateless = shown_entry(tree, node, text, as);
  as.for_sessions = true;
  tool.shown = shown_entry(tree, node, text, as);
  if (tool.shown_stateless == tool.shown) tool.shown_stateless.clear();
  const std::size_t output = tree.find(node, "outputSchema");
  const std::string_view type = output == kNone ? "object" : tree.string_at(output, "type");
  tool.hides_output_schema =
      output != kNone &&
      (tool.output_schema == nullptr || (type != "object" && tree.find(output, "type") != kNone));
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !name.empty() && name.size() <= kMaxMcpName &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  kOthers.find(c) != std::string_view::npos;
         });
}

// Only what is reached through `properties`; depth is bounded by the tree's.
void read_headers(const JsonTree& tree, std::size_t schema, std::vector<std::string>& path,
                  McpTool& tool) {
  tree.each_member(
      tree.find(schema, "properties"), [&](const codec::JsonNode& key, std::size_t property) {
        path.emplace_back(key.text);
        if (tree.find(property, kHeaderMark) != kNone) {
          const std::string_view name = tree.string_at(property, kHeaderMark);
          const std::string_view type = tree.string_at(property, "type");
          const bool is_scalar = type == "string" || type == "integer" || type == "boolean";
          const bool is_twice = std::any_of(
              tool.headers.begin(), tool.headers.end(), [&](const McpTool::HeaderArgument& other) {
                return codec::http1::equal_name(other.header.substr(kHeaderPrefix.size()), name);
              });
          if (!is_header_name(name) || !is_scalar || is_twice)
            tool.problem = "the tool wants an argument in a header in a way that is not allowed";
          tool.headers.push_back({path, std::string(kHeaderPrefix).append(name)});
        }
        read_headers(tree, property, path, tool);
        path.pop_back();
      });
}

}  // namespace

Result<std::string> ToolBook::add_page(std::string_view server, std::string_view result) {
  if (++pages_ > kMaxPages)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxPages) + " pages of tools");
  if ((bytes_ += result.size()) > kMaxBookBytes)
    return fail(Errc::kTooLarge, "more than 4 MiB of tools");
  JsonTree tree;
  AISPM_CHECK(tree.read(result, codec::kMaxRpcDepth));
  const std::size_t list = tree.find(0, "tools");
  if (list == kNone || tree[list].kind != JsonKind::kArray)
    return fail(Errc::kInvalid, "no list of tools");
  AISPM_TRY(std::vector<codec::ToolDefinition> definitions,
            codec::read_tool_list(text_of(tree, list, result)));
  std::size_t count = 0;
  tree.each_element(list, [&](std::size_t, std::size_t) { ++count; });
  if (definitions.size() != count) return fail(Errc::kInvalid, "a tool is no object");
  if (tools_.size() + left_out_.size() + definitions.size() > kMaxTools)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxTools) + " tools");
  tree.each_element(list, [&](std::size_t node, std::size_t position) {
    McpTool tool;
    tool.definition = std::move(definitions[position]);
    const std::string& name = tool.definition.name;
    if (!is_mcp_name(name)) {
      left_out_.push_back(shown_name(name));
      return;
    }
    if (const auto twin = find_named(name); twin != tools_.end()) {
      twin->problem = "another tool of the server has the same name";
      twin->schema = nullptr;
      left_out_.push_back(shown_name(name));
      return;
    }
    tool.texts = texts_of(tree, node);
    const std::size_t schema = tree.find(node, "inputSchema");
    read_schema(tree, schema, result, tool);
    read_output_schema(tree, node, result, tool);
    show(tree, node, result, prefixed_name(server, name), tool);
    std::vector<std::string> path;
    read_headers(tree, schema, path, tool);
    if (tree.string_at(tree.find(node, "execution"), "taskSupport") == "required")
      tool.problem = "the tool runs as a task only, and there are none here";
    if (!tool.problem.empty()) tool.schema = nullptr;
    tools_.push_back(std::move(tool));
  });
  return std::string(tree.string_at(0, "nextCursor"));
}

void ToolBook::finish(std::string_view server) {
  policy::ServerManifest manifest;
  manifest.name = std::string(server);
  for (const McpTool& tool : tools_) manifest.tools.push_back({tool.definition.name, tool.texts});
  for (const policy::ScanFinding& finding : policy::scan_server(manifest).findings)
    for (McpTool& tool : tools_) {
      if (tool.definition.name != finding.subject) continue;
      tool.hides_text = tool.hides_text || finding.rule == "HIDDEN_TEXT";
      tool.speaks_of_others = tool.speaks_of_others || finding.rule == "CROSS_TOOL_REFERENCE";
    }
}

std::vector<McpTool>::iterator ToolBook::find_named(std::string_view name) {
  return std::find_if(tools_.begin(), tools_.end(),
                      [&](const McpTool& tool) { return tool.definition.name == name; });
}

const McpTool* ToolBook::find(std::string_view name) const {
  const auto found = std::find_if(tools_.begin(), tools_.end(), [&](const McpTool& tool) {
    return tool.definition.name == name;
  });
  return found == tools_.end() ? nullptr : &*found;
}

Result<> check_arguments(const McpTool& tool, std::string_view arguments) {
  if (!tool.schema) return fail(Errc::kInvalid, tool.problem);
  JsonTree tree;
  AISPM_CHECK(tree.read(arguments, codec::kMaxRpcDepth));
  for (std::size_t i = 0; i < tree.size(); ++i)
    if (tree[i].is_string() && tree[i].text.size() > ToolBook::kMaxArgumentBytes)
      return fail(Errc::kInvalid, "a text is longer than " +
                                      std::to_string(ToolBook::kMaxArgumentBytes) + " bytes");
  Result<> known;
  tree.each_member(0, [&](const codec::JsonNode& key, std::size_t) {
    const auto& names = tool.known_arguments;
    if (known && tool.is_closed && std::find(names.begin(), names.end(), key.text) == names.end())
      known = fail(Errc::kInvalid, "an argument that the tool does not have: " +
                                       std::string(key.text.substr(0, 64)));
  });
  AISPM_CHECK(known);
  return tool.schema->check(arguments);
}

Result<> check_result(const McpTool& tool, std::string_view result) {
  if (!tool.output_schema) return {};
  JsonTree tree;
  AISPM_CHECK(tree.read(result, codec::kMaxRpcDepth));
  const std::size_t failed = tree.find(0, "isError");
  const std::size_t content = tree.find(0, "structuredContent");
  const bool is_error = failed != kNone && tree[failed].kind == JsonKind::kTrue;
  if (is_error || content == kNone) return {};
  return tool.output_schema->check(text_of(tree, content, result));
}

std::string argument_headers(const McpTool& tool, std::string_view arguments) {
  std::string lines;
  JsonTree tree;
  if (tool.headers.empty() || !tree.read(arguments, codec::kMaxRpcDepth)) return lines;
  for (const McpTool::HeaderArgument& wanted : tool.headers) {
    std::size_t node = 0;
    for (const std::string& name : wanted.path)
      node = node == kNone ? kNone : tree.find(node, name);
    if (node == kNone || tree[node].kind == JsonKind::kNull) continue;
    const std::string_view value =
        tree[node].is_string() ? tree[node].text : text_of(tree, node, arguments);
    lines.append(wanted.header).append(": ").append(codec::encode_mcp_header(value)).append("\r\n");
  }
  return lines;
}

}  // namespace aispm::gateway
