// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/mcp/server_message.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/common/time.hpp"

// What MCP servers ask of clients: a word of their model, of their user, or where their files are.
// Pure.
namespace aispm::gateway {

enum class WishKind : std::uint8_t { kSampling, kElicitation, kRoots };
// Of "sampling/createMessage", "elicitation/create", "roots/list".
std::optional<WishKind> wish_kind(std::string_view method);
std::string_view grant_of(WishKind kind);  // "sampling", "elicitation", "roots"
bool is_able(const McpAbilities& abilities, WishKind kind);
// What of them is granted to a server.
McpAbilities granted(const std::vector<std::string>& grants, const McpAbilities& abilities);

// What of a server's params goes on to a client, a JSON object: only what the method is about, and
// not `includeContext`, by which one server would be told what others said. kDenied: it asks for
// something that nobody can grant (a page to open, tools for the model).
Result<std::string> wish_params(WishKind kind, std::string_view params);
// The same where a person reads it: says which server asks.
Result<std::string> name_asker(WishKind kind, std::string_view params, std::string_view server);
// What of a client's answer goes on to a server, a JSON object. kInvalid: it is none.
Result<std::string> wish_answer(WishKind kind, std::string_view result);

// 2026-07-28: questions come as a result, and answers with the same request, made again.
struct InputRound {
  static constexpr std::size_t kMaxQuestions = 16;
  static constexpr std::size_t kMaxStateBytes = 64U << 10;
  struct Question {
    std::string key;
    std::string method;
    std::string params;  // a JSON object
  };
  std::vector<Question> questions;
  std::string state;
  bool has_state = false;
};
// Of a result of type "input_required".
Result<InputRound> read_round(std::string_view result);
// As a result for a client, whole.
std::string write_round(const InputRound& round);

using InputAnswers = std::vector<std::pair<std::string, std::string>>;  // key, JSON object
Result<InputAnswers> read_answers(std::string_view input_responses);
// `params` of the request, with the answers and the server's state.
std::string with_answers(std::string_view params, const InputAnswers& answers,
                         const InputRound& round);

// What a client keeps for us between a question and its answer: the server's state and which
// questions there were, good for `binding` (who asked, for what call) until `expires`.
std::string seal_round(const Secret& key, std::string_view binding, const InputRound& round,
                       WallTime expires);
// kDenied: it is not of ours, not for this call, or too old. Questions come without params.
Result<InputRound> open_round(const Secret& key, std::string_view binding, std::string_view sealed,
                              WallTime now);

}  // namespace aispm::gateway
