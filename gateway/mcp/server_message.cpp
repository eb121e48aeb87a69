// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/server_message.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "gateway/mcp/mcp_request.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"

namespace aispm::gateway {

using codec::json_string;
using codec::JsonKind;
using codec::JsonTree;
using codec::RpcKind;

namespace {

std::string own_info(std::string_view own_version) {
  return "{\"name\":\"aispm-gateway\",\"version\":" + json_string(own_version) + "}";
}

ServerOffers read_offers(const JsonTree& tree) {
  const std::size_t said = tree.find(0, "capabilities");
  if (said == JsonTree::kNone) return {};
  const auto has = [&](std::string_view name) { return tree.find(said, name) != JsonTree::kNone; };
  const auto says = [&](std::string_view name, std::string_view what) {
    const std::size_t one = tree.find(said, name);
    const std::size_t flag = one == JsonTree::kNone ? one : tree.find(one, what);
    return flag != JsonTree::kNone && tree[flag].kind == JsonKind::kTrue;
  };
  return {.tools = has("tools"),
          .prompts = has("prompts"),
          .resources = has("resources"),
          .tools_change = says("tools", "listChanged"),
          .prompts_change = says("prompts", "listChanged"),
          .resources_change = says("resources", "listChanged"),
          .subscribe = says("resources", "subscribe")};
}

constexpr std::size_t kMaxLocation = 512;  // bytes of a redirect

// In lower case, without the port that the scheme has anyway.
std::string bare_origin(std::string_view origin) {
  std::string bare(origin);
  for (char& c : bare)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (bare.ends_with('/')) bare.pop_back();
  const std::string_view port = bare.starts_with("https://") ? ":443" : ":80";
  if (bare.ends_with(port)) bare.resize(bare.size() - port.size());
  return bare;
}

constexpr std::array<std::string_view, 8> kLogLevels = {"debug", "info",     "notice", "warning",
                                                        "error", "critical", "alert",  "emergency"};

}  // namespace

std::string server_capabilities(const McpAbilities& abilities) {
  std::string json = "{";
  const auto add = [&](bool can, std::string_view member) {
    if (can) json.append(json.size() > 1 ? "," : "").append(member);
  };
  add(abilities.sampling, "\"sampling\":{}");
  add(abilities.elicitation, "\"elicitation\":{\"form\":{}}");
  add(abilities.roots, "\"roots\":{}");
  return json + "}";
}

std::string server_request(std::string_view id, std::string_view method, std::string_view params) {
  std::string json = "{\"jsonrpc\":\"2.0\",\"id\":";
  json.append(id).append(",\"method\":").append(json_string(method));
  if (!params.empty()) json.append(",\"params\":").append(params);
  return json + "}";
}

std::string server_notification(std::string_view method, std::string_view params) {
  std::string json = "{\"jsonrpc\":\"2.0\",\"method\":" + json_string(method);
  if (!params.empty()) json.append(",\"params\":").append(params);
  return json + "}";
}

std::string server_params(std::string_view params, const ServerMeta& meta,
                          std::string_view own_version) {
  std::string members;
  const auto add = [&](std::string_view name, std::string_view json) {
    members.append(members.empty() ? "" : ",").append(json_string(name)).append(":").append(json);
  };
  if (!meta.progress.empty()) add("progressToken", meta.progress);
  if (meta.is_stateless) {
    add("io.modelcontextprotocol/protocolVersion", json_string(kMcpStateless));
    add("io.modelcontextprotocol/clientInfo", own_info(own_version));
    add("io.modelcontextprotocol/clientCapabilities", server_capabilities(meta.abilities));
    if (!meta.log_level.empty())
      add("io.modelcontextprotocol/logLevel", json_string(meta.log_level));
  }
  if (!meta.told.empty())
    members.append(members.empty() ? "" : ",").append(meta.told, 1, meta.told.size() - 2);
  if (members.empty()) return std::string(params);
  const std::string_view rest = params.empty() ? std::string_view("}") : params.substr(1);
  const bool is_empty = rest.find_first_not_of(" \t\r\n") == rest.rfind('}');
  return "{\"_meta\":{" + members + "}" + (is_empty ? "" : ",") + std::string(rest);
}

std::string server_denial(std::string_view id, std::string_view method) {
  return "{\"jsonrpc\":\"2.0\",\"id\":" + std::string(id) +
         ",\"error\":{\"code\":-32601,\"message\":" +
         json_string("AISPM: servers may not ask for " + std::string(method)) + "}}";
}

std::string server_hello(std::string_view own_version, const McpAbilities& abilities) {
  return "{\"protocolVersion\":" + json_string(kMcpNewestSession) +
         ",\"capabilities\":" + server_capabilities(abilities) +
         ",\"clientInfo\":" + own_info(own_version) + "}";
}

std::string server_call(std::string_view tool, std::string_view arguments) {
  return "{\"name\":" + json_string(tool) + ",\"arguments\":" + std::string(arguments) + "}";
}

std::string server_list(std::string_view cursor) {
  return cursor.empty() ? std::string("{}") : "{\"cursor\":" + json_string(cursor) + "}";
}

std::string server_prompt(std::string_view prompt, std::string_view arguments) {
  return "{\"name\":" + json_string(prompt) + ",\"arguments\":" + std::string(arguments) + "}";
}

std::string server_read(std::string_view uri) { return "{\"uri\":" + json_string(uri) + "}"; }

std::string server_cancel(std::string_view request_id) {
  return "{\"requestId\":" + std::string(request_id) +
         ",\"reason\":\"nobody waits for it any more\"}";
}

Result<ServerMessage> read_server_message(std::string_view text, std::string_view id) {
  const auto mended = codec::mend_surrogates(text);
  if (mended) text = *mended;
  JsonTree tree;
  if (const auto read = tree.read(text, codec::kMaxRpcDepth); !read)
    return fail(read.error().code, "its message cannot be read: " + read.error().message);
  AISPM_TRY(const codec::RpcMessage rpc, codec::read_rpc(tree, text));
  ServerMessage message;
  message.method = std::string(rpc.method);
  const bool has_params = rpc.kind == RpcKind::kRequest || rpc.kind == RpcKind::kNotification;
  if (has_params && rpc.params != JsonTree::kNone && tree[rpc.params].kind == JsonKind::kObject)
    message.params =
        std::string(text.substr(tree[rpc.params].begin, tree[rpc.params].span().size()));
  if (rpc.kind == RpcKind::kRequest) {
    message.kind = ServerMessage::Kind::kRequest;
    message.id = rpc.id;
    return message;
  }
  if (rpc.kind == RpcKind::kNotification || rpc.id != id) return message;
  if (rpc.kind == RpcKind::kError) {
    message.kind = ServerMessage::Kind::kError;
    const bool fits = rpc.error_code >= std::numeric_limits<int>::min() &&
                      rpc.error_code <= std::numeric_limits<int>::max();
    message.error_code = fits ? static_cast<int>(rpc.error_code) : mcp_code::kInternal;
    message.error_message = std::string(rpc.error_message);
    return message;
  }
  if (tree[rpc.result].kind != JsonKind::kObject)
    return fail(Errc::kInvalid, "the result is no object");
  const std::size_t type = tree.find(rpc.result, "resultType");
  message.has_type = type != JsonTree::kNone;
  message.needs_input =
      message.has_type && tree[type].is_string() && tree[type].text == "input_required";
  const bool is_whole =
      !message.has_type || (tree[type].is_string() && tree[type].text == "complete");
  if (!is_whole && !message.needs_input)
    return fail(Errc::kInvalid, "the result is not a whole one");
  const codec::JsonSpan span = tree[rpc.result].span();
  message.kind = ServerMessage::Kind::kResult;
  message.result = std::string(text.substr(span.begin, span.size()));
  return message;
}

Result<ServerHello> read_server_hello(std::string_view result) {
  JsonTree tree;
  AISPM_CHECK(tree.read(result, codec::kMaxRpcDepth));
  ServerHello hello;
  hello.version = std::string(tree.string_at(0, "protocolVersion"));
  if (!is_mcp_session_version(hello.version))
    return fail(Errc::kUnsupported, "the server speaks a version that is not spoken here");
  const std::size_t info = tree.find(0, "serverInfo");
  if (info != JsonTree::kNone) {
    hello.name = std::string(tree.string_at(info, "name"));
    hello.own_version = std::string(tree.string_at(info, "version"));
  }
  hello.instructions =
      std::string(tree.string_at(0, "instructions").substr(0, kMaxInstructions + 1));
  hello.offers = read_offers(tree);
  return hello;
}

Result<ServerHello> read_server_discovery(std::string_view result) {
  JsonTree tree;
  AISPM_CHECK(tree.read(result, codec::kMaxRpcDepth));
  ServerHello hello;
  tree.each_element(tree.find(0, "supportedVersions"), [&](std::size_t version, std::size_t) {
    if (tree[version].is_string() && tree[version].text == kMcpStateless)
      hello.version = kMcpStateless;
  });
  if (hello.version.empty())
    return fail(Errc::kUnsupported, "the server speaks a version that is not spoken here");
  hello.instructions =
      std::string(tree.string_at(0, "instructions").substr(0, kMaxInstructions + 1));
  hello.offers = read_offers(tree);
  return hello;
}

std::optional<ServerProgress> read_progress(std::string_view params) {
  JsonTree tree;
  if (!tree.read(params, codec::kMaxRpcDepth)) return std::nullopt;
  const auto number = [&](std::string_view name) {
    const std::size_t node = tree.find(0, name);
    const bool is_number = node != JsonTree::kNone && tree[node].kind == JsonKind::kNumber;
    return is_number ? std::string(tree[node].text) : std::string();
  };
  const std::size_t token = tree.find(0, "progressToken");
  if (token == JsonTree::kNone) return std::nullopt;
  ServerProgress progress{
      .token = std::string(params.substr(tree[token].begin, tree[token].span().size())),
      .progress = number("progress"),
      .total = number("total"),
      .message = std::string(tree.string_at(0, "message"))};
  if (progress.progress.empty()) return std::nullopt;
  return progress;
}

std::optional<ServerLog> read_log(std::string_view params) {
  JsonTree tree;
  if (!tree.read(params, codec::kMaxRpcDepth)) return std::nullopt;
  const std::size_t data = tree.find(0, "data");
  ServerLog log{.level = std::string(tree.string_at(0, "level")),
                .logger = std::string(tree.string_at(0, "logger")),
                .data = {}};
  if (data == JsonTree::kNone || !rank_of_log(log.level)) return std::nullopt;
  log.data = std::string(params.substr(tree[data].begin, tree[data].span().size()));
  return log;
}

Result<std::string> read_redirect(std::string_view origin, std::string_view location) {
  const bool is_url =
      location.size() <= kMaxLocation &&
      std::all_of(location.begin(), location.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!is_url) return fail(Errc::kUnsupported, "it redirects to what is no URL");
  const std::size_t scheme = location.find("://");
  const bool is_path = location.starts_with('/') && !location.starts_with("//");
  const std::size_t path = is_path                            ? 0
                           : scheme == std::string_view::npos ? scheme
                                                              : location.find('/', scheme + 3);
  const bool is_here = is_path || (path != std::string_view::npos &&
                                   bare_origin(location.substr(0, path)) == bare_origin(origin));
  if (!is_here)
    return fail(Errc::kUnsupported, "it redirects to " + std::string(location) +
                                        ", which is not followed: configure origin and path of "
                                        "where it is");
  const std::string_view at = location.substr(path);
  return std::string(at.substr(0, at.find('#')));
}

bool speaks_of_session(std::string_view refusal) {
  constexpr std::size_t kLooked = 1024;
  return refusal.substr(0, kLooked).find("ession") != std::string_view::npos;
}

std::optional<int> rank_of_log(std::string_view level) {
  const auto found = std::find(kLogLevels.begin(), kLogLevels.end(), level);
  if (found == kLogLevels.end()) return std::nullopt;
  return static_cast<int>(found - kLogLevels.begin());
}

}  // namespace aispm::gateway
