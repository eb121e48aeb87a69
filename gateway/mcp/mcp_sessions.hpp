// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/mcp/catalogue.hpp"
#include "gateway/mcp/mcp_changes.hpp"
#include "gateway/mcp/server_message.hpp"
#include "gateway/mcp/tool_book.hpp"

// Sessions of MCP clients with the gateway, and the gateway's own with servers that belong to them.
namespace aispm::gateway {

// Whose a session is; what the client says of itself has no place here.
struct McpOwner {
  std::string agent_id;
  std::string tenant;
  bool operator==(const McpOwner&) const = default;
};

// The gateway's session with one server on behalf of one session of a client.
struct ServerSession {
  bool is_open = false;
  std::string id;       // as the server named it; "" = it keeps none
  std::string version;  // agreed on; 2026-07-28: there is no session, but the server is known
  ServerOffers offers = {};
  std::string path = {};  // where the server redirected to; "" = as it is configured
};

// One client's session. Any thread.
class McpSession {
 public:
  using Time = std::chrono::steady_clock::time_point;

  McpSession(std::string id, McpOwner owner, std::string version, bool asks_by_url,
             std::size_t servers)
      : id_(std::move(id)),
        owner_(std::move(owner)),
        version_(std::move(version)),
        asks_by_url_(asks_by_url),
        servers_(servers),
        subscriptions_(servers) {}

  const std::string& id() const { return id_; }  // "" = of an agent without sessions (2026-07-28)
  const McpOwner& owner() const { return owner_; }
  const std::string& version() const { return version_; }
  bool asks_by_url() const { return asks_by_url_; }
  const McpAbilities& abilities() const { return abilities_; }
  // Before anybody else knows of the session.
  void declare(McpAbilities abilities) { abilities_ = abilities; }

  ServerSession server(std::size_t index) const;
  // Keeps what was opened, unless another was opened meanwhile: that one is given back.
  ServerSession adopt(std::size_t index, ServerSession opened);
  // The server has ended it: forgotten if it is still that one.
  void forget(std::size_t index, const std::string& server_session_id);
  // What the server offers, not older than `age`; null: it must be asked.
  std::shared_ptr<const ToolBook> tools(std::size_t index, std::chrono::milliseconds age,
                                        Time now) const;
  void keep_tools(std::size_t index, std::shared_ptr<const ToolBook> tools, Time now);
  // The same of what else it offers.
  std::shared_ptr<const Catalogue> catalogue(std::size_t index, Shelf shelf,
                                             std::chrono::milliseconds age, Time now) const;
  void keep_catalogue(std::size_t index, std::shared_ptr<const Catalogue> read, Time now);

  // What was kept of a list is old: the server says that it has changed. Nothing: of tools.
  void forget_list(std::size_t index, std::optional<Shelf> shelf);
  // A server told of a change beside its answer to a request: what was kept is old, and the stream
  // of changes takes it, where there is one, with take_told(). Each once. False: it has not taken
  // kMaxTold of them, and ends.
  bool tell(std::size_t index, Change change);
  struct Told {
    std::size_t server;
    Change change;
    bool operator==(const Told&) const = default;
  };
  std::vector<Told> take_told();
  static constexpr std::size_t kMaxTold = 1024;

  // Resources of one server that the client wants to hear of. kExhausted: more than `most` of all
  // servers together. False: it does already.
  Result<bool> subscribe(std::size_t index, const std::string& uri, std::size_t most);
  // False: it did not hear of it.
  bool unsubscribe(std::size_t index, const std::string& uri);
  std::set<std::string> subscriptions(std::size_t index) const;

  // The stream of changes of a session, for as long as this lives. There is one: who opens another
  // has lost the first.
  class Ear {
   public:
    // `wake` is called when the session was ended, another stream opened, a session with a server
    // opened or ended, a subscription made or ended, or tell() called: from any thread, so it
    // returns at once.
    Ear(McpSession& session, std::function<void()> wake);
    ~Ear();
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;
    bool is_over() const { return is_over_; }

   private:
    friend class McpSession;
    McpSession& session_;
    const std::function<void()> wake_;
    std::atomic<bool> is_over_{false};
  };
  void close();  // it was ended

