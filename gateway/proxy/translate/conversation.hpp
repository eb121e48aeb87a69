// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A request to a model as all protocols mean it. What a reader cannot put here it refuses; what a
// writer cannot say it refuses, by the field's name in the client's protocol.
namespace aispm::gateway::translate {

enum class Speaker : std::uint8_t { kSystem, kUser, kAssistant, kTool };

// Gemini's signature of a call among the signatures of Anthropic's thoughts, which are another's.
inline constexpr std::string_view kSignatureMark = "gemini:";
inline std::string marked_signature(std::string_view signature) {
  return std::string(kSignatureMark).append(signature);
}
inline std::string unmarked_signature(std::string_view said) {
  return said.starts_with(kSignatureMark) ? std::string(said.substr(kSignatureMark.size()))
                                          : std::string();
}

// Base64 in either alphabet: what else a client, or a provider, puts there is no signature of
// Gemini's and goes nowhere.
inline bool is_gemini_signature(std::string_view text) {
  constexpr std::size_t kMost = 256U << 10;
  return !text.empty() && text.size() <= kMost && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '/' || c == '-' || c == '_' || c == '=';
  });
}

struct Part {
  enum class Kind : std::uint8_t {
    kText,
    kImage,
    kReasoning,  // what the model thought; only its own protocol takes it back
    kCall,       // the model asked for a tool
    kResult,     // and got this
  };
  Kind kind = Kind::kText;
  std::string text = {};  // also of a result; kImage: base64, or a URL where there is no media_type
  std::string media_type = {};  // kImage: "image/png"
  std::string id = {};          // of the call; "" in protocols without ids
  std::string name = {};        // of the tool
  std::string arguments = {};   // kCall: a JSON object
  std::string signature =
      {};                  // kCall and the kReasoning before it: what Gemini wants back; "" = none
  std::string field = {};  // where the client says it: "messages[2].content[0]"
};

struct Message {
  Speaker speaker = Speaker::kUser;
  std::vector<Part> parts;
  std::string field;
};

struct Tool {
  std::string name;
  std::string description;
  std::string schema;  // of its arguments, a JSON object; "" = none given
  bool strict = false;
  // Responses: what the client calls it, where that is something else than a function of that name.
  std::string own_name = {};
  std::string space = {};  // of names
  bool is_custom = false;  // takes a text, here as argument `input`
};

// A value that all protocols write alike, as JSON; empty when the client gave none.
struct Setting {
  std::string json;
  std::string field;
  bool given() const { return !json.empty(); }
};

struct ToolChoice {
  enum class Kind : std::uint8_t { kUnsaid, kAuto, kNone, kAny, kNamed };
  Kind kind = Kind::kUnsaid;
  std::string name;  // kNamed
  std::string field;
};

struct ReplyForm {
  enum class Kind : std::uint8_t { kText, kJson, kSchema };
  Kind kind = Kind::kText;
  std::string name;
  std::string schema;  // a JSON object
  std::string field;
};

// How much the model is to think before it answers.
struct Effort {
  std::string word;  // "", "off", "on", "minimal", "low", "medium", "high", "xhigh"
  std::string field;
};

struct Conversation {
  std::string model;
  std::vector<Message> messages;
  std::vector<Tool> tools;
  ToolChoice tool_choice;
  bool one_call_at_a_time = false;
  std::string one_call_field;
  Setting max_tokens;
  Setting temperature;
  Setting top_p;
  Setting top_k;
  Setting seed;
  Setting presence_penalty;
  Setting frequency_penalty;
  std::vector<std::string> stop;
  Effort effort;
  ReplyForm reply_form;
  bool stream = false;
};

}  // namespace aispm::gateway::translate
