// SPDX-License-Identifier: Apache-2.0
// OpenAI's other requests, and those of the same shape: one prompt or input, no messages.
#include <algorithm>

#include "sdk/core/codec/llm_request_reader.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;
// Completions of one prompt. More is no number that anybody means; it must not overflow.
constexpr std::uint64_t kMostTexts = 10'000;

// The protocol's own keys of an item of a Responses input.
bool is_item_key(std::string_view key) {
  return key == "id" || key == "call_id" || key == "status" || key == "approval_request_id";
}

}  // namespace

// POST /v1/responses, and "response.create" over a socket.
void RequestReader::read_responses(std::size_t object) {
  tree_.each_member(object, [&](const JsonNode& key, std::size_t value) {
    const std::string_view name = key.text;
    if (!error_.empty()) return;
    if (name == "input") {
      has_content_ = true;
      read_input(value);
    } else if (name == "instructions") {
      read_content(value, Surface::kSystem);
    } else if (name == "max_output_tokens") {
      read_max_tokens(object, name);
    } else if (name == "prompt") {
      has_content_ = true;
      note_history(name, value);
      add_all(value, Surface::kPrompt);
    } else if (name == "store" || name == "background") {
      bool flag = false;
      read_flag(value, flag, "\"" + std::string(name) + "\" is not true or false");
      if (name == "store") request_.store_span = tree_[value].span();
      if (flag) note_history(name, value);
    } else if (object == 0 && name == "type" && request_.api == Api::kOpenAiRealtime) {
      return;
    } else if (!read_common(name, value)) {
      // The history may be kept by the provider.
      if (name == "previous_response_id" || name == "conversation") {
        has_content_ = true;
        note_history(name, value);
      }
      read_other(key, value);
    }
  });
}

// Text that the provider keeps is text that nobody here has seen.
void RequestReader::note_history(std::string_view name, std::size_t value) {
  if (request_.history.empty() && tree_[value].kind != JsonKind::kNull) request_.history = name;
}

// A string, or an array of items.
void RequestReader::read_input(std::size_t input) {
  if (tree_[input].is_string()) {
    ++request_.message_count;
    return add(tree_[input], Surface::kPrompt, true);
  }
  if (tree_[input].kind != JsonKind::kArray) return add_all(input, Surface::kPrompt);
  tree_.each_element(input, [&](std::size_t item, std::size_t) {
    ++request_.message_count;
    if (tree_[item].kind != JsonKind::kObject) return add_all(item, Surface::kPrompt);
    read_item(item);
  });
}

void RequestReader::read_item(std::size_t item) {
  const std::string_view type = tree_.string_at(item, "type");
  // A reference need not say that it is one.
  if (type.empty() && tree_.find(item, "content") == kNone && tree_.find(item, "id") != kNone)
    note_history("item_reference", item);
  if (type.empty() || type == "message") return read_message(item);
  if (type == "item_reference") note_history(type, item);
  const bool is_output = type.ends_with("_output");
  const bool is_tool = type.ends_with("_call") || type.ends_with("_approval_response") ||
                       type.ends_with("_approval_request");
  const bool is_list = type == "mcp_list_tools";
  const bool is_content = type.starts_with("input_") || type.ends_with("text");
  if (is_content) return read_block(item, Surface::kPrompt);
  tree_.each_member(item, [&](const JsonNode& key, std::size_t value) {
    if (is_item_key(key.text)) return;
    if (key.text == "type") {
      if (!is_protocol_word("type", tree_[value].text)) add_all(value, Surface::kOther);
    } else if (is_output || (is_tool && (key.text == "output" || key.text == "result"))) {
      read_content(value, Surface::kToolResult);
    } else if (is_tool) {
      add_all(value, Surface::kToolArguments);
    } else if (is_list) {
      add_all(value, Surface::kToolDescription);
    } else if (type == "reasoning" || type == "compaction") {
      add_all(value, Surface::kAssistant);
    } else {
      add_all(value, Surface::kPrompt);
    }
  });
}

