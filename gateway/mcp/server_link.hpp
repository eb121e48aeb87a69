// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/mcp/server_message.hpp"
#include "gateway/proxy/worker.hpp"

namespace aispm::gateway {

// The gateway as the client of one MCP server (streamable HTTP, versions with sessions) on behalf
// of one session of its own client. Lives for one request, on its worker's thread; `session`
// outlives it. Errors: the server cannot be reached, is late, or does not speak the protocol.
class ServerLink {
 public:
  // Wishes of a server during one request; with more the request fails.
  static constexpr std::size_t kMaxWishes = 16;

  ServerLink(Worker& worker, McpSession& session, std::size_t server);

  // A request and its answer, kResult or kError, within the server's `call` limit. Opens a session
  // with the server where there is none, and once more when the server has ended it.
  net::Task<ServerMessage> ask(std::string method, std::string params);
  // All tools, asked for when what is known is older than `age`.
  net::Task<std::shared_ptr<const ToolBook>> tools(std::chrono::milliseconds age);
  // Tells the server that the session is over. What it says to that does not matter.
  net::Task<> end();
  // Fails what is under way.
  void abort();

  // What the server asked of the client meanwhile; all of it was refused.
  const std::vector<std::string>& wishes() const { return wishes_; }

 private:
  struct Posted;
  const McpServerConfig& config() const;
  Provider& provider() const;
  net::Task<ServerMessage> ask_once(const std::string& method, const std::string& params);
  net::Task<ServerSession> open();
  net::Task<std::shared_ptr<const ToolBook>> list();
  std::string head_of(std::string_view verb, const ServerSession& session,
                      std::size_t body_bytes) const;
  // `id`: of a request, whose answer is waited for; "": none comes.
  net::Task<Posted> post(const ServerSession& session, std::string body, std::string id);
  // Named by the caller: GCC 12 destroys aggregate temporaries of a co_await twice.
  net::Task<> read_stream(const ServerSession& session, UpstreamReply& reply, Posted& posted,
                          const std::string& id);
  net::Task<> refuse_wish(const ServerSession& session, const ServerMessage& wish);
  void give_back(std::unique_ptr<Upstream> upstream, bool is_whole);
  template <typename T>
  Result<T> note(Result<T> result);

  Worker& worker_;
  McpSession& session_;
  const std::size_t server_;
  net::Stream* in_flight_ = nullptr;
  std::vector<std::string> wishes_;
};

}  // namespace aispm::gateway
