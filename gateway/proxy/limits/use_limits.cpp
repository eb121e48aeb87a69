// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/limits/use_limits.hpp"

#include "gateway/proxy/limits/budget_ledger.hpp"
#include "gateway/proxy/limits/model_gate.hpp"
#include "gateway/proxy/limits/price_table.hpp"
#include "gateway/proxy/limits/rate_limiter.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

UseLimits::UseLimits() = default;
UseLimits::~UseLimits() = default;

Result<> UseLimits::open(const UseConfig& config) {
  if (config.rates) rates = std::make_unique<RateLimiter>(*config.rates);
  if (config.budgets) {
    AISPM_TRY(budgets, BudgetLedger::open(*config.budgets));
  }
  if (config.model_gate) {
    AISPM_TRY(models, ModelGate::open(*config.model_gate));
  }
  if (!config.prices.prices.empty()) prices = std::make_unique<PriceTable>(config.prices);
  return {};
}

void UseLimits::save() {
  if (!budgets) return;
  const auto saved = budgets->save();
  const std::string error = saved ? "" : saved.error().message;
  if (!error.empty() && save_error_.empty()) log::error("budgets.not_saved", {{"reason", error}});
  save_error_ = error;
}

void UseLimits::describe(model::ComponentHealth& health) const {
  if (rates) {
    health.counters["rate_limited_full"] = rates->refused_full();
    health.losses["rates.callers_forgotten"] = rates->forgotten();
  }
  if (budgets) {
    health.counters["budget_refused_full"] = budgets->refused_full();
    health.losses["budgets.sessions_forgotten"] = budgets->forgotten();
    if (!save_error_.empty())
      health.reasons.push_back("what was spent of budgets is not kept: " + save_error_);
  }
  if (models) health.counters["model_registry_failed"] = models->failed();
  health.features["prices"] =
      prices ? prices->config().date.empty() ? "own" : prices->config().date : std::string("none");
}

}  // namespace aispm::gateway
