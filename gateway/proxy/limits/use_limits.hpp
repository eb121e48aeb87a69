// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "sdk/core/common/result.hpp"

namespace aispm::model {
struct ComponentHealth;
}

namespace aispm::gateway {

class BudgetLedger;
class ModelGate;
class PriceTable;
class RateLimiter;
struct UseConfig;

// What bounds and prices the use that callers make. A member that is null is not configured, and
// nothing is done for it.
struct UseLimits {
  UseLimits();
  ~UseLimits();
  UseLimits(const UseLimits&) = delete;
  UseLimits& operator=(const UseLimits&) = delete;

  // kInvalid: what an earlier run left of budgets is damaged.
  Result<> open(const UseConfig& config);
  // Writes down what was spent. Main thread, every second and at the end.
  void save();
  void describe(model::ComponentHealth& health) const;

  std::unique_ptr<RateLimiter> rates;
  std::unique_ptr<BudgetLedger> budgets;
  std::unique_ptr<ModelGate> models;
  std::unique_ptr<PriceTable> prices;

 private:
  std::string save_error_;  // of the last save
};

}  // namespace aispm::gateway
