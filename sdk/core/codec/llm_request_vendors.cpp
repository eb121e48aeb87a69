// SPDX-License-Identifier: Apache-2.0
// Gemini, Bedrock and Ollama requests.
#include "sdk/core/codec/llm_request_reader.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;

// Protocol buffers in JSON: both spellings of a name are one name.
bool is_either(std::string_view key, std::string_view camel, std::string_view snake) {
  return key == camel || key == snake;
}

}  // namespace

void RequestReader::read_gemini(std::size_t object) {
  tree_.each_member(object, [&](const JsonNode& key, std::size_t value) {
    const std::string_view name = key.text;
    if (!error_.empty()) return;
    if (name == "contents") {
      has_content_ = true;
      if (tree_[value].kind != JsonKind::kArray)
        return read_gemini_content(value, Surface::kPrompt);
      tree_.each_element(value, [&](std::size_t content, std::size_t) {
        ++request_.message_count;
        read_gemini_content(content, Surface::kPrompt);
      });
    } else if (name == "content") {  // embedContent
      has_content_ = true;
      read_gemini_content(value, Surface::kPrompt);
    } else if (name == "requests") {  // batchEmbedContents
      tree_.each_element(value, [&](std::size_t one, std::size_t) { read_gemini(one); });
    } else if (name == "request" || name == "generateContentRequest") {
      read_gemini(value);  // Code Assist, countTokens
    } else if (is_either(name, "systemInstruction", "system_instruction")) {
      read_gemini_content(value, Surface::kSystem);
    } else if (name == "tools") {
      read_gemini_tools(value);
    } else if (is_either(name, "generationConfig", "generation_config")) {
      for (const std::string_view limit : {"maxOutputTokens", "max_output_tokens"})
        read_max_tokens(value, limit);
      for (const std::string_view count : {"candidateCount", "candidate_count"})
        request_.choices = tree_.number_at(value, count).value_or(request_.choices);
      add_all(value, Surface::kOther);
    } else if (name == "model" && tree_[value].is_string()) {
      read_model(value);
      if (request_.model.starts_with("models/")) request_.model.erase(0, 7);
    } else if (is_either(name, "cachedContent", "cached_content")) {
      note_history(name, value);
      read_other(key, value);
    } else {
      read_other(key, value);
    }
  });
}

void RequestReader::read_gemini_content(std::size_t content, Surface fallback) {
  const JsonNode& node = tree_[content];
  if (node.is_string()) return add(node, fallback, true);
  if (node.kind == JsonKind::kArray) {
    tree_.each_element(content,
                       [&](std::size_t one, std::size_t) { read_gemini_content(one, fallback); });
    return;
  }
  Surface surface = fallback;
  if (fallback != Surface::kSystem)
    surface = surface_of_role(tree_.string_at(content, "role")).value_or(fallback);
  tree_.each_member(content, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "parts" && tree_[value].kind == JsonKind::kArray) {
      tree_.each_element(value,
                         [&](std::size_t part, std::size_t) { read_gemini_part(part, surface); });
    } else if (key.text == "parts") {
      read_gemini_part(value, surface);
    } else if (key.text != "role" || !surface_of_role(tree_[value].text)) {
      // A content that is its own only part, as "system_instruction": {"text": ...}.
      key.text == "text" && tree_[value].is_string() ? add(tree_[value], surface, true)
                                                     : add_all(value, surface);
    }
  });
}

void RequestReader::read_gemini_part(std::size_t part, Surface surface) {
  if (tree_[part].kind != JsonKind::kObject) return add_all(part, surface);
  tree_.each_member(part, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "text" && tree_[value].is_string()) {
      add(tree_[value], surface, true);
    } else if (is_either(key.text, "functionCall", "function_call") ||
               is_either(key.text, "executableCode", "executable_code")) {
      add_all(value, Surface::kToolArguments);
    } else if (is_either(key.text, "functionResponse", "function_response") ||
               is_either(key.text, "codeExecutionResult", "code_execution_result")) {
      add_all(value, Surface::kToolResult);
    } else {
      note_gemini_file(key.text, value);
      add_all(value, is_either(key.text, "thoughtSignature", "thought_signature") ? Surface::kOther
                                                                                  : surface);
    }
  });
}

