// SPDX-License-Identifier: Apache-2.0
// What the dialects share: messages, content blocks, tools.
#include "sdk/core/codec/llm_request_reader.hpp"

namespace aispm::codec {

bool is_id_key(std::string_view key) {
  return key == "id" || key == "tool_call_id" || key == "tool_use_id" || key == "toolUseId";
}

std::optional<Surface> surface_of_role(std::string_view role) {
  if (role == "user") return Surface::kPrompt;
  if (role == "assistant" || role == "model") return Surface::kAssistant;
  if (role == "system" || role == "developer") return Surface::kSystem;
  if (role == "tool" || role == "function") return Surface::kToolResult;
  return std::nullopt;
}

void RequestReader::read_model(std::size_t value) {
  if (tree_[value].kind == JsonKind::kNull) {
    request_.model_span = tree_[value].span();  // none, as clients say it whose path names one
    return;
  }
  if (!tree_[value].is_string()) return reject(value, "\"model\" is not a string");
  request_.model = short_copy(tree_[value].text);
  request_.model_span = tree_[value].span();
  if (tree_[value].text.size() > kMaxNameBytes) add(tree_[value], Surface::kOther, false);
}

void RequestReader::read_max_tokens(std::size_t object, std::string_view key) {
  if (object == JsonTree::kNone) return;
  if (const auto number = tree_.number_at(object, key)) request_.max_tokens = *number;
}

void RequestReader::read_flag(std::size_t value, bool& flag, std::string_view what) {
  const JsonKind kind = tree_[value].kind;
  if (kind != JsonKind::kTrue && kind != JsonKind::kFalse && kind != JsonKind::kNull)
    return reject(value, what);
  flag = kind == JsonKind::kTrue;
}

void RequestReader::read_stream_options(std::size_t value) {
  request_.stream_options_span = tree_[value].span();
  const std::size_t usage = tree_.find(value, "include_usage");
  if (usage != JsonTree::kNone)
    read_flag(usage, request_.include_usage, "\"include_usage\" is not true or false");
  add_all(value, Surface::kOther);
}

void RequestReader::read_tools(std::size_t tools) {
  tree_.each_element(tools, [&](std::size_t tool, std::size_t) {
    std::string_view name = tree_.string_at(tool, "name");
    for (const std::string_view inner : {"function", "custom"}) {
      if (!name.empty()) break;
      const std::size_t definition = tree_.find(tool, inner);
      if (definition != JsonTree::kNone) name = tree_.string_at(definition, "name");
    }
    if (name.empty()) name = tree_.string_at(tool, "type");  // built-in tools
    request_.tools_offered.push_back(short_copy(name));
    note_provider_tool(tool);
  });
  add_all(tools, Surface::kToolDescription);
}

// Tools that the provider runs: what they read has not come past here.
void RequestReader::note_provider_tool(std::size_t tool) {
  const std::string_view type = tree_.string_at(tool, "type");
  if (type == "mcp") request_.has_remote_mcp = true;
  if (type == "file_search") note_history(type, tool);
  const std::size_t container = tree_.find(tool, "container");
  if (type != "code_interpreter" || container == JsonTree::kNone) return;
  const std::size_t files = tree_.find(container, "file_ids");
  if (files != JsonTree::kNone && tree_[files].next > files + 1) note_history("file_ids", files);
}

void RequestReader::note_kept_file(std::size_t block) {
  for (const std::size_t holder : {block, tree_.find(block, "file"), tree_.find(block, "source")}) {
    if (holder == JsonTree::kNone) continue;
    const std::size_t id = tree_.find(holder, "file_id");
    if (id != JsonTree::kNone) note_history("file_id", id);
  }
}

void RequestReader::read_messages(std::size_t messages) {
  has_content_ = true;
  if (tree_[messages].kind != JsonKind::kArray)
    return reject(messages, "\"messages\" is not an array");
  tree_.each_element(messages, [&](std::size_t message, std::size_t) {
    if (tree_[message].kind != JsonKind::kObject)
      return reject(message, "a message is not an object");
    ++request_.message_count;
    read_message(message);
  });
}

void RequestReader::note_call(std::string_view id, std::string_view name) {
  if (!id.empty() && !name.empty() && calls_.size() < kMaxReplyChannels)
    calls_.emplace_back(id, name);
}

std::string_view RequestReader::tool_called(std::string_view id) const {
  if (id.empty()) return {};
  for (const auto& [known, name] : calls_)
    if (known == id) return name;
  return {};
}

void RequestReader::read_message(std::size_t message) {
  const std::string_view role = tree_.string_at(message, "role");
  const auto known = surface_of_role(role);
  const Surface surface = known.value_or(Surface::kPrompt);
  if (surface == Surface::kToolResult) {
    tool_ = tool_called(tree_.string_at(message, "tool_call_id"));
    if (tool_.empty()) tool_ = tree_.string_at(message, "name");
  }
  tree_.each_member(message, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "content") {
      read_content(value, surface);
    } else if (key.text == "role") {
      if (!known) add_all(value, Surface::kOther);
    } else if (key.text == "tool_calls" || key.text == "function_call") {
      read_calls(value);
    } else if (key.text == "refusal" || key.text == "reasoning" ||
               key.text == "reasoning_content") {
      add_all(value, surface);
    } else if (!is_id_key(key.text)) {
      add_all(value, Surface::kOther);
    }
  });
  tool_ = {};
}

