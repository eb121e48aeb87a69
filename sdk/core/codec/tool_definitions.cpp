// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/tool_definitions.hpp"

#include "sdk/core/codec/agent_internal.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kNone = JsonTree::kNone;

class OfferReader {
 public:
  explicit OfferReader(const JsonTree& tree) : tree_(tree) {}

  void read(std::size_t request) {
    read_list(tree_.find(request, "tools"));
    read_list(tree_.find(request, "functions"));
    if (const std::size_t config = tree_.find(request, "toolConfig"); config != kNone)
      read_list(tree_.find(config, "tools"));
  }
  bool is_cut() const { return is_cut_; }
  std::vector<ToolDefinition> take() { return std::move(tools_); }

 private:
  void read_list(std::size_t list) {
    if (list == kNone) return;
    tree_.each_element(list, [&](std::size_t tool, std::size_t) { read_entry(tool); });
  }

  void read_entry(std::size_t tool) {
    for (const std::string_view inner : {"functionDeclarations", "function_declarations"}) {
      const std::size_t list = tree_.find(tool, inner);
      if (list == kNone) continue;
      tree_.each_element(list, [&](std::size_t one, std::size_t) { read_definition(one); });
      return;
    }
    for (const std::string_view inner : {"function", "custom", "toolSpec"}) {
      const std::size_t definition = tree_.find(tool, inner);
      if (definition != kNone) return read_definition(definition);
    }
    read_definition(tool);
  }

  void read_definition(std::size_t node) {
    const std::string_view name = tree_.string_at(node, "name");
    if (name.empty()) return;
    if (tools_.size() >= kMaxListedTools) {
      is_cut_ = true;
      return;
    }
    ToolDefinition tool;
    tool.name = std::string(name);
    std::string texts = "{";
    if (const std::size_t description = tree_.find(node, "description"); description != kNone)
      texts += "\"description\":" + canonical_json(tree_, description) + ",";
    tool.description_sha256 = sha256_hex(texts + "\"name\":" + json_string(name) + "}");
    const std::size_t schema = schema_of(node);
    tool.schema_sha256 = sha256_hex(
        schema == kNone ? "{}" : "{\"inputSchema\":" + canonical_json(tree_, schema) + "}");
    tools_.push_back(std::move(tool));
  }

  std::size_t schema_of(std::size_t node) const {
    for (const std::string_view key :
         {"parameters", "input_schema", "inputSchema", "parametersJsonSchema", "format"}) {
      const std::size_t schema = tree_.find(node, key);
      if (schema == kNone) continue;
      const std::size_t json = key == "inputSchema" ? tree_.find(schema, "json") : kNone;
      return json == kNone ? schema : json;
    }
    return kNone;
  }

  const JsonTree& tree_;
  std::vector<ToolDefinition> tools_;
  bool is_cut_ = false;
};

auto too_many() {
  return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxListedTools) + " tools");
}

Result<> read_json(JsonTree& tree, std::string_view json) {
  if (json.size() > kMaxToolListBytes)
    return fail(Errc::kTooLarge, "longer than " + std::to_string(kMaxToolListBytes) + " bytes");
  return tree.read(json, kMaxDepth);
}

}  // namespace

Result<std::vector<ToolDefinition>> read_tool_list(std::string_view json) {
  // A tree begins with an object.
  const std::size_t first = json.find_first_not_of(" \t\r\n");
  const bool is_bare = first != std::string_view::npos && json[first] == '[';
  const std::string wrapped = is_bare ? "{\"tools\":" + std::string(json) + "}" : std::string();
  JsonTree tree;
  AISPM_CHECK(read_json(tree, is_bare ? std::string_view(wrapped) : json));
  std::size_t list = 0;
  if (const std::size_t result = tree.find(list, "result"); result != kNone) list = result;
  if (const std::size_t tools = tree.find(list, "tools"); tools != kNone) list = tools;
  if (tree[list].kind != JsonKind::kArray)
    return fail(Errc::kInvalid, "no list of tools: {\"tools\": [...]} or an array is wanted");
  std::vector<ToolDefinition> tools;
  bool is_cut = false;
  read_tools(tree, list, "name", tools, is_cut);
  if (is_cut) return too_many();
  for (const ToolDefinition& tool : tools)
    if (tool.name.empty()) return fail(Errc::kInvalid, "a tool has no name");
  return tools;
}

Result<std::vector<ToolDefinition>> read_offered_tools(std::string_view request) {
  JsonTree tree;
  AISPM_CHECK(read_json(tree, request));
  OfferReader reader(tree);
  reader.read(0);
  if (reader.is_cut()) return too_many();
  return reader.take();
}

}  // namespace aispm::codec
