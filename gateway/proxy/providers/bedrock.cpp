// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/providers/bedrock.hpp"

#include "sdk/core/codec/base64.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/llm.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;
using codec::JsonTree;

constexpr std::string_view kVersion = "bedrock-2023-05-31";

std::string error_event(std::string_view type, std::string_view message) {
  return R"({"type":"error","error":{"type":)" + json_string(type) + R"(,"message":)" +
         json_string(message) + "}}";
}

// Anthropic's word for an HTTP status.
std::string_view type_of(int status) {
  switch (status) {
    case 400:
      return "invalid_request_error";
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return "api_error";
  }
}

std::string_view type_of_exception(std::string_view name) {
  if (name == "throttlingException") return "rate_limit_error";
  if (name == "validationException") return "invalid_request_error";
  if (name == "serviceUnavailableException") return "overloaded_error";
  return "api_error";
}

std::string_view message_of(const JsonTree& tree) {
  // An error of the transport is wrapped.
  if (const std::size_t error = tree.find(0, "error"); error != JsonTree::kNone)
    return tree.string_at(error, "message");
  const std::string_view message = tree.string_at(0, "message");
  return message.empty() ? tree.string_at(0, "Message") : message;
}

std::string beta_list(std::string_view betas) {
  std::string list;
  while (!betas.empty()) {
    const auto comma = betas.find(',');
    std::string_view one = betas.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (!one.empty()) list += (list.empty() ? "" : ",") + json_string(one);
    if (comma == std::string_view::npos) break;
    betas.remove_prefix(comma + 1);
  }
  return list;
}

}  // namespace

Result<std::string> bedrock_body(std::string_view body, std::string_view betas) {
  JsonTree tree;
  AISPM_CHECK(tree.read(body, codec::kMaxJsonDepth));
  std::string out = R"({"anthropic_version":)" + json_string(kVersion);
  if (const std::string list = beta_list(betas);
      !list.empty() && tree.find(0, "anthropic_beta") == JsonTree::kNone)
    out += R"(,"anthropic_beta":[)" + list + "]";
  tree.each_member(0, [&](const codec::JsonNode& key, std::size_t value) {
    if (key.text == "model" || key.text == "stream" || key.text == "anthropic_version") return;
    const codec::JsonSpan span = tree[value].span();
    out.append(",").append(json_string(key.text)).append(":");
    out.append(body.substr(span.begin, span.size()));
  });
  return out + "}";
}

std::string bedrock_error(int status, std::string_view body) {
  JsonTree tree;
  std::string_view message;
  if (tree.read(body, codec::kMaxJsonDepth)) message = message_of(tree);
  const std::string none = "Bedrock answered with status " + std::to_string(status);
  return error_event(type_of(status), message.empty() ? std::string_view(none) : message);
}

Result<> BedrockStream::feed(std::string_view bytes, std::string& out) {
  framer_.feed(bytes);
  while (true) {
    AISPM_TRY(const auto event, framer_.next());
    if (!event) return {};
    AISPM_CHECK(take(*event, out));
  }
}

Result<> BedrockStream::take(const codec::SseEvent& event, std::string& out) {
  JsonTree tree;
  AISPM_CHECK(tree.read(event.data, codec::kMaxJsonDepth));
  if (event.event != "chunk") {
    const std::string_view message = message_of(tree);
    out += codec::serialise_sse(
        "error",
        error_event(type_of_exception(event.event),
                    message.empty() ? std::string_view("the stream has failed") : message));
    return {};
  }
  const auto inner = codec::base64_decode(tree.string_at(0, "bytes"));
  if (!inner || inner->empty()) return fail(Errc::kInvalid, "bedrock: a chunk without bytes");
  JsonTree said;
  AISPM_CHECK(said.read(*inner, codec::kMaxJsonDepth));
  out += codec::serialise_sse(said.string_at(0, "type"), *inner);
  return {};
}

}  // namespace aispm::gateway
