// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

// What the gateway says to an MCP server, as its client, and what the server says. Pure.
namespace aispm::gateway {

// JSON-RPC texts. `params`: a JSON object, "" = none. `id`: JSON.
std::string server_request(std::string_view id, std::string_view method, std::string_view params);
std::string server_notification(std::string_view method);
// To a request of the server that it may not make.
std::string server_denial(std::string_view id, std::string_view method);
std::string server_hello(std::string_view own_version);                      // params of initialize
std::string server_call(std::string_view tool, std::string_view arguments);  // of tools/call
std::string server_list(std::string_view cursor);                            // of tools/list

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
  std::string result;         // kResult: a JSON object
  bool has_type = false;      // kResult: it has a resultType, "complete"
  int error_code = 0;         // kError
  std::string error_message;  // kError
};
// `id`: of what was asked, as JSON. kInvalid: no JSON-RPC 2.0 that can only be read in one way, or
// a result that is no object or not a whole one.
Result<ServerMessage> read_server_message(std::string_view text, std::string_view id);

struct ServerHello {
  std::string version;
  std::string name;
  std::string own_version;
};
// The result of initialize. kUnsupported: a version that is not spoken here.
Result<ServerHello> read_server_hello(std::string_view result);

}  // namespace aispm::gateway
