// SPDX-License-Identifier: Apache-2.0
// OpenAI's chat completions, as a provider says them.
#include <map>

#include "gateway/proxy/translate/field_reader.hpp"
#include "gateway/proxy/translate/reply_forms.hpp"

namespace aispm::gateway::translate {

using codec::JsonKind;
using codec::JsonNode;
using codec::JsonTree;

namespace {

tl::unexpected<Error> cannot(std::string_view what) {
  return fail(Errc::kInvalid, "what it says cannot be translated: " + std::string(what));
}

bool is_nothing(const JsonTree& tree, std::size_t node) {
  const JsonNode& value = tree[node];
  return value.kind == JsonKind::kNull || value.kind == JsonKind::kFalse ||
         (value.is_string() && value.text.empty()) ||
         ((value.kind == JsonKind::kArray || value.kind == JsonKind::kObject) &&
          value.next == node + 1);
}

Result<Reason> read_reason(std::string_view word) {
  if (word == "stop") return Reason::kStop;
  if (word == "length") return Reason::kLength;
  if (word == "tool_calls" || word == "function_call") return Reason::kTools;
  if (word == "content_filter") return Reason::kFilter;
  return cannot("an unknown finish_reason");
}

void read_tokens(const JsonTree& tree, std::size_t usage, Answer& answer) {
  if (usage == kNone || tree[usage].kind != JsonKind::kObject) return;
  Tokens tokens;
  tokens.input = tree.number_at(usage, "prompt_tokens").value_or(0);
  tokens.output = tree.number_at(usage, "completion_tokens").value_or(0);
  if (const std::size_t in = tree.find(usage, "prompt_tokens_details"); in != kNone)
    tokens.cached = tree.number_at(in, "cached_tokens").value_or(0);
  if (const std::size_t out = tree.find(usage, "completion_tokens_details"); out != kNone)
    tokens.reasoning = tree.number_at(out, "reasoning_tokens").value_or(0);
  if (tokens.cached > tokens.input) tokens.cached = tokens.input;
  answer.tokens = tokens;
}

// A message, or what a chunk adds to one. `use` takes each text and each tool call.
template <typename Say, typename Take>
Result<> read_message(const JsonTree& tree, std::size_t message, Say say, Take take) {
  Result<> read;
  const bool has_content = !tree.string_at(message, "reasoning_content").empty();
  tree.each_member(message, [&](const JsonNode& key, std::size_t value) {
    const std::string_view name = key.text;
    if (!read || is_nothing(tree, value) || name == "role" || name == "name") return;
    if (name == "content" || name == "refusal" || name == "reasoning_content" ||
        name == "reasoning") {
      if (!tree[value].is_string()) read = cannot(name);
      if (name == "reasoning" && has_content) return;  // some say it twice
      say(name == "content"   ? TextKind::kText
          : name == "refusal" ? TextKind::kRefusal
                              : TextKind::kReasoning,
          tree[value].text);
    } else if (name == "tool_calls" && tree[value].kind == JsonKind::kArray) {
      tree.each_element(value, [&](std::size_t call, std::size_t position) {
        if (read) read = take(call, position);
      });
    } else if (name != "reasoning_details" && name != "annotations") {
      // The first is said in `reasoning`, too; the second is about the text.
      read = cannot(name);
    }
  });
  return read;
}

// Some servers send parallel calls under one index, or under none, each with an id of its own.
bool begins_another(const JsonTree& tree, std::size_t call, std::size_t function,
                    const Call& before) {
  const std::string_view id = tree.string_at(call, "id");
  return !before.id.empty() && !id.empty() && id != before.id &&
         !tree.string_at(function, "name").empty() && is_object(before.arguments);
}

class OpenAiStream final : public StreamReader {
 private:
  Result<> read_event(const JsonTree& tree, const codec::SseEvent&) override {
    const std::size_t usage = tree.find(0, "usage");
    read_tokens(tree, usage, answer_);
    const std::size_t choices = tree.find(0, "choices");
    if (choices == kNone || tree[choices].kind == JsonKind::kNull) {
      if (usage != kNone && tree[usage].kind == JsonKind::kObject) return {};
      return cannot("an event without choices");
    }
    if (tree[choices].kind != JsonKind::kArray) return cannot("choices that are no list");
    Result<> read;
    tree.each_element(choices, [&](std::size_t choice, std::size_t) {
      if (read) read = read_choice(tree, choice);
    });
    return read;
  }

