// SPDX-License-Identifier: Apache-2.0
// Ollama's chat, as a provider says it: a whole reply is its last piece.
#include "gateway/proxy/translate/reply_forms.hpp"

namespace aispm::gateway::translate {

using codec::JsonKind;
using codec::JsonNode;
using codec::JsonTree;

namespace {

constexpr std::size_t kNone = JsonTree::kNone;

tl::unexpected<Error> cannot(std::string_view what) {
  return fail(Errc::kInvalid, "what it says cannot be translated: " + std::string(what));
}

class OllamaStream final : public StreamReader {
 private:
  Result<> read_event(const JsonTree& tree, const codec::SseEvent& event) override {
    const std::size_t message = tree.find(0, "message");
    const std::size_t done = tree.find(0, "done");
    if (message == kNone && done == kNone) return cannot("a piece without a message");
    if (!started_) answer_.model = tree.string_at(0, "model");
    started_ = true;
    if (message != kNone) AISPM_CHECK(read_message(tree, message, event.data));
    if (done == kNone || tree[done].kind != JsonKind::kTrue) return {};
    ended_ = true;
    answer_.tokens = Tokens{.input = tree.number_at(0, "prompt_eval_count").value_or(0),
                            .output = tree.number_at(0, "eval_count").value_or(0)};
    const std::string_view word = tree.string_at(0, "done_reason");
    if (word == "length")
      answer_.reason = Reason::kLength;
    else if (word.empty() || word == "stop")
      answer_.reason = Reason::kStop;
    else if (word == "content_filter")
      answer_.reason = Reason::kFilter;
    else
      return cannot("an unknown done_reason");
    return {};
  }

  Result<> read_message(const JsonTree& tree, std::size_t message, std::string_view data) {
    Result<> read;
    tree.each_member(message, [&](const JsonNode& key, std::size_t value) {
      const JsonNode& node = tree[value];
      if (!read || key.text == "role" || node.kind == JsonKind::kNull) return;
      if ((key.text == "content" || key.text == "thinking") && node.is_string()) {
        say(key.text == "content" ? TextKind::kText : TextKind::kReasoning, node.text);
      } else if (key.text == "tool_calls" && node.kind == JsonKind::kArray) {
        tree.each_element(value, [&](std::size_t call, std::size_t) {
          if (read) read = take_call(tree, call, data);
        });
      } else if (!(node.is_string() && node.text.empty())) {
        read = cannot("an unknown member of the message");
      }
    });
    return read;
  }

  Result<> take_call(const JsonTree& tree, std::size_t call, std::string_view data) {
    const std::size_t function = tree.find(call, "function");
    if (function == kNone) return cannot("a tool call that is none of a function");
    const std::size_t arguments = tree.find(function, "arguments");
    Call made{
        std::string(tree.string_at(call, "id")), std::string(tree.string_at(function, "name")), {}};
    if (arguments != kNone)
      made.arguments = data.substr(tree[arguments].begin, tree[arguments].span().size());
    answer_.calls.push_back(std::move(made));
    if (!keep(answer_.calls.back().arguments.size() + sizeof(Call)))
      return fail(Errc::kTooLarge, "tool calls of more than 4 MiB");
    return {};
  }
};

}  // namespace

std::unique_ptr<StreamReader> make_ollama_reader() { return std::make_unique<OllamaStream>(); }

}  // namespace aispm::gateway::translate
