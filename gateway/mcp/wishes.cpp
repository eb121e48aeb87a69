// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/wishes.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/hmac.hpp"

namespace aispm::gateway {

using codec::json_string;
using codec::JsonKind;
using codec::JsonTree;

namespace {

constexpr std::size_t kMacSize = 64;
constexpr std::size_t kMaxKey = 256;

constexpr std::array<std::string_view, 7> kSamplingParams = {
    "messages",    "modelPreferences", "systemPrompt", "maxTokens",
    "temperature", "stopSequences",    "metadata"};
constexpr std::array<std::string_view, 3> kElicitationParams = {"mode", "message",
                                                                "requestedSchema"};
constexpr std::array<std::string_view, 4> kSamplingAnswer = {"role", "content", "model",
                                                             "stopReason"};
constexpr std::array<std::string_view, 2> kElicitationAnswer = {"action", "content"};
constexpr std::array<std::string_view, 1> kRootsAnswer = {"roots"};

// The object at the root with those of its members that are named.
std::string keep_members(const JsonTree& tree, std::string_view text,
                         std::span<const std::string_view> names) {
  std::string json = "{";
  for (const std::string_view name : names) {
    const std::size_t value = tree.find(0, name);
    if (value == JsonTree::kNone) continue;
    const codec::JsonSpan span = tree[value].span();
    json.append(json.size() > 1 ? "," : "").append(json_string(name)).append(":");
    json.append(text.substr(span.begin, span.size()));
  }
  return json + "}";
}

std::string_view text_at(const JsonTree& tree, std::string_view text, std::size_t node) {
  const codec::JsonSpan span = tree[node].span();
  return text.substr(span.begin, span.size());
}

}  // namespace

std::optional<WishKind> wish_kind(std::string_view method) {
  if (method == "sampling/createMessage") return WishKind::kSampling;
  if (method == "elicitation/create") return WishKind::kElicitation;
  if (method == "roots/list") return WishKind::kRoots;
  return std::nullopt;
}

std::string_view grant_of(WishKind kind) {
  if (kind == WishKind::kSampling) return "sampling";
  return kind == WishKind::kElicitation ? "elicitation" : "roots";
}

bool is_able(const McpAbilities& abilities, WishKind kind) {
  if (kind == WishKind::kSampling) return abilities.sampling;
  return kind == WishKind::kElicitation ? abilities.elicitation : abilities.roots;
}

McpAbilities granted(const std::vector<std::string>& grants, const McpAbilities& abilities) {
  const auto has = [&](WishKind kind) {
    return is_able(abilities, kind) &&
           std::find(grants.begin(), grants.end(), grant_of(kind)) != grants.end();
  };
  return {.sampling = has(WishKind::kSampling),
          .elicitation = has(WishKind::kElicitation),
          .roots = has(WishKind::kRoots)};
}

Result<std::string> wish_params(WishKind kind, std::string_view params) {
  if (kind == WishKind::kRoots) return std::string("{}");
  JsonTree tree;
  AISPM_CHECK(tree.read(params, codec::kMaxRpcDepth));
  if (kind == WishKind::kSampling) {
    if (tree.find(0, "tools") != JsonTree::kNone)
      return fail(Errc::kDenied, "it wants tools for the client's model");
    return keep_members(tree, params, kSamplingParams);
  }
  const std::size_t mode = tree.find(0, "mode");
  if (mode != JsonTree::kNone && (!tree[mode].is_string() || tree[mode].text != "form"))
    return fail(Errc::kDenied, "it wants the client's user to open a page");
  if (tree.string_at(0, "message").empty())
    return fail(Errc::kInvalid, "it says nothing to the client's user");
  return keep_members(tree, params, kElicitationParams);
}

Result<std::string> name_asker(WishKind kind, std::string_view params, std::string_view server) {
  if (kind != WishKind::kElicitation) return std::string(params);
  JsonTree tree;
  AISPM_CHECK(tree.read(params, codec::kMaxRpcDepth));
  const std::size_t message = tree.find(0, "message");
  if (message == JsonTree::kNone || !tree[message].is_string())
    return fail(Errc::kInvalid, "it says nothing to the client's user");
  const std::string named =
      "The MCP server " + std::string(server) + " asks: " + std::string(tree[message].text);
  return codec::apply_patches(params, {codec::string_patch(tree[message].span(), named)});
}

Result<std::string> wish_answer(WishKind kind, std::string_view result) {
  JsonTree tree;
  AISPM_CHECK(tree.read(result, codec::kMaxRpcDepth));
  if (kind == WishKind::kElicitation) {
    const std::string_view action = tree.string_at(0, "action");
    if (action != "accept" && action != "decline" && action != "cancel")
      return fail(Errc::kInvalid, "the answer has no action");
    return keep_members(tree, result, kElicitationAnswer);
  }
  const bool is_sampling = kind == WishKind::kSampling;
  if (tree.find(0, is_sampling ? "content" : "roots") == JsonTree::kNone)
    return fail(Errc::kInvalid, "the answer has no content");
  return is_sampling ? keep_members(tree, result, kSamplingAnswer)
                     : keep_members(tree, result, kRootsAnswer);
}

Result<InputRound> read_round(std::string_view result) {
  JsonTree tree;
  AISPM_CHECK(tree.read(result, codec::kMaxRpcDepth));
  InputRound round;
  const std::size_t state = tree.find(0, "requestState");
  round.has_state = state != JsonTree::kNone;
  if (round.has_state && !tree[state].is_string())
    return fail(Errc::kInvalid, "the server's state is no text");
  if (round.has_state) round.state = std::string(tree[state].text);
  if (round.state.size() > InputRound::kMaxStateBytes)
    return fail(Errc::kTooLarge, "the server's state is larger than 64 KiB");
  bool is_good = true;
  tree.each_member(tree.find(0, "inputRequests"), [&](const codec::JsonNode& key, std::size_t at) {
    const std::size_t params = tree.find(at, "params");
    const bool has_params = params != JsonTree::kNone;
    is_good = is_good && key.text.size() <= kMaxKey && !tree.string_at(at, "method").empty() &&
              (!has_params || tree[params].kind == JsonKind::kObject);
    round.questions.push_back(
        {.key = std::string(key.text),
         .method = std::string(tree.string_at(at, "method")),
         .params = has_params ? std::string(text_at(tree, result, params)) : "{}"});
  });
  if (!is_good) return fail(Errc::kInvalid, "the server asks in a form that is not understood");
  if (round.questions.size() > InputRound::kMaxQuestions)
    return fail(Errc::kTooLarge, "the server asks the client for too much");
  if (round.questions.empty() && !round.has_state)
    return fail(Errc::kInvalid, "the server wants something and does not say what");
  return round;
}

std::string write_round(const InputRound& round) {
  std::string json = "{\"resultType\":\"input_required\",\"inputRequests\":{";
  for (const InputRound::Question& question : round.questions) {
    if (json.back() != '{') json += ",";
    json.append(json_string(question.key))
        .append(":{\"method\":")
        .append(json_string(question.method))
        .append(",\"params\":")
        .append(question.params)
        .append("}");
  }
  return json + "},\"requestState\":" + json_string(round.state) + "}";
}

Result<InputAnswers> read_answers(std::string_view input_responses) {
  JsonTree tree;
  AISPM_CHECK(tree.read(input_responses, codec::kMaxRpcDepth));
  InputAnswers answers;
  bool is_good = true;
  tree.each_member(0, [&](const codec::JsonNode& key, std::size_t value) {
    is_good = is_good && tree[value].kind == JsonKind::kObject;
    answers.emplace_back(std::string(key.text), std::string(text_at(tree, input_responses, value)));
  });
  if (!is_good || answers.size() > InputRound::kMaxQuestions)
    return fail(Errc::kInvalid, "inputResponses must be at most 16 objects");
  return answers;
}

std::string with_answers(std::string_view params, const InputAnswers& answers,
                         const InputRound& round) {
  std::string json(params.substr(0, params.rfind('}')));
  json += ",\"inputResponses\":{";
  for (const auto& [key, answer] : answers) {
    if (json.back() != '{') json += ",";
    json.append(json_string(key)).append(":").append(answer);
  }
  json += "}";
  if (round.has_state) json += ",\"requestState\":" + json_string(round.state);
  return json + "}";
}

std::string seal_round(const Secret& key, std::string_view binding, const InputRound& round,
                       WallTime expires) {
  std::string payload =
      "{\"exp\":\"" + std::to_string(expires.nanoseconds / 1'000'000'000) + "\",\"asked\":{";
  for (const InputRound::Question& question : round.questions) {
    if (payload.back() != '{') payload += ",";
    payload += json_string(question.key) + ":" + json_string(question.method);
  }
  payload += "}";
  if (round.has_state) payload += ",\"state\":" + json_string(round.state);
  payload += "}";
  const std::string bound = "aispm-mcp-round 1\n" + sha256_hex(binding) + "\n" + payload;
  return hmac_sha256_hex(key, bound) + payload;
}

Result<InputRound> open_round(const Secret& key, std::string_view binding, std::string_view sealed,
                              WallTime now) {
  const auto stranger = fail(Errc::kDenied, "this requestState is not of this call");
  if (sealed.size() <= kMacSize) return stranger;
  const std::string_view payload = sealed.substr(kMacSize);
  const std::string bound =
      "aispm-mcp-round 1\n" + sha256_hex(binding) + "\n" + std::string(payload);
  if (!equal_in_constant_time(hmac_sha256_hex(key, bound), sealed.substr(0, kMacSize)))
    return stranger;
  JsonTree tree;
  AISPM_CHECK(tree.read(payload, codec::kMaxRpcDepth));
  const std::string expires(tree.string_at(0, "exp"));
  if (std::stoll(expires) < now.nanoseconds / 1'000'000'000)
    return fail(Errc::kDenied, "the answer comes too late: make the call again");
  InputRound round;
  round.has_state = tree.find(0, "state") != JsonTree::kNone;
  round.state = std::string(tree.string_at(0, "state"));
  tree.each_member(tree.find(0, "asked"), [&](const codec::JsonNode& asked, std::size_t method) {
    round.questions.push_back({std::string(asked.text), std::string(tree[method].text), "{}"});
  });
  return round;
}

}  // namespace aispm::gateway
