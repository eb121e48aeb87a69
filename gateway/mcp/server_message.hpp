// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

// What the gateway says to an MCP server, as its client, and what the server says. Pure.
namespace aispm::gateway {

// What a client can be asked on behalf of a server.
struct McpAbilities {
  bool sampling = false;
  bool elicitation = false;  // by a form
  bool roots = false;
};
// As a client's capabilities, a JSON object.
std::string server_capabilities(const McpAbilities& abilities);

// JSON-RPC texts. `params`: a JSON object, "" = none. `id`: JSON.
std::string server_request(std::string_view id, std::string_view method, std::string_view params);
std::string server_notification(std::string_view method, std::string_view params = {});
// Params with a `_meta` that they do not have yet.
struct ServerMeta {
  bool is_stateless = false;  // says what 2026-07-28 wants of each request
  std::string progress =
      {};  // JSON, the token under which the server may tell of progress; "" = none
  std::string log_level = {};  // from which on it may log; "" = not said
  McpAbilities abilities = {};
  std::string told = {};  // by the client: a JSON object with other members; "" = nothing
};
std::string server_params(std::string_view params, const ServerMeta& meta,
                          std::string_view own_version);
// To a request of the server that it may not make.
std::string server_denial(std::string_view id, std::string_view method);
std::string server_hello(std::string_view own_version,
                         const McpAbilities& abilities);                     // params of initialize
std::string server_call(std::string_view tool, std::string_view arguments);  // of tools/call
std::string server_list(std::string_view cursor);                            // of */list
std::string server_prompt(std::string_view prompt, std::string_view arguments);  // of prompts/get
std::string server_read(std::string_view uri);  // of resources/read
// params of notifications/cancelled
std::string server_cancel(std::string_view request_id);

struct ServerMessage {
  enum class Kind : std::uint8_t {
    kResult,   // of what was asked
    kError,    // likewise
    kRequest,  // the server wants something of the client
    kOther,    // a notification, or an answer to something else
  };
  Kind kind = Kind::kOther;
  std::string id;             // kRequest: as JSON
  std::string method;         // kRequest, kOther
  std::string params;         // kRequest, kOther: a JSON object; "" = none
  std::string result;         // kResult: a JSON object
  bool has_type = false;      // kResult: it has a resultType
  bool needs_input = false;   // kResult: it is "input_required", not "complete"
  int error_code = 0;         // kError
  std::string error_message;  // kError
};
// `id`: of what was asked, as JSON. Halves of surrogate pairs become U+FFFD. kInvalid: no
// JSON-RPC 2.0 that can only be read in one way, or a result that is no object or of another type.
Result<ServerMessage> read_server_message(std::string_view text, std::string_view id);

// What a server says that it has.
struct ServerOffers {
  bool tools = false;
  bool prompts = false;
  bool resources = false;
  // It tells when that changes.
  bool tools_change = false;
  bool prompts_change = false;
  bool resources_change = false;
  bool subscribe = false;  // to one resource
};

// Of what one server tells models of itself; more is not passed on.
inline constexpr std::size_t kMaxInstructions = 16U << 10;

struct ServerHello {
  std::string version;
  std::string name;
  std::string own_version;
  std::string instructions;  // "" = none; of more than kMaxInstructions bytes, one byte more
  ServerOffers offers;
};
// The result of initialize. kUnsupported: a version that is not spoken here.
Result<ServerHello> read_server_hello(std::string_view result);
// The result of server/discover (2026-07-28), likewise.
Result<ServerHello> read_server_discovery(std::string_view result);

// notifications/progress. The numbers as they were written.
struct ServerProgress {
  std::string token;     // JSON
  std::string progress;  // a number
  std::string total;     // likewise; "" = none
  std::string message;   // "" = none
};
std::optional<ServerProgress> read_progress(std::string_view params);

// notifications/message.
struct ServerLog {
  std::string level;
  std::string logger;  // "" = none
  std::string data;    // JSON
};
std::optional<ServerLog> read_log(std::string_view params);
// Where a server that answers 307 or 308 wants a request: the path (and query) of a Location.
// Frameworks do that to URLs without a slash at the end. kUnsupported: it is not at `origin`
// ("http://host:port", as configured), or no such URL, in words for who configures it.
Result<std::string> read_redirect(std::string_view origin, std::string_view location);

// Whether a refusal (400) says that the session it was asked in is not known, or not any more. The
// protocol wants 404 for that, and examples of its SDKs answer 400 and speak of it.
bool speaks_of_session(std::string_view refusal);
// 0, "debug", to 7, "emergency"; nothing: no such level.
std::optional<int> rank_of_log(std::string_view level);

}  // namespace aispm::gateway