// A prompt or input that is one string, several, or tokens.
void RequestReader::read_prompts(std::size_t object) {
  std::uint64_t best_of = 1;
  tree_.each_member(object, [&](const JsonNode& key, std::size_t value) {
    const std::string_view name = key.text;
    if (!error_.empty()) return;
    if (name == "prompt" || name == "input" || name == "input_prefix") {
      has_content_ = true;
      read_prompt_value(value);
    } else if (name == "suffix" || name == "input_suffix" || name == "input_extra") {
      read_prompt_value(value);
    } else if (name == "prompt_embeds" && tree_[value].kind != JsonKind::kNull) {
      request_.has_tokens = true;  // vLLM
    } else if (name == "best_of") {
      best_of = tree_.number(value).value_or(1);
    } else if (name == "system" && request_.api == Api::kOllamaGenerate) {
      read_content(value, Surface::kSystem);
    } else if (name == "n_predict") {
      read_max_tokens(object, name);
    } else if (name == "options" && request_.api == Api::kOllamaGenerate) {
      read_max_tokens(value, "num_predict");
      add_all(value, Surface::kOther);
    } else if (name == "context" && tree_[value].kind == JsonKind::kArray) {
      request_.has_tokens = request_.has_tokens || tree_[value].next > value + 1;  // Ollama
      add_all(value, Surface::kOther);
    } else if (!read_common(name, value)) {
      read_other(key, value);
    }
  });
  if (request_.api == Api::kOpenAiCompletions) {
    std::uint64_t prompts = 0;
    tree_.each_element(tree_.find(object, "prompt"), [&](std::size_t, std::size_t) { ++prompts; });
    request_.choices =
        std::clamp<std::uint64_t>(std::max(request_.choices, best_of), 1, kMostTexts) *
        std::max<std::uint64_t>(prompts, 1);
  }
  if (request_.api != Api::kOllamaGenerate && request_.api != Api::kOllamaEmbed) return;
  // Other programs have such paths too: theirs name no model. Ollama without a prompt loads it.
  has_content_ = !request_.model.empty();
  // It streams unless told otherwise.
  if (request_.api == Api::kOllamaGenerate && tree_.find(object, "stream") == kNone)
    request_.stream = true;
}

void RequestReader::read_prompt_value(std::size_t value) {
  if (tree_[value].kind != JsonKind::kArray) return read_content(value, Surface::kPrompt);
  tree_.each_element(value, [&](std::size_t element, std::size_t) {
    const JsonNode& node = tree_[element];
    if (node.is_string()) return add(node, Surface::kPrompt, true);
    if (node.kind == JsonKind::kArray) return read_prompt_value(element);
    if (node.kind != JsonKind::kObject) {
      request_.has_tokens = true;
      return;
    }
    if (tree_.find(element, "role") != kNone) return read_message(element);
    read_block(element, Surface::kPrompt);
  });
}

// A client's message on a socket.
void RequestReader::read_realtime() {
  const std::string_view type = tree_.string_at(0, "type");
  if (type.empty()) return reject(0, "no \"type\"");
  request_.message_type = short_copy(type);
  request_.stream = true;
  has_content_ = true;
  if (type == "response.create") {
    // Realtime puts the fields into "response", Responses beside the type.
    const std::size_t response = tree_.find(0, "response");
    if (response == kNone) return read_responses(0);
    read_responses(response);
  } else if (type == "session.update" || type == "transcription_session.update") {
    if (const std::size_t session = tree_.find(0, "session"); session != kNone)
      read_responses(session);
  } else if (type == "conversation.item.create" || type == "response.steer") {
    tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
      if (key.text == "item" && tree_[value].kind == JsonKind::kObject) {
        ++request_.message_count;
        read_item(value);
      } else if (key.text == "input") {
        read_input(value);
      } else if (key.text != "type" && !is_item_key(key.text)) {
        add_all(value, Surface::kOther);
      }
    });
  } else {
    add_all(0, Surface::kOther);  // sound, and what is new
  }
}

}  // namespace aispm::codec
