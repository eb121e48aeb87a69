// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "gateway/mcp/mcp_request.hpp"
#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/mcp/server_link.hpp"

namespace aispm::gateway {

// Tells a client that waits: something was asked or told, or is still being waited for ("" = only
// that). False: it has gone.
using McpTell = std::function<net::asio::awaitable<bool>(std::string message)>;

// What a server tells while one request of a client runs, on its way to that client: progress where
// the client asked for it, and logs from the level on that it wants. Judged as results are; what
// policy denies is dropped and counted. What is referred to must outlive it.
class NoteRelay {
 public:
  NoteRelay(Worker& worker, const McpSession& session, const McpMessage& asked,
            const ScanContext& scan, const McpTell& tell);

  // Whether the client can be told, and wants to be.
  bool wants_progress() const { return tell_ && !asked_.progress_token.empty(); }
  // Listens to `link`; a client that has gone ends what is asked there.
  void attach(ServerLink& link);
  // One that `link` heard.
  net::asio::awaitable<void> pass(ServerLink& link, const ServerMessage& note);

 private:
  // Null: not for this client.
  std::optional<std::string> progress_of(const ServerLink& link, const std::string& params) const;
  std::optional<std::string> log_of(const std::string& params) const;

  Worker& worker_;
  const McpSession& session_;
  const McpMessage& asked_;
  const ScanContext& scan_;
  const McpTell& tell_;
};

}  // namespace aispm::gateway
