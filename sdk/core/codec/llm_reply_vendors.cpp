// SPDX-License-Identifier: Apache-2.0
// Gemini, Bedrock, Ollama and llama.cpp replies.
#include "sdk/core/codec/llm_reply_reader.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;

bool is_gemini_envelope(std::string_view key) {
  return key == "usageMetadata" || key == "modelVersion" || key == "responseId" ||
         key == "createTime";
}

// Protocol buffers in JSON: clients read both spellings of a name.
bool is_either(std::string_view key, std::string_view camel, std::string_view snake) {
  return key == camel || key == snake;
}

// A call whose arguments come in some way but whole ("partialArgs", "willContinue").
bool is_odd_gemini_call(const JsonTree& tree, std::size_t call) {
  bool is_odd = tree[call].kind != JsonKind::kObject;
  tree.each_member(call, [&](const JsonNode& key, std::size_t) {
    is_odd = is_odd || (key.text != "id" && key.text != "name" && key.text != "args");
  });
  return is_odd;
}

bool is_count_key(std::string_view key) {
  return key.ends_with("_duration") || key.ends_with("_count") || key == "created_at" ||
         key == "done" || key == "done_reason" || key == "context" || key == "model" ||
         key == "timings" || key == "generation_settings" || key == "stop" || key == "stop_type" ||
         key == "stopping_word" || key == "tokens" || key == "id_slot" || key == "prompt";
}

}  // namespace

void ReplyReader::read_gemini(std::size_t object) {
  // Code Assist wraps the reply.
  if (const std::size_t inner = tree_.find(object, "response");
      object == 0 && inner != kNone && tree_[inner].kind == JsonKind::kObject &&
      tree_.find(0, "candidates") == kNone) {
    if (const auto trace = tree_.string_at(0, "traceId"); reply_.id.empty())
      reply_.id = short_copy(trace);
    return read_gemini(inner);
  }
  if (const auto id = tree_.string_at(object, "responseId"); !id.empty())
    reply_.id = short_copy(id);
  reply_.model = short_copy(tree_.string_at(object, "modelVersion"));
  reply_.usage = read_usage(Api::kGeminiGenerate, tree_, tree_.find(object, "usageMetadata"));
  tree_.each_member(object, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "candidates" && tree_[value].kind == JsonKind::kArray) {
      tree_.each_element(value, [&](std::size_t candidate, std::size_t position) {
        read_candidate(candidate, static_cast<std::uint32_t>(position));
      });
    } else if (key.text == "promptFeedback") {
      const std::size_t reason = tree_.find(value, "blockReason");
      if (reply_.finish_reason.empty() && reason != kNone)
        reply_.finish_reason = short_copy(enumerated(reason));
      if (!reply_.finish_reason.empty()) reply_.finished.push_back(0);
      add_all(value, {ChannelKind::kOther, 0, 0});
    } else if (!is_gemini_envelope(key.text)) {
      add_all(value, {ChannelKind::kOther, 0, 0});
    }
  });
}

// A word of an enumeration, or its number where the client asked for numbers; "" for what is not
// set.
std::string_view ReplyReader::enumerated(std::size_t value) const {
  if (tree_[value].kind == JsonKind::kNull) return {};
  const std::string_view word = text_of(value);
  return word == "0" ? std::string_view{} : word;
}

void ReplyReader::read_candidate(std::size_t candidate, std::uint32_t position) {
  const auto index =
      static_cast<std::uint32_t>(tree_.number_at(candidate, "index").value_or(position));
  tree_.each_member(candidate, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "content" && tree_[value].kind == JsonKind::kObject) {
      read_gemini_content(value, index);
    } else if (is_either(key.text, "finishReason", "finish_reason")) {
      const std::string_view reason = enumerated(value);
      if (reason.empty()) return;
      if (reply_.finish_reason.empty()) reply_.finish_reason = short_copy(reason);
      reply_.finished.push_back(index);
    } else if (is_either(key.text, "logprobsResult", "logprobs_result")) {
      if (tree_[value].kind != JsonKind::kNull) reply_.logprobs.push_back(tree_[value].span());
    } else if (key.text != "index" && key.text != "safetyRatings") {
      add_all(value, {ChannelKind::kOther, index, 0});
    }
  });
}

void ReplyReader::read_gemini_content(std::size_t content, std::uint32_t choice) {
  tree_.each_member(content, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "parts" && tree_[value].kind == JsonKind::kArray) {
      tree_.each_element(value,
                         [&](std::size_t part, std::size_t) { read_gemini_part(part, choice); });
    } else if (key.text != "role" || !is_protocol_word(key.text, tree_[value].text)) {
      add_all(value, {ChannelKind::kOther, choice, 0});
    }
  });
}

void ReplyReader::read_gemini_part(std::size_t part, std::uint32_t choice) {
  if (tree_[part].kind != JsonKind::kObject) return add_all(part, {ChannelKind::kOther, choice, 0});
  const std::size_t thought = tree_.find(part, "thought");
  const bool is_thought = thought != kNone && tree_[thought].kind == JsonKind::kTrue;
  tree_.each_member(part, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "text") {
      add_all(value, {is_thought ? ChannelKind::kReasoning : ChannelKind::kText, choice, 0});
    } else if (is_either(key.text, "functionCall", "function_call")) {
      reply_.has_odd_call = reply_.has_odd_call || is_odd_gemini_call(tree_, value);
      const auto call = static_cast<std::uint32_t>(reply_.tool_calls.size());
      add_call(tree_.string_at(value, "id"), tree_.string_at(value, "name"),
               tree_.find(value, "args"), {ChannelKind::kToolArguments, choice, call});
    } else if (is_either(key.text, "executableCode", "executable_code")) {
      const auto call = static_cast<std::uint32_t>(reply_.tool_calls.size());
      add_call({}, "code_execution", tree_.find(value, "code"),
               {ChannelKind::kToolArguments, choice, call});
    } else if (key.text != "thoughtSignature" && key.text != "inlineData") {
      add_all(value, {ChannelKind::kOther, choice, 0});
    }
  });
}