// A file of Google's own API; other addresses are of pages, films and buckets.
void RequestReader::note_gemini_file(std::string_view name, std::size_t part) {
  if (!is_either(name, "fileData", "file_data")) return;
  for (const std::string_view key : {"fileUri", "file_uri"}) {
    const std::string_view address = tree_.string_at(part, key);
    const bool is_kept = address.starts_with("files/") ||
                         address.find("generativelanguage.googleapis.com/") != address.npos;
    if (is_kept) note_history(key, part);
  }
}

void RequestReader::read_gemini_tools(std::size_t tools) {
  const auto read_tool = [&](std::size_t tool, std::size_t) {
    tree_.each_member(tool, [&](const JsonNode& key, std::size_t value) {
      if (is_either(key.text, "functionDeclarations", "function_declarations")) {
        tree_.each_element(
            value, [&](std::size_t one, std::size_t) { add_tool(tree_.string_at(one, "name")); });
      } else {
        add_tool(key.text);  // googleSearch, codeExecution, ...
        if (is_either(key.text, "fileSearch", "file_search")) note_history(key.text, value);
        if (is_either(key.text, "mcpServers", "mcp_servers") && tree_[value].next > value + 1)
          request_.has_remote_mcp = true;
      }
    });
  };
  if (tree_[tools].kind == JsonKind::kObject) {
    read_tool(tools, 0);
  } else {
    tree_.each_element(tools, read_tool);
  }
  add_all(tools, Surface::kToolDescription);
}

// Converse, or the dialect of whichever vendor's model is invoked: what they call their prompt.
void RequestReader::read_bedrock() {
  has_content_ = request_.api == Api::kBedrockInvoke;
  tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
    const std::string_view name = key.text;
    if (!error_.empty()) return;
    if (name == "messages") {
      read_messages(value);
    } else if (name == "system") {
      read_content(value, Surface::kSystem);
    } else if (name == "preamble") {
      add_all(value, Surface::kSystem);
    } else if (name == "prompt" || name == "inputText" || name == "message" || name == "texts" ||
               name == "text_prompts") {
      read_prompt_value(value);
    } else if (name == "chat_history" || name == "documents") {
      add_all(value, name == "documents" ? Surface::kToolResult : Surface::kAssistant);
    } else if (name == "toolConfig") {
      read_bedrock_tools(value);
    } else if (name == "inferenceConfig") {
      read_max_tokens(value, "maxTokens");
      read_max_tokens(value, "max_new_tokens");
      add_all(value, Surface::kOther);
    } else if (name == "textGenerationConfig") {
      read_max_tokens(value, "maxTokenCount");
      add_all(value, Surface::kOther);
    } else if (name == "max_gen_len" || name == "max_tokens_to_sample") {
      read_max_tokens(0, name);
    } else if (!read_common(name, value)) {
      read_other(key, value);
    }
  });
}

void RequestReader::read_bedrock_tools(std::size_t config) {
  tree_.each_element(tree_.find(config, "tools"), [&](std::size_t tool, std::size_t) {
    for (const std::string_view kind : {"toolSpec", "systemTool"}) {
      const std::size_t spec = tree_.find(tool, kind);
      if (spec != kNone) add_tool(tree_.string_at(spec, "name"));
    }
  });
  add_all(config, Surface::kToolDescription);
}

void RequestReader::read_ollama() {
  request_.stream = tree_.find(0, "stream") == kNone;  // the default
  tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
    if (!error_.empty()) return;
    if (key.text == "messages") {
      read_messages(value);
    } else if (key.text == "options") {
      read_max_tokens(value, "num_predict");
      add_all(value, Surface::kOther);
    } else if (!read_common(key.text, value)) {
      read_other(key, value);
    }
  });
  // "/api/chat" is the path of many web applications: theirs name no model.
  if (error_.empty() && request_.model.empty()) reject(0, "no \"model\"");
}

}  // namespace aispm::codec
