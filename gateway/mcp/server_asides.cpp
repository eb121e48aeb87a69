// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/server_asides.hpp"

#include "gateway/mcp/wish_desk.hpp"
#include "sdk/core/codec/json_edit.hpp"

namespace aispm::gateway {

using net::asio::awaitable;

ServerAsides::ServerAsides(Worker& worker, McpSession& session, const Caller& caller,
                           const ShownProofs& proofs, std::function<void()> wake)
    : worker_(worker),
      session_(session),
      caller_(caller),
      proofs_(proofs),
      wake_(std::move(wake)),
      tell_([this](std::string words) { return put(std::move(words)); }) {}

bool ServerAsides::may_ask(const McpServerConfig& server) const {
  const McpAbilities can = granted(server.grants, session_.abilities());
  return can.sampling || can.elicitation || can.roots;
}

void ServerAsides::attach(ServerLink& link, const McpServerConfig& server) {
  link.on_note([this, &link](const ServerMessage& note) { return hear(link, note); });
  if (!may_ask(server)) return;
  link.on_wish(
      [this, &link, &server](const ServerMessage& wish) { return answer(link, server, wish); });
}

std::string ServerAsides::take() {
  if (pending_.empty()) return {};
  std::string words = std::move(pending_.front());
  pending_.pop_front();
  pending_bytes_ -= words.size();
  return words;
}

awaitable<bool> ServerAsides::put(std::string words) {
  if (is_closed_) co_return false;
  if (words.empty()) co_return true;
  if (!pending_.empty() && pending_bytes_ + words.size() > kMaxPendingBytes) {
    worker_.counters().mcp_results_withheld.add();
    co_return true;
  }
  pending_bytes_ += words.size();
  pending_.push_back(std::move(words));
  wake_();
  co_return true;
}

// With the rules of this moment: streams last longer than policies.
awaitable<std::string> ServerAsides::answer(ServerLink& link, const McpServerConfig& server,
                                            const ServerMessage& wish) {
  const auto scan =
      worker_.open_rules(caller_.tenant, {.agent = caller_.agent_id, .provider = {}, .model = {}});
  if (!scan)
    co_return "\"error\":{\"code\":-32603,\"message\":" +
        codec::json_string("AISPM: " + scan.error().message) + "}";
  WishDesk desk(worker_, session_, caller_, proofs_, asked_, server, *scan, tell_);
  co_return co_await desk.answer_aside(link, wish);
}

awaitable<void> ServerAsides::hear(ServerLink& link, const ServerMessage& note) {
  const auto scan =
      worker_.open_rules(caller_.tenant, {.agent = caller_.agent_id, .provider = {}, .model = {}});
  if (!scan) co_return;
  NoteRelay relay(worker_, session_, asked_, *scan, tell_);
  co_await relay.pass(link, note);
}

}  // namespace aispm::gateway
