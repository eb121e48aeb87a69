// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

struct HttpReply {
  int status = 0;
  std::string body;
};

// Status and body of a whole HTTP/1.x reply with Content-Length or ended by close. Pure; any bytes
// are safe.
Result<HttpReply> parse_reply(const std::string& bytes);
// The value of a top-level text field of a small JSON object without nested quotes of the same
// name; empty when absent.
std::string find_json_text(const std::string& json, const std::string& field);

// Our own (LOCAL) connections to the gateway's Unix socket: one for each call. Thread-safe: holds
// no state.
class GatewayLink {
 public:
  static constexpr std::size_t kMaxReplyBytes = 128 * 1024;

  GatewayLink(std::string socket_path, std::string proxy_header)
      : socket_path_(std::move(socket_path)), proxy_header_(std::move(proxy_header)) {}

  // Blocks for at most `timeout`. An error status is an error: kUnavailable for 5xx, kInvalid
  // otherwise.
  Result<std::string> call(const std::string& method, const std::string& path,
                           const std::string& body, std::chrono::milliseconds timeout) const;
  // Sends a request without a body and leaves the answer to the caller. The socket does not block.
  Result<UniqueFd> begin(const std::string& method, const std::string& path) const;

 private:
  std::string socket_path_;
  std::string proxy_header_;
};

// Connects to a Unix stream socket without waiting; kUnavailable when nobody listens or its queue
// is full.
Result<UniqueFd> connect_unix(const std::string& path);

}  // namespace aispm::sandbox