  Result<> read_choice(const JsonTree& tree, std::size_t choice) {
    if (tree.number_at(choice, "index").value_or(0) != 0) return cannot("more than one choice");
    if (!started_) {
      started_ = true;
      answer_.id = tree.string_at(0, "id");
      answer_.model = tree.string_at(0, "model");
    }
    const std::size_t delta = tree.find(choice, "delta");
    const bool over = answer_.reason != Reason::kOpen;
    if (delta != kNone) {
      AISPM_CHECK(read_message(
          tree, delta, [&](TextKind kind, std::string_view text) { say(kind, text); },
          [&](std::size_t call, std::size_t position) { return take_call(tree, call, position); }));
      has_refused_ =
          has_refused_ || (!answer_.said.empty() && answer_.said.back().kind == TextKind::kRefusal);
      if (over && !answer_.said.empty()) return cannot("text behind the finish_reason");
    }
    const std::string_view word = tree.string_at(choice, "finish_reason");
    if (word.empty()) return {};
    AISPM_TRY(answer_.reason, read_reason(word));
    if (has_refused_ && answer_.reason == Reason::kStop) answer_.reason = Reason::kFilter;
    return {};
  }

  Result<> take_call(const JsonTree& tree, std::size_t call, std::size_t position) {
    if (answer_.reason != Reason::kOpen) return cannot("a tool call behind the finish_reason");
    const std::size_t function = tree.find(call, "function");
    if (function == kNone) return cannot("a tool call that is none of a function");
    const auto index = tree.number_at(call, "index").value_or(position);
    if (index >= kMaxCalls) return cannot("a tool call with too high an index");
    auto [place, is_new] = places_.try_emplace(index, answer_.calls.size());
    if (!is_new && begins_another(tree, call, function, answer_.calls[place->second])) {
      is_new = true;
      place->second = answer_.calls.size();
    }
    if (is_new) answer_.calls.emplace_back();
    Call& kept = answer_.calls[place->second];
    if (kept.id.empty()) kept.id = tree.string_at(call, "id");
    if (kept.name.empty()) kept.name = tree.string_at(function, "name");
    const std::size_t arguments = tree.find(function, "arguments");
    if (arguments == kNone || tree[arguments].kind == JsonKind::kNull) return {};
    if (!tree[arguments].is_string()) return cannot("arguments that are no text");
    if (!keep(tree[arguments].text.size() + sizeof(Call)))
      return fail(Errc::kTooLarge, "tool calls of more than 4 MiB");
    kept.arguments += tree[arguments].text;
    return {};
  }

  std::map<std::uint64_t, std::size_t> places_;  // of calls, by their index
  bool has_refused_ = false;
};

}  // namespace

std::unique_ptr<StreamReader> make_openai_reader() { return std::make_unique<OpenAiStream>(); }

Result<Answer> read_openai_reply(const JsonTree& tree) {
  Answer answer;
  answer.id = tree.string_at(0, "id");
  answer.model = tree.string_at(0, "model");
  read_tokens(tree, tree.find(0, "usage"), answer);
  const std::size_t choices = tree.find(0, "choices");
  if (choices == kNone || tree[choices].kind != JsonKind::kArray ||
      tree[choices].next == choices + 1)
    return cannot("a reply without choices");
  const std::size_t choice = choices + 1;
  if (tree[choice].next != tree[choices].next) return cannot("more than one choice");
  const std::size_t message = tree.find(choice, "message");
  if (message == kNone) return cannot("a choice without a message");
  bool has_refused = false;
  AISPM_CHECK(read_message(
      tree, message,
      [&](TextKind kind, std::string_view text) {
        has_refused = has_refused || kind == TextKind::kRefusal;
        answer.said.push_back({kind, std::string(text)});
      },
      [&](std::size_t call, std::size_t) -> Result<> {
        const std::size_t function = tree.find(call, "function");
        if (function == kNone || answer.calls.size() >= kMaxCalls)
          return cannot("a tool call that is none of a function, or one too many");
        answer.calls.push_back({std::string(tree.string_at(call, "id")),
                                std::string(tree.string_at(function, "name")),
                                std::string(tree.string_at(function, "arguments"))});
        return {};
      }));
  AISPM_TRY(answer.reason, read_reason(tree.string_at(choice, "finish_reason")));
  if (has_refused && answer.reason == Reason::kStop) answer.reason = Reason::kFilter;
  return answer;
}

}  // namespace aispm::gateway::translate
