// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "gateway/mcp/mcp_notes.hpp"
#include "gateway/proxy/decide/settlement.hpp"

namespace aispm::gateway {

// What servers ask of a client, and log, beside all of its requests: on the stream of changes of
// its session. So asks Python's SDK for roots, and TypeScript's for all that a tool does not ask
// through its own request. Judged as what comes within a request is. On its worker's thread; what
// is referred to must outlive it.
class ServerAsides {
 public:
  // `wake`: there is something for the client.
  ServerAsides(Worker& worker, McpSession& session, const Caller& caller, const ShownProofs& proofs,
               std::function<void()> wake);
  ServerAsides(const ServerAsides&) = delete;
  ServerAsides& operator=(const ServerAsides&) = delete;

  // Whether the server was granted anything that this client can be asked.
  bool may_ask(const McpServerConfig& server) const;
  void attach(ServerLink& link, const McpServerConfig& server);
  // The next message for the client; "" = there is none.
  std::string take();
  // Nothing more goes to the client.
  void close() { is_closed_ = true; }

 private:
  // Of what the client has not read yet; more is dropped and counted.
  static constexpr std::size_t kMaxPendingBytes = 1U << 20;

  net::asio::awaitable<bool> put(std::string words);
  net::asio::awaitable<std::string> answer(ServerLink& link, const McpServerConfig& server,
                                           const ServerMessage& wish);
  net::asio::awaitable<void> hear(ServerLink& link, const ServerMessage& note);

  Worker& worker_;
  McpSession& session_;
  const Caller& caller_;
  const ShownProofs& proofs_;
  const std::function<void()> wake_;
  const McpMessage asked_;  // nothing
  const McpTell tell_;
  std::deque<std::string> pending_;
  std::size_t pending_bytes_ = 0;
  bool is_closed_ = false;
};

}  // namespace aispm::gateway
