// SPDX-License-Identifier: Apache-2.0
// Anthropic's messages, as a provider says them.
#include "gateway/proxy/translate/reply_forms.hpp"

namespace aispm::gateway::translate {

using codec::JsonKind;
using codec::JsonTree;

namespace {

constexpr std::size_t kNone = JsonTree::kNone;

tl::unexpected<Error> cannot(std::string_view what) {
  return fail(Errc::kInvalid, "what it says cannot be translated: " + std::string(what));
}

Result<Reason> read_reason(std::string_view word) {
  if (word == "end_turn") return Reason::kStop;
  if (word == "stop_sequence") return Reason::kStopSequence;
  if (word == "max_tokens" || word == "model_context_window_exceeded") return Reason::kLength;
  if (word == "tool_use") return Reason::kTools;
  if (word == "refusal") return Reason::kFilter;
  return cannot("an unknown stop_reason");
}

// Counts of later events are totals and replace earlier ones.
void read_tokens(const JsonTree& tree, std::size_t usage, Answer& answer) {
  if (usage == kNone || tree[usage].kind != JsonKind::kObject) return;
  if (!answer.tokens) answer.tokens.emplace();
  Tokens& tokens = *answer.tokens;
  std::uint64_t plain = tokens.input - tokens.cached - tokens.cache_write;
  const auto take = [&](std::string_view key, std::uint64_t& count) {
    if (const auto value = tree.number_at(usage, key)) count = *value;
  };
  take("input_tokens", plain);
  take("cache_read_input_tokens", tokens.cached);
  take("cache_creation_input_tokens", tokens.cache_write);
  take("output_tokens", tokens.output);
  tokens.input = plain + tokens.cached + tokens.cache_write;
}

bool is_empty_list(const JsonTree& tree, std::size_t node) {
  return node == kNone || tree[node].kind == JsonKind::kNull ||
         (tree[node].kind == JsonKind::kArray && tree[node].next == node + 1);
}

std::string raw(const JsonTree& tree, std::size_t node, std::string_view body) {
  if (node == kNone) return {};
  return std::string(body.substr(tree[node].begin, tree[node].span().size()));
}

// Citations are refused: they stand for sources that the client's protocol cannot name.
bool has_citations(const JsonTree& tree, std::size_t block) {
  return !is_empty_list(tree, tree.find(block, "citations"));
}

class AnthropicStream final : public StreamReader {
 private:
  enum class Block : std::uint8_t { kShut, kText, kThinking, kSealed, kTool };

  Result<> read_event(const JsonTree& tree, const codec::SseEvent& event) override {
    const std::string_view type = tree.string_at(0, "type");
    if (!event.event.empty() && event.event != type)
      return cannot("an event line and a \"type\" that differ");
    if (type == "ping") return {};
    if (type == "message_start") return start(tree);
    if (!started_) return cannot("an event before message_start");
    if (type == "content_block_start") return open_block(tree, event.data);
    if (type == "content_block_delta") return read_delta(tree);
    if (type == "content_block_stop") return close_block(tree);
    if (type == "message_delta") return read_message_delta(tree);
    if (type != "message_stop") return cannot("an unknown event");
    ended_ = true;
    return {};
  }

  Result<> start(const JsonTree& tree) {
    const std::size_t message = tree.find(0, "message");
    if (started_ || message == kNone || !is_empty_list(tree, tree.find(message, "content")))
      return cannot("message_start");
    started_ = true;
    answer_.id = tree.string_at(message, "id");
    answer_.model = tree.string_at(message, "model");
    read_tokens(tree, tree.find(message, "usage"), answer_);
    return {};
  }

  Result<> open_block(const JsonTree& tree, std::string_view data) {
    const std::size_t block = tree.find(0, "content_block");
    if (open_ != Block::kShut || block == kNone || answer_.reason != Reason::kOpen)
      return cannot("a block within another, or behind the end");
    index_ = tree.number_at(0, "index").value_or(0);
    const std::string_view type = tree.string_at(block, "type");
    if (type == "text") {
      if (has_citations(tree, block)) return cannot("citations");
      open_ = Block::kText;
      say(TextKind::kText, tree.string_at(block, "text"));
    } else if (type == "thinking") {
      open_ = Block::kThinking;
      say(TextKind::kReasoning, tree.string_at(block, "thinking"));
    } else if (type == "redacted_thinking") {
      open_ = Block::kSealed;
    } else if (type == "tool_use") {
      open_ = Block::kTool;
      const std::size_t input = tree.find(block, "input");
      const bool given = input != kNone && tree[input].next > input + 1;
      answer_.calls.push_back({std::string(tree.string_at(block, "id")),
                               std::string(tree.string_at(block, "name")),
                               given ? raw(tree, input, data) : std::string()});
      has_arguments_ = given;
      if (!keep(answer_.calls.back().arguments.size() + sizeof(Call)))
        return fail(Errc::kTooLarge, "tool calls of more than 4 MiB");
    } else {
      return cannot("an unknown kind of block");
    }
    return {};
  }

