// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_request.hpp"

#include <algorithm>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/mcp_http.hpp"

namespace aispm::gateway {
namespace {

using codec::JsonKind;
using codec::JsonTree;
using codec::RpcKind;

constexpr std::size_t kNone = JsonTree::kNone;
constexpr std::string_view kMetaOwn = "io.modelcontextprotocol/";
constexpr std::string_view kMetaVersion = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kMetaLogLevel = "io.modelcontextprotocol/logLevel";
constexpr std::string_view kMetaCapabilities = "io.modelcontextprotocol/clientCapabilities";

McpRefusal refuse(int code, std::string message, std::string data = {}) {
  return {.status = 400, .code = code, .message = std::move(message), .data = std::move(data)};
}

bool is_media_type(std::string_view value, std::string_view wanted) {
  value = value.substr(0, value.find(';'));
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  return codec::http1::equal_name(value, wanted);
}

// Whether an Accept header has the media type itself or a wildcard for it.
bool accepts(std::string_view header, std::string_view type, std::string_view group) {
  while (!header.empty()) {
    const auto comma = std::min(header.find(','), header.size());
    std::string_view one = header.substr(0, comma);
    header.remove_prefix(std::min(comma + 1, header.size()));
    while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
    if (is_media_type(one, type) || is_media_type(one, group) || is_media_type(one, "*/*"))
      return true;
  }
  return false;
}

std::optional<McpRefusal> check_media(const McpHead& head) {
  if (!is_media_type(head.content_type, "application/json"))
    return McpRefusal{.status = 415, .message = "the content-type must be application/json"};
  if (!accepts(head.accept, "application/json", "application/*") ||
      !accepts(head.accept, "text/event-stream", "text/*"))
    return McpRefusal{.status = 406,
                      .message = "the client must accept application/json and text/event-stream"};
  return std::nullopt;
}

std::size_t depth_of(const JsonTree& tree, std::size_t node) {
  std::size_t deepest = 0;
  std::vector<std::size_t> ends;
  for (std::size_t i = node; i < tree[node].next; ++i) {
    while (!ends.empty() && ends.back() <= i) ends.pop_back();
    const JsonKind kind = tree[i].kind;
    if (kind != JsonKind::kObject && kind != JsonKind::kArray) continue;
    ends.push_back(tree[i].next);
    deepest = std::max(deepest, ends.size());
  }
  return deepest;
}

// Reads one POST; each step may refuse.
class Reader {
 public:
  Reader(const McpHead& head, std::string_view body)
      : head_(head),
        body_(body),
        headers_{.protocol_version = head.version,
                 .session_id = head.session_id,
                 .method = head.method,
                 .name = head.name} {}

  McpReading read() {
    auto refusal = check_media(head_);
    if (!refusal) refusal = read_message();
    if (!refusal) refusal = read_era();
    if (!refusal) refusal = read_params();
    McpReading reading{std::move(message_), std::move(refusal)};
    if (reading.refusal) reading.refusal->id = reading.message.id;
    return reading;
  }

 private:
  std::optional<McpRefusal> read_message() {
    const std::size_t first = body_.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos && body_[first] == '[')
      return refuse(mcp_code::kInvalidRequest, "batches are not served");
    if (body_.size() > codec::kMaxRpcBytes)
      return McpRefusal{.status = 413, .message = "the message is too large"};
    if (auto parsed = tree_.read(body_, codec::kMaxRpcDepth); !parsed)
      return refuse(mcp_code::kParse, parsed.error().message);
    auto rpc = codec::read_rpc(tree_, body_);
    if (!rpc) return refuse(mcp_code::kInvalidRequest, rpc.error().message);
    rpc_ = std::move(*rpc);
    message_.kind = rpc_.kind;
    message_.id = rpc_.id;
    message_.method = std::string(rpc_.method);
    if (rpc_.kind == RpcKind::kResult || rpc_.kind == RpcKind::kError) message_.answer = body_;
    if (rpc_.params != kNone && tree_[rpc_.params].kind != JsonKind::kObject)
      return refuse(mcp_code::kInvalidParams, "params must be an object");
    if (rpc_.kind == RpcKind::kRequest && rpc_.id.empty())
      return refuse(mcp_code::kInvalidRequest, "a request's id must not be null");
    return std::nullopt;
  }

