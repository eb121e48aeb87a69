// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/limits/limits_route.hpp"

#include "gateway/proxy/exchange.hpp"
#include "gateway/proxy/limits/budget_ledger.hpp"
#include "gateway/proxy/limits/rate_limiter.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/policy/freeze_book.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

namespace {

std::string rate_json(RateLimiter& rates, const Caller& caller) {
  const RateVerdict state = rates.look({.tenant = caller.tenant,
                                        .user = policy::user_of_agent(caller.agent_id),
                                        .agent = caller.agent_id},
                                       net::Clock::now());
  if (!state.is_limited) return "null";
  return "{\"of\":" + codec::json_string(name_of(state.of)) +
         ",\"limit\":" + std::to_string(state.limit) +
         ",\"remaining\":" + std::to_string(state.remaining) +
         ",\"window_seconds\":" + std::to_string(state.window.count() / 1000) + "}";
}

std::string budget_json(const BudgetState& state) {
  const Budget& budget = *state.budget;
  const std::uint64_t left = state.used >= state.limit ? 0 : state.limit - state.used;
  std::string json = "{\"id\":" + codec::json_string(budget.id) +
                     ",\"of\":" + codec::json_string(name_of(budget.of)) +
                     ",\"unit\":" + (budget.is_money ? "\"nano_usd\"" : "\"tokens\"") +
                     ",\"limit\":" + std::to_string(state.limit) +
                     ",\"used\":" + std::to_string(state.used) +
                     ",\"remaining\":" + std::to_string(left);
  if (state.ends.nanoseconds != 0)
    json += ",\"ends\":" + codec::json_string(to_rfc3339(state.ends));
  return json + "}";
}

std::string limits_json(Services& services, const Caller& caller) {
  std::string json = "{\"agent_id\":" + codec::json_string(caller.agent_id) + ",\"rate\":" +
                     (services.use.rates ? rate_json(*services.use.rates, caller) : "null") +
                     ",\"budgets\":[";
  if (services.use.budgets) {
    const Spender spender{.tenant = caller.tenant,
                          .user = std::string(policy::user_of_agent(caller.agent_id)),
                          .agent = caller.agent_id,
                          .session = caller.session_id};
    for (const BudgetState& state : services.use.budgets->look(spender, wall_now()))
      json += (json.back() == '[' ? "" : ",") + budget_json(state);
  }
  return json + "]}";
}

}  // namespace

Task<bool> serve_limits(Client& client, Head head) {
  const bool keep = head.keep_alive && head.body == codec::http1::BodyKind::kNone;
  const std::optional<Caller> caller = authenticate(client, head);
  if (!caller) {
    client.worker().counters().unauthenticated.add();
    co_return co_await client.refuse_unread(
        make_refusal(RefusalKind::kUnauthenticated, kNoAgentKey));
  }
  client.input().consume(head.size_bytes);
  const std::string reply = json_reply(limits_json(client.worker().services(), *caller), keep);
  AISPM_CO_CHECK(co_await client.send(reply));
  co_return keep;
}

}  // namespace aispm::gateway
