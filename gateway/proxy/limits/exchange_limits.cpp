// SPDX-License-Identifier: Apache-2.0
// What bounds the use of models, in an exchange.
#include <algorithm>

#include "gateway/proxy/exchange_modules.hpp"
#include "gateway/proxy/limits/model_gate.hpp"
#include "gateway/proxy/limits/price_table.hpp"
#include "gateway/proxy/limits/rate_limiter.hpp"
#include "sdk/core/policy/freeze_book.hpp"

namespace aispm::gateway {

using codec::Api;
using model::Outcome;
using net::asio::awaitable;

namespace {

// More is no number that anybody means; it must not overflow.
constexpr std::uint64_t kMostOutput = 1'000'000'000;
constexpr std::uint64_t kMostChoices = 10'000;
// The collector takes no more.
constexpr std::uint64_t kMostTokens = 1'000'000'000'000;

// Nobody pays for these.
bool is_free(Api api) {
  return api == Api::kAnthropicCountTokens || api == Api::kGeminiCountTokens ||
         api == Api::kOpenAiModerations;
}

bool writes_text(Api api) {
  return api != Api::kOpenAiEmbeddings && api != Api::kOllamaEmbed && api != Api::kGeminiEmbed;
}

}  // namespace

Refusal ExchangeState::refuse_use(RefusalKind kind, Outcome outcome, std::string rule,
                                  std::string reason) {
  Refusal refusal{.kind = kind,
                  .message = "AISPM: " + reason + ", case " + event_id,
                  .decision = std::string(model::name_of(outcome)),
                  .case_id = event_id};
  decision.emplace();
  decision->outcome = outcome;
  decision->mode = "enforce";
  decision->rule_id = std::move(rule);
  decision->reason = std::move(reason);
  decision->case_id = event_id;
  return refusal;
}

Step ExchangeState::take_rate() {
  RateLimiter& rates = *services.use.rates;
  const RateVerdict taken = rates.take({.tenant = caller.tenant,
                                        .user = policy::user_of_agent(caller.agent_id),
                                        .agent = caller.agent_id},
                                       net::Clock::now());
  if (taken.passes) {
    reply_headers += rate_headers(taken);
    return {};
  }
  counters.rate_limited.add();
  Refusal refusal = refuse_use(RefusalKind::kRateLimited, Outcome::kRateLimited, rule_of(taken),
                               rates.describe(taken));
  refusal.headers = rate_headers(taken);
  return refusal;
}

Step ExchangeState::check_prompt_bytes() {
  const std::uint64_t limit = services.config.use.prompt_bytes;
  std::uint64_t bytes = 0;
  for (const codec::TextPart& part : request.parts)
    if (!is_media_file(part)) bytes += part.text.size();
  if (bytes <= limit) return {};
  return make_refusal(RefusalKind::kTooLarge,
                      "the texts of this request have " + std::to_string(bytes) +
                          " bytes, and limits.prompt allows " + std::to_string(limit));
}

Result<> ExchangeState::check_model_list() {
  const ModelGate& approved = *services.use.models;
  std::string environment;
  if (approved.asks_environments()) {
    const PolicySet policies = services.policies_for(caller.agent_id, caller.tenant);
    environment =
        services.identify(policies, caller, proofs.delegation, proofs.intent).facts.environment;
  }
  return approved.check_list({.model = model_sent(),
                              .provider = provider->config().name,
                              .agent = caller.agent_id,
                              .tenant = caller.tenant,
                              .environment = environment});
}

awaitable<Step> ExchangeState::check_model() {
  ModelGate& approved = *services.use.models;
  const std::string model(model_sent());
  Result<> checked = check_model_list();
  if (checked && approved.registry() != nullptr)
    checked = co_await ask_registry(worker, approved, model);
  if (checked) co_return Step{};
  counters.models_refused.add();
  co_return refuse_use(RefusalKind::kModel, Outcome::kDeny, "model_gate",
                       "the model '" + model.substr(0, ModelGate::kMaxModelBytes) +
                           "' may not be used: " + checked.error().message);
}

Step ExchangeState::price_use(Spent& most) {
  codec::Usage all{.input_tokens = estimate_input(request)};
  const std::uint64_t assumed = services.use.budgets ? services.use.budgets->config().assumed_output
                                                     : BudgetConfig().assumed_output;
  if (writes_text(api))
    all.output_tokens = std::min(request.max_tokens.value_or(assumed), kMostOutput) *
                        std::clamp<std::uint64_t>(request.choices, 1, kMostChoices);
  most.tokens = all.input_tokens + all.output_tokens;
  if (!services.use.budgets || !services.use.budgets->has_money()) return {};
  const Price* const price = services.use.prices
                                 ? services.use.prices->find(provider->event_name(), model_sent())
                                 : nullptr;
  if (price != nullptr) {
    most.nano_usd = cost_of(*price, all);
    return {};
  }
  if (services.use.budgets->config().allows_unknown_price) return {};
  counters.budget_refused.add();
  return refuse_use(RefusalKind::kBudget, Outcome::kDeny, "budget.unknown_price",
                    "there is a budget in money, and what the model '" +
                        std::string(model_sent().substr(0, ModelGate::kMaxModelBytes)) + "' of " +
                        provider->event_name() +
                        " costs is not known: give its price in `prices: override`");
}

Refusal ExchangeState::refuse_budget(const BudgetVerdict& said, const Spent& most) {
  counters.budget_refused.add();
  const Budget& budget = *said.state.budget;
  if (said.is_full)
    return refuse_use(RefusalKind::kBudget, Outcome::kRateLimited, "budget.accounts",
                      "more accounts are in use than limits.budgets.accounts allows");
  if (said.is_first) note_budget(said.state, true);
  return refuse_use(RefusalKind::kBudget, Outcome::kRateLimited, "budget." + budget.id,
                    describe(said.state) + ", and this request may need " +
                        amount_text(budget, budget.is_money ? most.nano_usd : most.tokens));
}

Step ExchangeState::reserve_use() {
  if (is_free(api)) return {};
  Spent most;
  if (Step unpriced = price_use(most); unpriced) return unpriced;
  if (!services.use.budgets) return judge_tokens(*this, most.tokens);
  BudgetLedger& budgets = *services.use.budgets;
  BudgetVerdict reserved =
      budgets.reserve({.tenant = caller.tenant,
                       .user = std::string(policy::user_of_agent(caller.agent_id)),
                       .agent = caller.agent_id,
                       .session = caller.session_id},
                      most, started_wall);
  if (!reserved.passes) return refuse_budget(reserved, most);
  reservation = std::move(reserved.reservation);
  Step denied = judge_tokens(*this, most.tokens);
  if (denied && reservation.is_open()) (void)budgets.settle(std::move(reservation), {});
  return denied;
}

Step ExchangeState::reserve_anew() {
  if (is_free(api) || !services.use.budgets || !services.use.budgets->has_money()) return {};
  Spent most;
  if (Step unpriced = price_use(most); unpriced) return unpriced;
  const BudgetVerdict changed = services.use.budgets->change(reservation, most);
  if (!changed.passes) return refuse_budget(changed, most);
  return {};
}

void ExchangeState::note_budget(const BudgetState& state, bool is_exceeded) {
  model::Detection detection;
  detection.rule_id = is_exceeded ? "budget.exceeded" : "budget.warning";
  detection.category = "excessive_spend";
  detection.severity = is_exceeded ? model::Severity::kHigh : model::Severity::kMedium;
  detection.confidence = 1;
  detection.surface = "behaviour";
  detection.evidence = state.budget->id;
  detection.message = describe(state);
  detections.push_back(std::move(detection));
}

std::uint64_t ExchangeState::estimated_input() const {
  return remainder_ ? remainder_->estimated_input : estimate_input(request);
}

void ExchangeState::note_given_up() {
  if (is_free(api)) return;
  const codec::Usage read{.input_tokens = estimated_input()};
  given_up.has_latest = true;
  given_up.input_tokens += read.input_tokens;
  const Price* const price = services.use.prices
                                 ? services.use.prices->find(provider->event_name(), model_sent())
                                 : nullptr;
  if (price != nullptr) given_up.nano_usd += cost_of(*price, read);
}

// A provider that fails or that was never asked is paid nothing. Where it was asked and did not
// say, or could not say to the end, what it counted, that is estimated.
void ExchangeState::settle_use() {
  model::LlmCall& said = call();
  codec::Usage used;
  const bool is_answered = upstream_status >= 200 && upstream_status < 300;
  const bool is_given_up =
      upstream_status == 0 && !request_head.empty() && (is_stopped || client_gone || status == 504);
  if (is_answered && !is_free(api)) {
    used = usage.value_or(codec::Usage{});
    said.tokens_estimated = !usage || reply_cut;
  }
  if (is_given_up && !given_up.has_latest && !is_free(api)) said.tokens_estimated = true;
  if (said.tokens_estimated) {
    if (used.input_tokens == 0) used.input_tokens = estimated_input();
    if (writes_text(api))
      used.output_tokens = std::max(used.output_tokens, estimate_tokens(reply_text_bytes));
  }
  // There is no request without input: a provider that says so (null, a negative number, 1e30)
  // counted something else, or nothing.
  if (is_answered && !is_free(api) && used.input_tokens == 0) {
    used.input_tokens = estimated_input();
    said.tokens_estimated = true;
  }
  const bool was_left = given_up.input_tokens > 0;
  if (was_left) said.tokens_estimated = true;
  said.input_tokens =
      std::min(std::min(used.input_tokens, kMostTokens) + given_up.input_tokens, kMostTokens);
  said.output_tokens = std::min(used.output_tokens, kMostTokens);
  if (services.use.prices && provider && (is_answered || is_given_up || was_left) &&
      !is_free(api)) {
    const std::string_view named =
        said.response_model.empty() ? model_sent() : std::string_view(said.response_model);
    const PriceTable& prices = *services.use.prices;
    const Price* price = prices.find(provider->event_name(), named);
    if (price == nullptr) price = prices.find(provider->event_name(), model_sent());
    if (price != nullptr) {
      const std::uint64_t cost = cost_of(*price, used);
      said.cost_nano_usd = cost + std::min(given_up.nano_usd, UINT64_MAX - cost);
    }
  }
  if (!reservation.is_open()) return;
  const Spent spent{.tokens = said.input_tokens + said.output_tokens,
                    .nano_usd = said.cost_nano_usd.value_or(0)};
  for (const BudgetState& state : services.use.budgets->settle(std::move(reservation), spent))
    note_budget(state, false);
}

}  // namespace aispm::gateway