// Converse; Nova's own reply has the same shape.
void ReplyReader::read_bedrock(std::size_t object) {
  reply_.usage = read_usage(Api::kBedrockConverse, tree_, tree_.find(object, "usage"));
  reply_.finish_reason = short_copy(tree_.string_at(object, "stopReason"));
  tree_.each_member(object, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "output") {
      const std::size_t message = tree_.find(value, "message");
      if (message == kNone) return add_all(value, {ChannelKind::kOther, 0, 0});
      tree_.each_element(tree_.find(message, "content"),
                         [&](std::size_t block, std::size_t position) {
                           read_bedrock_block(block, static_cast<std::uint32_t>(position));
                         });
    } else if (key.text != "usage" && key.text != "metrics" && key.text != "stopReason") {
      add_all(value, {ChannelKind::kOther, 0, 0});
    }
  });
}

void ReplyReader::read_bedrock_block(std::size_t block, std::uint32_t index) {
  tree_.each_member(block, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "text") {
      add_all(value, {ChannelKind::kText, 0, index});
    } else if (key.text == "toolUse") {
      add_call(tree_.string_at(value, "toolUseId"), tree_.string_at(value, "name"),
               tree_.find(value, "input"), {ChannelKind::kToolArguments, 0, index});
    } else if (key.text == "reasoningContent") {
      const std::size_t reasoning = tree_.find(value, "reasoningText");
      const std::size_t text = reasoning == kNone ? kNone : tree_.find(reasoning, "text");
      if (text != kNone) add_all(text, {ChannelKind::kReasoning, 0, index});
    } else {
      add_all(value, {ChannelKind::kOther, 0, index});
    }
  });
}

// InvokeModel: the vendor's own reply, told by its shape.
Result<> ReplyReader::read_invoked() {
  const std::size_t content = tree_.find(0, "content");
  if (content != kNone && tree_[content].kind == JsonKind::kArray) return read_messages();
  if (tree_.find(0, "choices") != kNone) return read_chat(Api::kOpenAiChat);
  if (tree_.find(0, "output") != kNone) {
    read_bedrock(0);
    return {};
  }
  reply_.usage = read_usage(Api::kBedrockInvoke, tree_, 0);
  reply_.finish_reason = short_copy(tree_.string_at(0, "stop_reason"));
  tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
    const bool is_list = key.text == "results" || key.text == "outputs" ||
                         key.text == "generations";  // Titan, Mistral, Cohere
    if (is_list) {
      tree_.each_element(value, [&](std::size_t one, std::size_t position) {
        for (const std::string_view reason : {"completionReason", "stop_reason", "finish_reason"})
          if (reply_.finish_reason.empty())
            reply_.finish_reason = short_copy(tree_.string_at(one, reason));
        for (const std::string_view text : {"outputText", "text"})
          if (const std::size_t node = tree_.find(one, text); node != kNone)
            add_all(node, {ChannelKind::kText, static_cast<std::uint32_t>(position), 0});
      });
    } else if (key.text == "generation" || key.text == "outputText" || key.text == "completion" ||
               key.text == "text") {  // Llama, Titan's pieces, older Claude, Cohere
      add_all(value, {ChannelKind::kText, 0, 0});
    } else if (key.text == "completionReason" || key.text == "finish_reason") {
      if (reply_.finish_reason.empty()) reply_.finish_reason = short_copy(tree_[value].text);
    } else if (key.text != "embedding" && key.text != "embeddings" &&
               key.text != "amazon-bedrock-invocationMetrics" && !is_envelope_key(key.text)) {
      add_all(value, {ChannelKind::kOther, 0, 0});
    }
  });
  return {};
}

// One object, with the text beside the counts.
void ReplyReader::read_plain(Api api) {
  reply_.usage = read_usage(api, tree_, 0);
  reply_.finish_reason = short_copy(tree_.string_at(0, "done_reason"));
  if (reply_.finish_reason.empty())
    reply_.finish_reason = short_copy(tree_.string_at(0, "stop_type"));
  if (reply_.finish_reason == "none") reply_.finish_reason.clear();
  tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "message") {
      read_message(value, 0);
    } else if (key.text == "response" || key.text == "content") {
      add_all(value, {ChannelKind::kText, 0, 0});
    } else if (key.text == "thinking") {
      add_all(value, {ChannelKind::kReasoning, 0, 0});
    } else if (key.text == "logprobs") {
      if (tree_[value].kind != JsonKind::kNull) reply_.logprobs.push_back(tree_[value].span());
    } else if (key.text == "context" && tree_[value].kind == JsonKind::kArray) {
      reply_.logprobs.push_back(tree_[value].span());  // the text again, as tokens
    } else if (!is_count_key(key.text) && !is_envelope_key(key.text)) {
      add_all(value, {ChannelKind::kOther, 0, 0});
    }
  });
}

}  // namespace aispm::codec
