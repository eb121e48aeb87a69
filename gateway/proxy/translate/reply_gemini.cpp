// SPDX-License-Identifier: Apache-2.0
// Gemini's generateContent, as a provider says it: a whole reply is a stream of one piece.
#include <algorithm>
#include <array>

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

Result<Reason> read_reason(std::string_view word) {
  constexpr std::array<std::string_view, 7> kFilters = {
      "SAFETY", "RECITATION",  "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT",
      "SPII",   "IMAGE_SAFETY"};
  if (word == "STOP") return Reason::kStop;
  if (word == "MAX_TOKENS") return Reason::kLength;
  if (std::find(kFilters.begin(), kFilters.end(), word) != kFilters.end()) return Reason::kFilter;
  return cannot("finishReason " + std::string(word.substr(0, 64)));
}

class GeminiStream final : public StreamReader {
 private:
  Result<> read_event(const JsonTree& tree, const codec::SseEvent& event) override {
    if (!started_) {
      answer_.id = tree.string_at(0, "responseId");
      answer_.model = tree.string_at(0, "modelVersion");
      started_ = true;
    }
    read_tokens(tree);
    const std::size_t candidates = tree.find(0, "candidates");
    if (candidates == kNone) return read_feedback(tree);
    if (tree[candidates].kind != JsonKind::kArray) return cannot("candidates that are no list");
    Result<> read;
    tree.each_element(candidates, [&](std::size_t candidate, std::size_t index) {
      if (!read) return;
      read = index > 0 || tree.number_at(candidate, "index").value_or(0) != 0
                 ? Result<>(cannot("more than one candidate"))
                 : read_candidate(tree, candidate, event.data);
    });
    return read;
  }

  // The prompt was refused: there are no candidates.
  Result<> read_feedback(const JsonTree& tree) {
    const std::size_t feedback = tree.find(0, "promptFeedback");
    if (feedback != kNone && !tree.string_at(feedback, "blockReason").empty()) {
      answer_.reason = Reason::kFilter;
      return {};
    }
    // A last piece may hold the usage alone.
    return tree.find(0, "usageMetadata") != kNone ? Result<>()
                                                  : cannot("a piece without candidates");
  }

  Result<> read_candidate(const JsonTree& tree, std::size_t candidate, std::string_view data) {
    const std::size_t content = tree.find(candidate, "content");
    const std::size_t parts = content == kNone ? kNone : tree.find(content, "parts");
    Result<> read;
    if (parts != kNone)
      tree.each_element(parts, [&](std::size_t part, std::size_t) {
        if (read) read = read_part(tree, part, data);
      });
    if (!read) return read;
    const std::string_view word = tree.string_at(candidate, "finishReason");
    if (word.empty()) return {};
    AISPM_TRY(answer_.reason, read_reason(word));
    return {};
  }

  Result<> read_part(const JsonTree& tree, std::size_t part, std::string_view data) {
    if (answer_.reason != Reason::kOpen) return cannot("a part behind the finishReason");
    const std::size_t thought = tree.find(part, "thought");
    const bool is_thought = thought != kNone && tree[thought].kind == JsonKind::kTrue;
    Result<> read;
    tree.each_member(part, [&](const JsonNode& key, std::size_t value) {
      if (!read || key.text == "thought" || key.text == "thoughtSignature") return;
      if (key.text == "text" && tree[value].is_string())
        say(is_thought ? TextKind::kReasoning : TextKind::kText, tree[value].text);
      else if (key.text == "functionCall" && tree[value].kind == JsonKind::kObject)
        read = take_call(tree, value, data, tree.string_at(part, "thoughtSignature"));
      else
        read = cannot("a part with `" + std::string(key.text.substr(0, 64)) + "`");
    });
    return read;
  }

  Result<> take_call(const JsonTree& tree, std::size_t call, std::string_view data,
                     std::string_view signature) {
    for (const std::string_view partly : {"partialArgs", "willContinue"})
      if (tree.find(call, partly) != kNone) return cannot("a call that comes in parts");
    Call made{
        std::string(tree.string_at(call, "id")), std::string(tree.string_at(call, "name")), {}};
    if (const std::size_t args = tree.find(call, "args"); args != kNone)
      made.arguments = data.substr(tree[args].begin, tree[args].span().size());
    if (is_gemini_signature(signature)) made.signature = signature;
    answer_.calls.push_back(std::move(made));
    const Call& kept = answer_.calls.back();
    if (!keep(kept.arguments.size() + kept.signature.size() + sizeof(Call)))
      return fail(Errc::kTooLarge, "tool calls of more than 4 MiB");
    return {};
  }

  void read_tokens(const JsonTree& tree) {
    const std::size_t usage = tree.find(0, "usageMetadata");
    if (usage == kNone || tree[usage].kind != JsonKind::kObject) return;
    const auto count = [&](std::string_view name) {
      return tree.number_at(usage, name).value_or(0);
    };
    Tokens tokens;
    tokens.input = count("promptTokenCount") + count("toolUsePromptTokenCount");
    tokens.reasoning = count("thoughtsTokenCount");
    tokens.output = count("candidatesTokenCount") + tokens.reasoning;
    tokens.cached = std::min(count("cachedContentTokenCount"), tokens.input);
    answer_.tokens = tokens;
  }
};

}  // namespace

std::unique_ptr<StreamReader> make_gemini_reader() { return std::make_unique<GeminiStream>(); }

}  // namespace aispm::gateway::translate