void RequestReader::read_calls(std::size_t calls) {
  if (tree_[calls].kind != JsonKind::kArray) {
    if (tree_[calls].kind == JsonKind::kObject) tool_ = tree_.string_at(calls, "name");
    add_all(calls, Surface::kToolArguments);
    tool_ = {};
    return;
  }
  tree_.each_element(calls, [&](std::size_t call, std::size_t) {
    if (tree_[call].kind != JsonKind::kObject) return add_all(call, Surface::kToolArguments);
    tool_ = tree_.string_at(call, "name");
    for (const std::string_view kind : {"function", "custom"}) {
      const std::size_t inner = tool_.empty() ? tree_.find(call, kind) : JsonTree::kNone;
      if (inner != JsonTree::kNone) tool_ = tree_.string_at(inner, "name");
    }
    note_call(tree_.string_at(call, "id"), tool_);
    tree_.each_member(call, [&](const JsonNode& key, std::size_t value) {
      const bool is_word = key.text == "type" && is_protocol_word("type", tree_[value].text);
      if (!is_word && !is_id_key(key.text)) add_all(value, Surface::kToolArguments);
    });
  });
  tool_ = {};
}

void RequestReader::read_content(std::size_t content, Surface surface) {
  const JsonNode& node = tree_[content];
  if (node.is_string()) return add(node, surface, true);
  if (node.kind != JsonKind::kArray) return add_all(content, surface);
  tree_.each_element(content, [&](std::size_t block, std::size_t) {
    const JsonNode& item = tree_[block];
    if (item.is_string()) return add(item, surface, true);
    if (item.kind == JsonKind::kObject) return read_block(block, surface);
    add_all(block, surface);
  });
}

void RequestReader::read_block(std::size_t block, Surface surface) {
  const std::string_view type = tree_.string_at(block, "type");
  const std::string_view outer = tool_;
  if (type.ends_with("tool_result")) {
    surface = Surface::kToolResult;
    tool_ = tool_called(tree_.string_at(block, "tool_use_id"));
    if (tool_.empty()) tool_ = type;  // "web_search_tool_result"
  } else if (type.ends_with("tool_use")) {
    tool_ = tree_.string_at(block, "name");
    note_call(tree_.string_at(block, "id"), tool_);
  } else if ((type == "document" || type == "search_result") && surface != Surface::kToolResult) {
    surface = Surface::kDocument;
  }
  note_kept_file(block);
  is_sealed_ = type == "thinking" || type == "redacted_thinking";
  tree_.each_member(block, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "text" && tree_[value].is_string()) {
      add(tree_[value], surface, true);
    } else if (key.text == "content") {
      read_content(value, surface);
    } else if (key.text == "input" || key.text == "toolUse") {
      add_all(value, Surface::kToolArguments);
    } else if (key.text == "toolResult") {
      read_block(value, Surface::kToolResult);
    } else if (key.text == "name") {
      add_all(value, Surface::kOther);
    } else if (key.text == "type") {
      if (!is_protocol_word("type", tree_[value].text)) add_all(value, surface);
    } else if (!is_id_key(key.text)) {
      add_all(value, surface);
    }
  });
  tool_ = outer;
  is_sealed_ = false;
}

void RequestReader::add_all(std::size_t value, Surface surface) {
  each_string(tree_, value, [&](const JsonNode& node) {
    add(node, !node.is_key && is_media(node.text) ? Surface::kMedia : surface, false);
  });
}

void RequestReader::add(const JsonNode& node, Surface surface, bool is_message) {
  if (node.text.empty()) return;
  request_.parts.push_back({surface, node.text, node.span(), node.is_key, is_message, tool_,
                            static_cast<std::uint32_t>(request_.message_count), is_sealed_});
}

void RequestReader::reject(std::size_t node, std::string_view what) {
  if (error_.empty())
    error_ = "byte " + std::to_string(tree_[node].begin) + ": " + std::string(what);
}

}  // namespace aispm::codec
