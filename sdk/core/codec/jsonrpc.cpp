// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/jsonrpc.hpp"

#include <charconv>

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;

tl::unexpected<Error> refuse(std::string_view what) {
  return fail(Errc::kInvalid, "json-rpc: " + std::string(what));
}

Result<std::string> read_id(const JsonTree& tree, std::string_view text, std::size_t node) {
  const JsonNode& id = tree[node];
  if (id.kind == JsonKind::kNull) return std::string();
  if (id.kind != JsonKind::kString && id.kind != JsonKind::kNumber)
    return refuse("the id is neither string nor number");
  const JsonSpan span = id.span();
  if (span.size() > kMaxRpcIdBytes)
    return fail(Errc::kTooLarge,
                "json-rpc: an id of more than " + std::to_string(kMaxRpcIdBytes) + " bytes");
  // Strings decoded and written again, so that every spelling of one id is equal.
  if (id.is_string()) return json_string(id.text);
  return std::string(text.substr(span.begin, span.size()));
}

Result<> read_error(const JsonTree& tree, std::size_t error, RpcMessage& message) {
  const std::size_t code = tree.find(error, "code");
  if (code == kNone || tree[code].kind != JsonKind::kNumber) return refuse("an error without code");
  const std::string_view digits = tree[code].text;
  const auto [end, status] =
      std::from_chars(digits.data(), digits.data() + digits.size(), message.error_code);
  if (status != std::errc() || end != digits.data() + digits.size())
    return refuse("an error code that is no integer");
  const std::size_t text = tree.find(error, "message");
  if (text == kNone || !tree[text].is_string()) return refuse("an error without message");
  message.error_message = tree[text].text;
  message.error_data = tree.find(error, "data");
  return {};
}

}  // namespace

Result<RpcMessage> read_rpc(const JsonTree& tree, std::string_view text) {
  if (tree.string_at(0, "jsonrpc") != "2.0") return refuse("\"jsonrpc\" is not \"2.0\"");
  RpcMessage message;
  const std::size_t id = tree.find(0, "id");
  if (id != kNone) {
    AISPM_TRY(message.id, read_id(tree, text, id));
  }
  const std::size_t method = tree.find(0, "method");
  const std::size_t result = tree.find(0, "result");
  std::size_t error = tree.find(0, "error");
  // Some writers send "error": null beside a result.
  if (error != kNone && tree[error].kind == JsonKind::kNull && result != kNone) error = kNone;
  if ((method != kNone) + (result != kNone) + (error != kNone) != 1)
    return refuse("not exactly one of method, result and error");
  message.params = tree.find(0, "params");
  if (message.params != kNone && tree[message.params].kind == JsonKind::kNull)
    message.params = kNone;
  if (message.params != kNone && tree[message.params].kind != JsonKind::kObject &&
      tree[message.params].kind != JsonKind::kArray)
    return refuse("params that are neither object nor array");
  if (method != kNone) {
    if (!tree[method].is_string()) return refuse("the method is no string");
    message.method = tree[method].text;
    message.kind = id == kNone ? RpcKind::kNotification : RpcKind::kRequest;
    return message;
  }
  if (result != kNone) {
    if (message.id.empty()) return refuse("a result without id");
    message.kind = RpcKind::kResult;
    message.result = result;
    return message;
  }
  message.kind = RpcKind::kError;
  AISPM_CHECK(read_error(tree, error, message));
  return message;
}

}  // namespace aispm::codec