  std::optional<McpRefusal> read_era() {
    const std::size_t meta = rpc_.params == kNone ? kNone : tree_.find(rpc_.params, "_meta");
    const std::string_view in_body =
        meta == kNone ? std::string_view{} : tree_.string_at(meta, kMetaVersion);
    if (message_.method == "initialize") return read_initialize();
    const std::string_view version = headers_.protocol_version;
    if (version.empty() && in_body.empty()) {
      message_.version = kMcpUnnamedSession;
      return std::nullopt;
    }
    if (is_mcp_session_version(version) && in_body.empty()) {
      message_.version = version;
      return std::nullopt;
    }
    if (version != in_body && message_.kind == RpcKind::kRequest &&
        (version == kMcpStateless || in_body == kMcpStateless)) {
      if (version == kMcpStateless && in_body.empty())
        return refuse(mcp_code::kInvalidParams,
                      "params._meta must name " + std::string(kMetaVersion));
      return refuse(mcp_code::kHeaderMismatch,
                    "the MCP-Protocol-Version header is not what the body says");
    }
    if (version != kMcpStateless) return unsupported(version.empty() ? in_body : version);
    message_.version = kMcpStateless;
    message_.is_stateless = true;
    return check_stateless(meta);
  }

  std::optional<McpRefusal> read_initialize() {
    if (message_.kind != RpcKind::kRequest)
      return refuse(mcp_code::kInvalidRequest, "initialize is a request");
    if (rpc_.params == kNone || tree_.string_at(rpc_.params, "protocolVersion").empty())
      return refuse(mcp_code::kInvalidParams, "initialize names no protocolVersion");
    message_.version = std::string(tree_.string_at(rpc_.params, "protocolVersion"));
    read_abilities(tree_.find(rpc_.params, "capabilities"));
    return std::nullopt;
  }

  std::optional<McpRefusal> check_stateless(std::size_t meta) {
    if (message_.kind == RpcKind::kNotification) return std::nullopt;
    if (message_.kind != RpcKind::kRequest)
      return refuse(mcp_code::kInvalidRequest, "only requests and notifications are taken");
    const std::size_t capabilities = tree_.find(meta, kMetaCapabilities);
    if (capabilities == kNone || tree_[capabilities].kind != JsonKind::kObject)
      return refuse(mcp_code::kInvalidParams,
                    "params._meta must name " + std::string(kMetaCapabilities));
    read_abilities(capabilities);
    message_.log_level = std::string(tree_.string_at(meta, kMetaLogLevel));
    const std::string_view named = names_one() ? tree_.string_at(rpc_.params, target_key()) : "";
    if (headers_.method != message_.method || codec::decode_mcp_header(headers_.name) != named)
      return refuse(mcp_code::kHeaderMismatch,
                    "the Mcp-Method and Mcp-Name headers are not what the body says");
    return std::nullopt;
  }

  // Methods of which a header names the target too.
  bool names_one() const {
    return message_.method == "tools/call" || message_.method == "prompts/get" ||
           message_.method == "resources/read";
  }

  bool is_subscription() const {
    return message_.method == "resources/subscribe" || message_.method == "resources/unsubscribe";
  }

  std::string_view target_key() const {
    if (message_.method == "resources/read" || is_subscription()) return "uri";
    return message_.method == "logging/setLevel" ? "level" : "name";
  }

