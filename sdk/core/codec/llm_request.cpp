// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/llm_internal.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

bool is_id_key(std::string_view key) {
  return key == "id" || key == "tool_call_id" || key == "tool_use_id";
}

// nullopt for a role that is neither dialect's.
std::optional<Surface> surface_of_role(std::string_view role) {
  if (role == "user") return Surface::kPrompt;
  if (role == "assistant" || role == "model") return Surface::kAssistant;
  if (role == "system" || role == "developer") return Surface::kSystem;
  if (role == "tool" || role == "function") return Surface::kToolResult;
  return std::nullopt;
}

// Takes one request apart. The tree is complete, so the order of members does not matter.
class RequestReader {
 public:
  RequestReader(const JsonTree& tree, LlmRequest& request) : tree_(tree), request_(request) {}

  Result<> read() {
    tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
      if (!error_.empty()) return;
      read_member(key, value);
    });
    if (error_.empty() && !has_messages_) reject(0, "no \"messages\"");
    if (!error_.empty()) return fail(Errc::kInvalid, error_);
    if (request_.parts.size() > kMaxTextParts)
      return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxTextParts) + " strings");
    if (request_.tools_offered.size() > kMaxToolsOffered)
      return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxToolsOffered) + " tools");
    return {};
  }

 private:
  void read_member(const JsonNode& key, std::size_t value) {
    const std::string_view name = key.text;
    if (name == "messages") {
      read_messages(value);
    } else if (name == "model") {
      if (!tree_[value].is_string()) return reject(value, "\"model\" is not a string");
      request_.model = short_copy(tree_[value].text);
      request_.model_span = tree_[value].span();
      if (tree_[value].text.size() > kMaxNameBytes) add(tree_[value], Surface::kOther, false);
    } else if (name == "stream") {
      read_flag(value, request_.stream, "\"stream\" is not true or false");
    } else if (name == "stream_options") {
      read_stream_options(value);
    } else if (name == "max_tokens" || name == "max_completion_tokens") {
      if (const auto number = tree_.number(value)) request_.max_tokens = *number;
    } else if (name == "n") {
      request_.choices = tree_.number(value).value_or(1);
    } else if (name == "tools" || name == "functions") {
      read_tools(value);
    } else if (name == "system" && request_.api == Api::kAnthropicMessages) {
      read_content(value, Surface::kSystem);
    } else {
      add_all(value, Surface::kOther);
    }
    // A key is the client's choice too.
    if (name.size() >= kMinKeyTextBytes && !is_known_key(name)) add(key, Surface::kOther, false);
  }

  static bool is_known_key(std::string_view name) {
    return name == "max_completion_tokens" || name == "frequency_penalty" ||
           name == "presence_penalty" || name == "parallel_tool_calls" ||
           name == "prompt_cache_retention" || name == "context_management" ||
           name == "reasoning_effort" || name == "safety_identifier" ||
           name == "prompt_cache_key" || name == "web_search_options";
  }

  void read_flag(std::size_t value, bool& flag, std::string_view what) {
    const JsonKind kind = tree_[value].kind;
    if (kind != JsonKind::kTrue && kind != JsonKind::kFalse && kind != JsonKind::kNull)
      return reject(value, what);
    flag = kind == JsonKind::kTrue;
  }

  void read_stream_options(std::size_t value) {
    request_.stream_options_span = tree_[value].span();
    const std::size_t usage = tree_.find(value, "include_usage");
    if (usage != JsonTree::kNone)
      read_flag(usage, request_.include_usage, "\"include_usage\" is not true or false");
    add_all(value, Surface::kOther);
  }

  void read_tools(std::size_t tools) {
    tree_.each_element(tools, [&](std::size_t tool, std::size_t) {
      std::string_view name = tree_.string_at(tool, "name");
      for (const std::string_view inner : {"function", "custom"}) {
        if (!name.empty()) break;
        const std::size_t definition = tree_.find(tool, inner);
        if (definition != JsonTree::kNone) name = tree_.string_at(definition, "name");
      }
      if (name.empty()) name = tree_.string_at(tool, "type");  // built-in tools
      request_.tools_offered.push_back(short_copy(name));
    });
    add_all(tools, Surface::kToolDescription);
  }

  void read_messages(std::size_t messages) {
    has_messages_ = true;
    if (tree_[messages].kind != JsonKind::kArray)
      return reject(messages, "\"messages\" is not an array");
    tree_.each_element(messages, [&](std::size_t message, std::size_t) {
      if (tree_[message].kind != JsonKind::kObject)
        return reject(message, "a message is not an object");
      ++request_.message_count;
      read_message(message);
    });
  }

  void read_message(std::size_t message) {
    const std::string_view role = tree_.string_at(message, "role");
    const auto known = surface_of_role(role);
    const Surface surface = known.value_or(Surface::kPrompt);
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
  }

  // Names and arguments of earlier calls, without their ids.
  void read_calls(std::size_t calls) {
    if (tree_[calls].kind != JsonKind::kArray) return add_all(calls, Surface::kToolArguments);
    tree_.each_element(calls, [&](std::size_t call, std::size_t) {
      if (tree_[call].kind != JsonKind::kObject) return add_all(call, Surface::kToolArguments);
      tree_.each_member(call, [&](const JsonNode& key, std::size_t value) {
        const bool is_word = key.text == "type" && is_protocol_word("type", tree_[value].text);
        if (!is_word && !is_id_key(key.text)) add_all(value, Surface::kToolArguments);
      });
    });
  }

  // A string, an array of blocks, or null.
  void read_content(std::size_t content, Surface surface) {
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

  void read_block(std::size_t block, Surface surface) {
    const std::string_view type = tree_.string_at(block, "type");
    if (type.ends_with("tool_result")) surface = Surface::kToolResult;
    tree_.each_member(block, [&](const JsonNode& key, std::size_t value) {
      if (key.text == "text" && tree_[value].is_string()) {
        add(tree_[value], surface, true);
      } else if (key.text == "content") {
        read_content(value, surface);
      } else if (key.text == "input") {
        add_all(value, Surface::kToolArguments);
      } else if (key.text == "name") {
        add_all(value, Surface::kOther);
      } else if (key.text == "type") {
        if (!is_protocol_word("type", tree_[value].text)) add_all(value, surface);
      } else if (!is_id_key(key.text)) {
        add_all(value, surface);
      }
    });
  }

  void add_all(std::size_t value, Surface surface) {
    each_string(tree_, value, [&](const JsonNode& node) {
      add(node, !node.is_key && is_media(node.text) ? Surface::kMedia : surface, false);
    });
  }

  void add(const JsonNode& node, Surface surface, bool is_message) {
    if (node.text.empty()) return;
    request_.parts.push_back({surface, node.text, node.span(), node.is_key, is_message});
  }

  void reject(std::size_t node, std::string_view what) {
    if (error_.empty())
      error_ = "byte " + std::to_string(tree_[node].begin) + ": " + std::string(what);
  }

  const JsonTree& tree_;
  LlmRequest& request_;
  bool has_messages_ = false;
  std::string error_;
};