  // Streams of changes of an agent without sessions, each with a private session of its own.
  std::atomic<std::size_t>& listens() { return listens_; }

  // The least of rank_of_log() that the client wants to hear of.
  int log_rank() const { return log_rank_; }
  void set_log_rank(int rank) { log_rank_ = rank; }

  // A request of the client that is under way, for as long as this lives.
  class Running {
   public:
    Running(McpSession& session, std::string id, std::function<void()> stop);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    McpSession& session_;
    std::list<std::pair<std::string, std::function<void()>>>::iterator entry_;
  };
  // The client wants no answer any more to the requests with that id, as JSON. `stop` of each is
  // called here, so it must be for any thread and return at once.
  void cancel(std::string_view id);

  // An answer that the client owes to a request of ours, for as long as this lives.
  class Owed {
   public:
    // `take` gets the whole message: for any thread, returns at once.
    Owed(McpSession& session, std::string id, std::function<void(std::string)> take);
    ~Owed();
    Owed(const Owed&) = delete;
    Owed& operator=(const Owed&) = delete;

   private:
    McpSession& session_;
    std::list<std::pair<std::string, std::function<void(std::string)>>>::iterator entry_;
  };
  // The client's answer to the request with that id, as JSON; false: nobody waits for it.
  bool answer(std::string_view id, std::string_view message);

 private:
  struct Server {
    ServerSession session;
    std::shared_ptr<const ToolBook> tools;
    Time listed{};
    struct Kept {
      std::shared_ptr<const Catalogue> read;
      Time listed{};
    };
    std::array<Kept, kShelves> shelves;
  };
  const std::string id_;
  const McpOwner owner_;
  const std::string version_;
  const bool asks_by_url_;
  mutable std::mutex mutex_;
  std::vector<Server> servers_;
  std::list<std::pair<std::string, std::function<void()>>> running_;
  std::list<std::pair<std::string, std::function<void(std::string)>>> owed_;
  void wake_ear();                                    // with mutex_ held
  std::vector<std::set<std::string>> subscriptions_;  // in the order of servers_
  std::size_t subscribed_ = 0;
  std::vector<Told> told_;
  Ear* ear_ = nullptr;
  bool is_closed_ = false;
  McpAbilities abilities_;
  std::atomic<int> log_rank_{0};
  std::atomic<std::size_t> listens_{0};
};

// All sessions of a gateway. Those that are idle end, an agent has a limited number, and so have
// all together. Any thread.
class McpSessions {
 public:
  using Time = McpSession::Time;
  struct Limits {
    std::size_t sessions = 4096;
    std::size_t of_agent = 64;
    std::chrono::milliseconds idle{3'600'000};
  };
  enum class Found : std::uint8_t { kFound, kUnknown, kOthers };

  McpSessions(Limits limits, std::size_t servers) : limits_(limits), servers_(servers) {}

  // kExhausted: no more of them.
  Result<std::shared_ptr<McpSession>> open(McpOwner owner, std::string version, bool asks_by_url,
                                           Time now);
  // Null with the reason: there is none of that id, or it is somebody else's.
  std::shared_ptr<McpSession> find(std::string_view id, const McpOwner& owner, Time now,
                                   Found& found);
  // That of an agent which needs no id. kExhausted likewise.
  Result<std::shared_ptr<McpSession>> of_agent(const McpOwner& owner, Time now);
  void end(McpSession& session);
  // It is in use. False: it has ended.
  bool touch(const McpSession& session, Time now);
  std::size_t size() const;

 private:
  struct Entry {
    std::shared_ptr<McpSession> session;
    Time used;
  };
  using Entries = std::list<Entry>;
  void drop_idle(Time now);
  Result<std::shared_ptr<McpSession>> add(const std::string& key, std::string id, McpOwner owner,
                                          std::string version, bool asks_by_url, Time now);
  static std::string key_of(const McpSession& session);

  const Limits limits_;
  const std::size_t servers_;
  mutable std::mutex mutex_;
  Entries entries_;  // used last first
  std::unordered_map<std::string, Entries::iterator> by_key_;
  std::unordered_map<std::string, std::size_t> of_agent_;  // sessions
};

}  // namespace aispm::gateway