  std::optional<McpRefusal> read_params() {
    if (rpc_.params == kNone) return check_target();
    if (message_.method == "notifications/cancelled") {
      const std::size_t id = tree_.find(rpc_.params, "requestId");
      if (id != kNone) message_.target = text_of(id);
      return std::nullopt;
    }
    if (message_.kind != RpcKind::kRequest) return std::nullopt;
    const std::size_t cursor = find_given(rpc_.params, "cursor");
    message_.has_cursor =
        cursor != kNone && !(tree_[cursor].is_string() && tree_[cursor].text.empty());
    if (message_.method == "completion/complete" || message_.method == "subscriptions/listen")
      message_.arguments = text_of(rpc_.params);
    if (!names_one() && !is_subscription() && message_.method != "logging/setLevel")
      return std::nullopt;
    const std::size_t inputs = tree_.find(rpc_.params, "inputResponses");
    message_.is_retry = inputs != kNone;
    if (inputs != kNone && tree_[inputs].kind != JsonKind::kObject)
      return refuse(mcp_code::kInvalidParams, "inputResponses must be an object");
    if (inputs != kNone) message_.input_responses = text_of(inputs);
    message_.request_state = std::string(tree_.string_at(rpc_.params, "requestState"));
    message_.target = std::string(tree_.string_at(rpc_.params, target_key()));
    if (auto refusal = check_target()) return refusal;
    if (auto refusal = read_meta()) return refusal;
    const std::size_t arguments = find_given(rpc_.params, "arguments");
    if (arguments == kNone) return std::nullopt;
    if (tree_[arguments].kind != JsonKind::kObject)
      return refuse(mcp_code::kInvalidParams, "arguments must be an object");
    if (depth_of(tree_, arguments) > kMaxMcpArgumentDepth)
      return refuse(mcp_code::kInvalidParams, "arguments are nested more than " +
                                                  std::to_string(kMaxMcpArgumentDepth) + " deep");
    message_.arguments = text_of(arguments);
    return std::nullopt;
  }

  std::optional<McpRefusal> read_meta() {
    const std::size_t meta = tree_.find(rpc_.params, "_meta");
    if (meta == kNone) return std::nullopt;
    tree_.each_member(meta, [&](const codec::JsonNode& key, std::size_t value) {
      if (key.text == "progressToken" || key.text.starts_with(kMetaOwn)) return;
      message_.meta.append(message_.meta.empty() ? "{" : ",");
      message_.meta.append(codec::json_string(key.text)).append(":").append(text_of(value));
    });
    if (!message_.meta.empty()) message_.meta += "}";
    if (message_.meta.size() > kMaxMcpMeta || depth_of(tree_, meta) > kMaxMcpArgumentDepth)
      return refuse(mcp_code::kInvalidParams, "_meta has more than " + std::to_string(kMaxMcpMeta) +
                                                  " bytes or is nested more than " +
                                                  std::to_string(kMaxMcpArgumentDepth) + " deep");
    return read_progress_token(meta);
  }

  std::optional<McpRefusal> read_progress_token(std::size_t meta) {
    const std::size_t token = find_given(meta, "progressToken");
    if (token == kNone) return std::nullopt;
    const JsonKind kind = tree_[token].kind;
    message_.progress_token = text_of(token);
    if ((kind != JsonKind::kString && kind != JsonKind::kNumber) ||
        message_.progress_token.size() > codec::kMaxRpcIdBytes)
      return refuse(mcp_code::kInvalidParams, "the progressToken must be a short text or a number");
    return std::nullopt;
  }

  std::optional<McpRefusal> check_target() const {
    if (message_.kind != RpcKind::kRequest || !message_.target.empty()) return std::nullopt;
    if (message_.method == "tools/call")
      return refuse(mcp_code::kInvalidParams, "tools/call names no tool");
    if (message_.method == "prompts/get")
      return refuse(mcp_code::kInvalidParams, "prompts/get names no prompt");
    if (message_.method == "resources/read" || is_subscription())
      return refuse(mcp_code::kInvalidParams, message_.method + " names no URI");
    return std::nullopt;
  }

