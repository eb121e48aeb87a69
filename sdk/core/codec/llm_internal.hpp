// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/llm.hpp"

namespace aispm::codec {

// A name or id copied out, cut at kMaxNameBytes.
inline std::string short_copy(std::string_view text) {
  return std::string(text.substr(0, kMaxNameBytes));
}

// Calls use(node) for each string in the subtree at `index` that may carry meaning: all values
// except JSON schema type words, and keys of at least kMinKeyTextBytes.
template <typename Use>
void each_string(const JsonTree& tree, std::size_t index, Use use);

// Whether the value of `key` is one of the protocol's own words, not text.
bool is_protocol_word(std::string_view key, std::string_view value);

// A long run of base64, or a data: URL of one: the bytes of an image, sound or file.
bool is_media(std::string_view text);

// Members of a choice that say its text again, token by token; vLLM also as numbers of tokens.
inline bool says_tokens(std::string_view key) { return key == "logprobs" || key == "token_ids"; }

// {"type":..,"code":..,"message":..} or a bare string.
LlmError read_error(const JsonTree& tree, std::size_t error);

// Usage of either dialect; nullopt when the node is no object or holds no counts.
std::optional<Usage> read_usage(Api api, const JsonTree& tree, std::size_t usage);

template <typename Use>
void each_string(const JsonTree& tree, std::size_t index, Use use) {
  for (std::size_t i = index; i < tree[index].next; ++i) {
    const JsonNode& node = tree[i];
    if (!node.is_string() || node.text.empty()) continue;
    if (node.is_key) {
      if (node.text.size() >= kMinKeyTextBytes) use(node);
      continue;
    }
    const bool has_key = i > index && tree[i - 1].is_key;
    if (has_key && is_protocol_word(tree[i - 1].text, node.text)) continue;
    use(node);
  }
}

}  // namespace aispm::codec