template <typename Use>
void each_message_text(const LlmRequest& request, Use use) {
  for (const TextPart& part : request.parts)
    if (part.is_message) use(part.text);
}

}  // namespace

Result<LlmRequest> parse_request(Api api, std::string_view body) {
  if (body.size() > kMaxLlmBodyBytes)
    return fail(Errc::kTooLarge,
                "body of more than " + std::to_string(kMaxLlmBodyBytes) + " bytes");
  JsonTree& tree = thread_tree();
  AISPM_CHECK(tree.read(body, kMaxJsonDepth));
  LlmRequest request;
  request.api = api;
  request.end_offset = tree[0].end - 1;
  AISPM_CHECK(RequestReader(tree, request).read());
  request.decoded = tree.take_decoded();
  return request;
}

std::string prompt_text(const LlmRequest& request) {
  std::string text;
  bool is_first = true;
  each_message_text(request, [&](std::string_view part) {
    if (!is_first) text.push_back('\n');
    is_first = false;
    text.append(part);
  });
  return text;
}

std::string prompt_sha256(const LlmRequest& request) {
  Sha256Stream stream;
  bool is_first = true;
  each_message_text(request, [&](std::string_view part) {
    if (!is_first) stream.update("\n");
    is_first = false;
    stream.update(part);
  });
  return stream.finish_hex();
}

std::optional<JsonPatch> include_usage_patch(const LlmRequest& request, std::string_view body) {
  if (request.api != Api::kOpenAiChat || !request.stream || request.include_usage)
    return std::nullopt;
  if (request.stream_options_span.empty()) {
    // The body holds "messages", so there is always a member before the brace.
    return JsonPatch{{request.end_offset, request.end_offset},
                     R"(,"stream_options":{"include_usage":true})"};
  }
  JsonTree& tree = thread_tree();
  const JsonSpan span = request.stream_options_span;
  const std::string_view options = body.substr(span.begin, span.size());
  if (!tree.read(options, kMaxJsonDepth))  // null or another kind: replace it
    return JsonPatch{span, R"({"include_usage":true})"};
  const std::size_t usage = tree.find(0, "include_usage");
  if (usage != JsonTree::kNone)
    return JsonPatch{{span.begin + tree[usage].begin, span.begin + tree[usage].end}, "true"};
  return JsonPatch{{span.begin + 1, span.begin + 1},
                   tree.size() > 1 ? R"("include_usage":true,)" : R"("include_usage":true)"};
}

}  // namespace aispm::codec