  // Some clients write null for what they do not give.
  std::size_t find_given(std::size_t object, std::string_view name) const {
    const std::size_t node = tree_.find(object, name);
    return node == kNone || tree_[node].kind == JsonKind::kNull ? kNone : node;
  }

  std::string text_of(std::size_t node) const {
    const codec::JsonSpan span = tree_[node].span();
    return std::string(body_.substr(span.begin, span.size()));
  }

  void read_abilities(std::size_t capabilities) {
    if (capabilities == kNone) return;
    const std::size_t asks = tree_.find(capabilities, "elicitation");
    message_.asks_by_url = asks != kNone && tree_.find(asks, "url") != kNone;
    // Clients of 2025-06-18 say {} and mean forms.
    message_.abilities.elicitation =
        asks != kNone && (tree_.find(asks, "form") != kNone || !message_.asks_by_url);
    message_.abilities.sampling = tree_.find(capabilities, "sampling") != kNone;
    message_.abilities.roots = tree_.find(capabilities, "roots") != kNone;
  }

  static McpRefusal unsupported(std::string_view version) {
    return refuse(mcp_code::kUnsupportedVersion, "this protocol version is not spoken here",
                  "{\"supported\":[\"" + std::string(kMcpStateless) + "\",\"" +
                      std::string(kMcpNewestSession) + "\",\"" + std::string(kMcpMiddleSession) +
                      "\",\"" + std::string(kMcpUnnamedSession) + "\",\"" +
                      std::string(kMcpOldestSession) +
                      "\"],\"requested\":" + codec::json_string(version) + "}");
  }

  const McpHead& head_;
  const std::string_view body_;
  const codec::McpHeaders headers_;
  JsonTree tree_;
  codec::RpcMessage rpc_;
  McpMessage message_;
};

// "http://localhost:3000" -> localhost; "" when it is no such origin.
std::string_view host_of(std::string_view origin) {
  const auto scheme = origin.find("://");
  if (scheme == std::string_view::npos) return {};
  origin.remove_prefix(scheme + 3);
  if (origin.starts_with('[')) return origin.substr(0, origin.find(']') + 1);
  return origin.substr(0, origin.find(':'));
}

}  // namespace

bool accepts_event_stream(const McpHead& head) {
  return accepts(head.accept, "text/event-stream", "text/*");
}

bool is_mcp_session_version(std::string_view version) {
  return version == kMcpOldestSession || version == kMcpUnnamedSession ||
         version == kMcpMiddleSession || version == kMcpNewestSession;
}

McpHead take_mcp_head(const codec::http1::Head& head) {
  codec::McpHeaders headers;
  for (const codec::http1::Header& header : head.headers)
    codec::take_mcp_header(header.name, header.value, headers);
  return {.content_type = std::string(head.content_type),
          .accept = std::string(head.find("accept").value_or(std::string_view{})),
          .version = std::string(headers.protocol_version),
          .session_id = std::string(headers.session_id),
          .method = std::string(headers.method),
          .name = std::string(headers.name)};
}

McpReading read_mcp_post(const McpHead& head, std::string_view body) {
  const auto mended = codec::mend_surrogates(body);
  return Reader(head, mended ? std::string_view(*mended) : body).read();
}

bool is_mcp_origin_allowed(std::optional<std::string_view> origin,
                           const std::vector<std::string>& allowed) {
  if (!origin) return true;
  const std::string_view host = host_of(*origin);
  if (host == "localhost" || host == "127.0.0.1" || host == "[::1]") return true;
  return std::find(allowed.begin(), allowed.end(), *origin) != allowed.end();
}

std::string_view agree_on_mcp_version(std::string_view wanted) {
  for (const std::string_view spoken :
       {kMcpOldestSession, kMcpUnnamedSession, kMcpMiddleSession, kMcpNewestSession})
    if (wanted == spoken) return spoken;
  return kMcpNewestSession;
}

}  // namespace aispm::gateway
