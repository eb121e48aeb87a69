// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_subscribe.hpp"

#include "gateway/mcp/mcp_listing.hpp"
#include "gateway/mcp/mcp_reply.hpp"
#include "gateway/mcp/mcp_subject.hpp"
#include "gateway/mcp/server_host.hpp"
#include "gateway/mcp/server_wire.hpp"
#include "gateway/proxy/decide/asked_action.hpp"

namespace aispm::gateway {

using net::asio::awaitable;

namespace {

constexpr std::chrono::seconds kAskFor{2};  // of all servers, which are asked at the same time

// Asks servers what they have.
class Hello {
 public:
  Hello(Worker& worker, McpSession& session) : worker_(worker), session_(session) {}

  void want(std::size_t server) { servers_.push_back(server); }
  awaitable<void> ask_all() {
    if (!servers_.empty()) co_await ask_from(0);
  }

 private:
  awaitable<void> ask_from(std::size_t at) {
    using namespace net::asio::experimental::awaitable_operators;
    if (at + 1 == servers_.size())
      co_await ask(servers_[at]);
    else
      co_await (ask(servers_[at]) && ask_from(at + 1));
  }
  awaitable<void> ask(std::size_t server) {
    ServerLink link(worker_, session_, server);
    const auto opened = co_await net::with_deadline(link.connect(), kAskFor);
    if (!opened) worker_.services().mcp_offers.note_failure(server, net::Clock::now());
  }

  Worker& worker_;
  McpSession& session_;
  std::vector<std::size_t> servers_;
};

}  // namespace

awaitable<std::string> judge_subscription(Worker& worker, const Caller& caller,
                                          const ShownProofs& proofs, const McpServerConfig& server,
                                          const std::string& uri) {
  ActionQuestion question{.tool = std::string(kSubscribeAction),
                          .tool_provider = server.endpoint.name,
                          .arguments = server_read(uri),
                          .delegation = proofs.delegation,
                          .intent = proofs.intent,
                          .surface = "mcp"};
  AskedAction action(worker, caller, std::move(question));
  if (const auto judged = action.judge(); !judged) co_return judged.error().message;
  judge_server_host(action, server);
  co_await action.settle(proofs, {});
  action.record();
  // A URI with something to cut out would be another one.
  if (action.settled().passes && action.changed().empty()) co_return std::string();
  co_return "denied by rule " + action.action().verdict.rule_id;
}

awaitable<std::string> serve_subscription(Worker& worker, McpSession& session, const Caller& caller,
                                          const ShownProofs& proofs, const McpMessage& asked) {
  const McpConfig& config = worker.services().config.mcp;
  const auto address = find_address(config, asked, caller.agent_id);
  if (!address) co_return unknown_subject(asked);
  const bool is_new = asked.method == kSubscribeAction;
  if (is_new) {
    const McpServerConfig& server = config.servers[address->server];
    const std::string objection =
        co_await judge_subscription(worker, caller, proofs, server, address->name);
    if (!objection.empty())
      co_return mcp_error(asked.id, mcp_code::kDenied, "AISPM: subscription " + objection);
  } else if (!session.unsubscribe(address->server, address->name)) {
    // No server is asked for nothing: only what was judged once may be taken back unjudged.
    co_return mcp_result(asked, "{}");
  }
  ServerLink link(worker, session, address->server);
  const auto with = co_await link.connect();
  if (!with) co_return mcp_error(asked.id, mcp_code::kInternal, no_server_answer(with.error()));
  if (!with->offers.subscribe)
    co_return mcp_error(asked.id, mcp_code::kUnknownMethod,
                        "this server does not tell of changes of one resource");
  bool is_added = false;
  if (is_new) {
    const auto added = session.subscribe(address->server, address->name, config.subscriptions);
    if (!added) {
      worker.counters().mcp_subscriptions_refused.add();
      co_return mcp_error(asked.id, mcp_code::kDenied, "AISPM: " + added.error().message);
    }
    is_added = *added;
  }
  // One without sessions is told by the stream itself.
  if (is_stateless(*with)) co_return mcp_result(asked, "{}");
  const ServerAsk what{
      .method = asked.method, .params = server_read(address->name), .name = address->name};
  const auto said = co_await link.ask(what);
  if (said && said->kind == ServerMessage::Kind::kResult) co_return mcp_result(asked, "{}");
  if (is_added) session.unsubscribe(address->server, address->name);
  if (!said) co_return mcp_error(asked.id, mcp_code::kInternal, no_server_answer(said.error()));
  co_return mcp_error(asked.id, said->error_code, "the server refused it");
}

awaitable<void> ask_offers(Worker& worker, McpSession& session, const std::string& agent_id) {
  const McpConfig& config = worker.services().config.mcp;
  Hello hello(worker, session);
  for (std::size_t i = 0; i < config.servers.size(); ++i)
    if (find_server(config, config.servers[i].endpoint.name, agent_id) == i &&
        worker.services().mcp_offers.must_ask(i, net::Clock::now()))
      hello.want(i);
  co_await hello.ask_all();
}

}  // namespace aispm::gateway
