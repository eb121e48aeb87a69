// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/mcp/mcp_changes.hpp"
#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/mcp/server_message.hpp"
#include "gateway/proxy/worker.hpp"

namespace aispm::gateway {

// A request to a server.
struct ServerAsk {
  std::string method;
  std::string params = {};  // a JSON object without `_meta`
  std::string name = {};    // of the tool, prompt or URI; "" = the method has none
  // Header lines of arguments that the tool wants there too (2026-07-28).
  std::string header_lines = {};
  bool wants_progress = false;
  std::string meta = {};       // what the client tells beside, as in ServerMeta
  bool takes_input = false;    // a result may be a question (2026-07-28)
  std::string log_level = {};  // as in McpMessage
};

// The gateway as the client of one MCP server (streamable HTTP) on behalf of one session of its own
// client. Speaks with sessions where the server does, else as 2026-07-28 wants it. Lives for one
// request, on its worker's thread; `session` outlives it. Errors: the server cannot be reached, is
// late, or does not speak the protocol.
class ServerLink {
 public:
  // Wishes of a server during one request; with more the request fails.
  static constexpr std::size_t kMaxWishes = 16;
  static constexpr std::size_t kMaxWishMethod = 128;  // bytes kept of its name
  // What a server tells during one request; more is dropped and counted.
  static constexpr std::size_t kMaxNotes = 1000;

  ServerLink(Worker& worker, McpSession& session, std::size_t server);

  // A request and its answer, kResult or kError, within the server's `call` limit. Opens a session
  // with the server where there is none, and once more when the server has ended it. Where there
  // is no answer, the server is told that nobody waits for one. `what` outlives the wait.
  net::Task<ServerMessage> ask(const ServerAsk& what);
  // All tools, asked for when what is known is older than `age`; none when it offers none.
  net::Task<std::shared_ptr<const ToolBook>> tools(std::chrono::milliseconds age);
  net::Task<std::shared_ptr<const Catalogue>> catalogue(Shelf shelf, std::chrono::milliseconds age);
  // The session with the server, opened where there is none, within its `call` limit.
  net::Task<ServerSession> connect();
  // Stays at the server's stream of changes until it ends or this is aborted. Callbacks return at
  // once.
  struct Listen {
    ChangeFilter filter;            // 2026-07-28: asked for; sessions tell of all that they have
    std::function<void()> on_open;  // the stream has begun
    std::function<void(const Change&)> hear;
  };
  enum class Heard : std::uint8_t { kEnded, kNoStream };
  net::Task<Heard> listen(const ServerSession& with, const Listen& what);
  // Tells the server that the session is over. What it says to that does not matter.
  net::Task<> end();
  // Fails what is under way, and all that is asked later.
  void abort();
  bool is_aborted() const { return is_aborted_; }

  // Hears of progress and of what the server logs while it is asked.
  using OnNote = std::function<net::asio::awaitable<void>(const ServerMessage& note)>;
  void on_note(OnNote hear) { on_note_ = std::move(hear); }
  // The token of progress that is asked for, as JSON.
  const std::string& asked_id() const { return asked_id_; }

  // What this client can be asked on the server's behalf; nothing unless it is said. A session with
  // a server is opened with what is granted of the client's session.
  void set_abilities(const McpAbilities& abilities) { abilities_ = abilities; }
  // Answers what the server asks while its stream runs, with the member `result` or `error` of a
  // JSON-RPC message. Without it all is refused.
  using OnWish = std::function<net::asio::awaitable<std::string>(const ServerMessage& wish)>;
  void on_wish(OnWish answer) { on_wish_ = std::move(answer); }

  // What the server asked of the client meanwhile and nobody heard; all of it was refused.
  const std::vector<std::string>& wishes() const { return wishes_; }

 private:
  struct Posted {
    int status = 0;
    bool has_lost_session = false;  // the server does not know the session, or not any more
    std::string session_id;
    std::string path;  // where it was taken; "" = where it was sent
    ServerMessage answer;
  };
  struct StreamPlace;
  const McpServerConfig& config() const;
  Provider& provider() const;
  net::Task<ServerMessage> ask_once(const ServerAsk& what);
  bool is_own() const;  // the gateway's own tools
  net::Task<ServerMessage> ask_own(const ServerAsk& what);
  net::Task<ServerSession> open();
  net::Task<ServerSession> discover();
  net::Task<std::shared_ptr<const ToolBook>> list();
  // The collector's registry learns of definitions that this process has not told of yet.
  void tell_tools(const ToolBook& book);
  net::Task<> read_shelf(Catalogue& read);
  net::Task<> give_up();
  std::string head_of(std::string_view verb, const ServerSession& session,
                      std::size_t body_bytes) const;
  // `id`: of a request, whose answer is waited for; "": none comes. `lines`: further headers. What
  // is a call of a tool is never sent twice.
  net::Task<Posted> post(const ServerSession& session, std::string body, std::string id,
                         std::string lines = {}, bool is_call = false);
  // Sends it, once more where the server redirects it to at the same origin; `path` says where
  // then.
  net::Task<UpstreamReply> send_post(ServerSession session, const std::string& body,
                                     const std::string& lines, bool waits, bool is_call,
                                     std::string& path);
  // Named by the caller: GCC 12 destroys aggregate temporaries of a co_await twice.
  net::Task<> read_streams(const ServerSession& session, UpstreamReply& reply, Posted& posted,
                           const std::string& id);
  net::Task<bool> read_stream(const ServerSession& session, UpstreamReply& reply, Posted& posted,
                              const std::string& id, StreamPlace& place);
  net::Task<> pause(std::chrono::milliseconds wanted);
  net::Task<UpstreamReply> take_up(const ServerSession& session, const StreamPlace& place);
  net::Task<Heard> read_changes(const ServerSession& session, UpstreamReply& reply,
                                const std::string& id, const Listen& what);
  net::Task<> take_wish(const ServerSession& session, const ServerMessage& wish);
  net::Task<> hear_note(const ServerMessage& note);
  void give_back(std::unique_ptr<Upstream> upstream, bool is_whole);
  template <typename T>
  Result<T> note(Result<T> result);

  Worker& worker_;
  McpSession& session_;
  const std::size_t server_;
  net::Stream* in_flight_ = nullptr;
  net::asio::steady_timer* pause_ = nullptr;  // between two streams of one answer
  std::vector<std::string> wishes_;
  OnNote on_note_;
  OnWish on_wish_;
  McpAbilities abilities_;
  std::size_t asked_wishes_ = 0;
  std::size_t notes_ = 0;
  std::string asked_id_;  // of the request that has no answer yet; "" = none
  bool is_aborted_ = false;
};

template <typename T>
Result<T> ServerLink::note(Result<T> result) {
  in_flight_ = nullptr;
  if (result) {
    provider().note_success();
  } else {
    worker_.counters().mcp_server_failures.add();
    provider().note_failure(result.error().message);
  }
  return result;
}

}  // namespace aispm::gateway