  Result<> read_delta(const JsonTree& tree) {
    if (open_ == Block::kShut || tree.number_at(0, "index").value_or(0) != index_)
      return cannot("a piece of a block that is not open");
    const std::size_t delta = tree.find(0, "delta");
    if (delta == kNone) return cannot("a piece without content");
    const std::string_view type = tree.string_at(delta, "type");
    if (type == "text_delta" && open_ == Block::kText) {
      say(TextKind::kText, tree.string_at(delta, "text"));
    } else if (type == "thinking_delta" && open_ == Block::kThinking) {
      say(TextKind::kReasoning, tree.string_at(delta, "thinking"));
    } else if (type == "signature_delta") {
      return {};  // means something to its provider only
    } else if (type == "input_json_delta" && open_ == Block::kTool && !has_arguments_) {
      const std::string_view piece = tree.string_at(delta, "partial_json");
      if (!keep(piece.size())) return fail(Errc::kTooLarge, "tool calls of more than 4 MiB");
      answer_.calls.back().arguments += piece;
    } else {
      return cannot("an unknown kind of piece");
    }
    return {};
  }

  Result<> close_block(const JsonTree& tree) {
    if (open_ == Block::kShut || tree.number_at(0, "index").value_or(0) != index_)
      return cannot("the end of a block that is not open");
    open_ = Block::kShut;
    return {};
  }

  Result<> read_message_delta(const JsonTree& tree) {
    read_tokens(tree, tree.find(0, "usage"), answer_);
    const std::size_t delta = tree.find(0, "delta");
    if (delta == kNone) return {};
    if (open_ != Block::kShut) return cannot("an end within a block");
    const std::string_view word = tree.string_at(delta, "stop_reason");
    if (word.empty()) return {};
    AISPM_TRY(answer_.reason, read_reason(word));
    answer_.stop_sequence = tree.string_at(delta, "stop_sequence");
    return {};
  }

  Block open_ = Block::kShut;
  std::uint64_t index_ = 0;
  bool has_arguments_ = false;  // the open call came with them
};

Result<> read_block(const JsonTree& tree, std::size_t block, std::string_view body,
                    Answer& answer) {
  const std::string_view type = tree.string_at(block, "type");
  if (type == "text") {
    if (has_citations(tree, block)) return cannot("citations");
    answer.said.push_back({TextKind::kText, std::string(tree.string_at(block, "text"))});
  } else if (type == "thinking") {
    answer.said.push_back({TextKind::kReasoning, std::string(tree.string_at(block, "thinking"))});
  } else if (type == "tool_use") {
    if (answer.calls.size() >= kMaxCalls) return cannot("too many tool calls");
    answer.calls.push_back({std::string(tree.string_at(block, "id")),
                            std::string(tree.string_at(block, "name")),
                            raw(tree, tree.find(block, "input"), body)});
  } else if (type != "redacted_thinking") {
    return cannot("an unknown kind of block");
  }
  return {};
}

}  // namespace

std::unique_ptr<StreamReader> make_anthropic_reader() {
  return std::make_unique<AnthropicStream>();
}

Result<Answer> read_anthropic_reply(const JsonTree& tree, std::string_view body) {
  Answer answer;
  answer.id = tree.string_at(0, "id");
  answer.model = tree.string_at(0, "model");
  read_tokens(tree, tree.find(0, "usage"), answer);
  const std::size_t content = tree.find(0, "content");
  if (content == kNone || tree[content].kind != JsonKind::kArray)
    return cannot("a reply without content");
  Result<> read;
  tree.each_element(content, [&](std::size_t block, std::size_t) {
    if (read) read = read_block(tree, block, body, answer);
  });
  AISPM_CHECK(std::move(read));
  AISPM_TRY(answer.reason, read_reason(tree.string_at(0, "stop_reason")));
  answer.stop_sequence = tree.string_at(0, "stop_sequence");
  return answer;
}

}  // namespace aispm::gateway::translate
