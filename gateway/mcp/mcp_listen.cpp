// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_listen.hpp"

#include "gateway/mcp/change_stream.hpp"
#include "gateway/mcp/mcp_listing.hpp"
#include "gateway/mcp/mcp_names.hpp"
#include "gateway/mcp/mcp_reply.hpp"
#include "gateway/mcp/mcp_subscribe.hpp"
#include "gateway/mcp/server_link.hpp"
#include "gateway/proxy/limits/rate_limiter.hpp"
#include "sdk/core/codec/sse.hpp"

namespace aispm::gateway {

using net::Task;
using net::asio::awaitable;

namespace {

constexpr std::string_view kListenMethod = "subscriptions/listen";

// Opens what a request of 2026-07-28 needs, in a session of its own: what servers with sessions
// tell then belongs to this stream alone.
class ListenRequest {
 public:
  ListenRequest(Client& client, std::shared_ptr<McpSession> of_agent, const Caller& caller,
                const ShownProofs& proofs, const McpMessage& asked)
      : client_(client),
        worker_(client.worker()),
        config_(worker_.services().config.mcp),
        of_agent_(std::move(of_agent)),
        caller_(caller),
        proofs_(proofs),
        asked_(asked),
        session_(std::make_shared<McpSession>(std::string(), of_agent_->owner(),
                                              std::string(kMcpStateless), false,
                                              config_.servers.size())) {}
  ~ListenRequest() {
    if (is_counted_) --of_agent_->listens();
  }
  ListenRequest(const ListenRequest&) = delete;
  ListenRequest& operator=(const ListenRequest&) = delete;

  Task<> serve() {
    auto wanted = read_change_filter(asked_.arguments);
    if (!wanted) co_return co_await refuse(200, mcp_code::kInvalidParams, wanted.error().message);
    if (wanted->uris.size() > config_.subscriptions)
      co_return co_await refuse_many("a stream has at most " +
                                     std::to_string(config_.subscriptions) + " subscriptions");
    if (const std::string late = take_stream_rate(worker_, caller_); !late.empty())
      co_return co_await refuse(200, mcp_code::kDenied, late);
    is_counted_ = true;
    if (++of_agent_->listens() > config_.agent_sessions)
      co_return co_await refuse_many("this agent has too many streams open");
    co_await honour(*wanted);
    auto done = co_await stream();
    // Also where the client has gone already: nobody else knows these sessions.
    for (std::size_t i = 0; i < config_.servers.size(); ++i) {
      ServerLink link(worker_, *session_, i);
      (void)co_await link.end();
    }
    co_return done;
  }

 private:
  Task<> stream() {
    AISPM_CO_CHECK(co_await client_.send(kMcpStreamHead));
    const std::string begun = codec::serialise_sse("message", listen_begun(honoured_, asked_.id));
    AISPM_CO_CHECK(co_await client_.send_chunk(begun));
    client_.stream().expire_never();
    worker_.counters().mcp_listens.add();
    co_return co_await stream_changes(client_, caller_, proofs_, session_, of_agent_, asked_.id,
                                      honoured_);
  }

  Task<> refuse(int status, int code, std::string message) {
    const std::string body = mcp_error(asked_.id, code, "AISPM: " + message);
    const std::string reply = mcp_http({status, {}, true}, body);
    co_return co_await client_.send(reply);
  }
  Task<> refuse_many(std::string message) {
    worker_.counters().mcp_subscriptions_refused.add();
    co_return co_await refuse(200, mcp_code::kDenied, std::move(message));
  }

  // Null: it cannot be reached.
  awaitable<std::optional<ServerOffers>> open(std::size_t index) {
    ServerLink link(worker_, *session_, index);
    const auto with = co_await link.connect();
    co_return with ? std::optional(with->offers) : std::nullopt;
  }

  // What is not honoured is left out of the acknowledgement, which is how this version says it.
  awaitable<void> honour(const ChangeFilter& wanted) {
    for (std::size_t i = 0; i < config_.servers.size(); ++i) {
      const McpServerConfig& server = config_.servers[i];
      if (find_server(config_, server.endpoint.name, caller_.agent_id) != i) continue;
      const std::vector<std::string> uris = uris_of(server, wanted);
      const bool wants_lists = (wanted.tools && !server.tools.empty()) ||
                               (wanted.prompts && !server.prompts.empty()) ||
                               (wanted.resources && !server.resources.empty());
      if (uris.empty() && !wants_lists) continue;
      const auto offers = co_await open(i);
      if (!offers) continue;
      honoured_.tools |= wanted.tools && offers->tools_change && !server.tools.empty();
      honoured_.prompts |= wanted.prompts && offers->prompts_change && !server.prompts.empty();
      honoured_.resources |=
          wanted.resources && offers->resources_change && !server.resources.empty();
      if (!offers->subscribe) continue;
      for (const std::string& uri : uris) {
        const std::string objection =
            co_await judge_subscription(worker_, caller_, proofs_, server, uri);
        if (!objection.empty() || !session_->subscribe(i, uri, config_.subscriptions)) continue;
        honoured_.uris.push_back(prefixed_uri(server.endpoint.name, uri));
      }
    }
  }

  // Of one server, as that knows them, which may be read.
  static std::vector<std::string> uris_of(const McpServerConfig& server,
                                          const ChangeFilter& wanted) {
    std::vector<std::string> uris;
    for (const std::string& one : wanted.uris) {
      const auto named = split_uri(one);
      if (named && named->server == server.endpoint.name && !has_dot_segment(named->uri) &&
          named->uri.size() <= Catalogue::kMaxUriBytes &&
          is_item_granted(server, Shelf::kResources, named->uri))
        uris.emplace_back(named->uri);
    }
    return uris;
  }

  Client& client_;
  Worker& worker_;
  const McpConfig& config_;
  const std::shared_ptr<McpSession> of_agent_;
  const Caller& caller_;
  const ShownProofs& proofs_;
  const McpMessage& asked_;
  const std::shared_ptr<McpSession> session_;
  ChangeFilter honoured_;
  bool is_counted_ = false;
};

}  // namespace

std::string take_stream_rate(Worker& worker, const Caller& caller) {
  RateLimiter* const rates = worker.services().use.rates.get();
  if (rates == nullptr) return {};
  const RateVerdict verdict = rates->take({.tenant = caller.tenant,
                                           .user = policy::user_of_agent(caller.agent_id),
                                           .agent = caller.agent_id,
                                           .tool = kListenMethod},
                                          net::Clock::now());
  if (verdict.passes) return {};
  worker.counters().rate_limited.add();
  return "stream denied by rule " + rule_of(verdict) + ": " + rates->describe(verdict);
}

Task<> serve_session_stream(Client& client, std::shared_ptr<McpSession> session,
                            const Caller& caller, const ShownProofs& proofs) {
  AISPM_CO_CHECK(co_await client.send(kMcpStreamHead));
  client.stream().expire_never();
  client.worker().counters().mcp_listens.add();
  const ChangeFilter all{.tools = true, .prompts = true, .resources = true};
  std::string no_id;
  co_return co_await stream_changes(client, caller, proofs, session, session, no_id, all);
}

Task<> serve_listen(Client& client, std::shared_ptr<McpSession> of_agent, const Caller& caller,
                    const ShownProofs& proofs, const McpMessage& asked) {
  ListenRequest request(client, std::move(of_agent), caller, proofs, asked);
  co_return co_await request.serve();
}

}  // namespace aispm::gateway
