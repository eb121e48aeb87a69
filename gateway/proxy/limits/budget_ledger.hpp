// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/limits/config_limits.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::gateway {

// On whose account a call goes.
struct Spender {
  std::string tenant = {};
  std::string user = {};  // "": none
  std::string agent = {};
  std::string session = {};  // "": the agent's calls of one UTC day are a session
};

struct Spent {
  std::uint64_t tokens = 0;
  std::uint64_t nano_usd = 0;
};

// One budget's state, for words.
struct BudgetState {
  const Budget* budget = nullptr;
  std::uint64_t used = 0;  // with what is reserved
  std::uint64_t limit = 0;
  WallTime ends;  // {0}: with the session
};

// What a call may spend at most, taken off the budgets until it is settled. Whoever drops it
// unsettled has spent all of it. Move-only; must not outlive its ledger.
class BudgetLedger;
class Reservation {
 public:
  Reservation() = default;
  ~Reservation();
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;

  bool is_open() const { return ledger_ != nullptr; }

 private:
  friend class BudgetLedger;
  struct Part {
    std::size_t budget = 0;
    std::string key;
    std::int64_t period = 0;
    std::uint64_t amount = 0;
  };
  BudgetLedger* ledger_ = nullptr;
  std::vector<Part> parts_;
};

struct BudgetVerdict {
  bool passes = true;
  bool is_full = false;     // it does not pass because no more accounts can be kept
  bool is_first = false;    // of this account's refusals in this period
  BudgetState state;        // of the one that does not suffice
  Reservation reservation;  // where it passes
};

// What was spent of every budget. Reserved before a call, settled after it: calls that run at once
// can never be promised more than there is. Days and months are UTC's; what a call spends counts
// for the period in which it began. Any thread.
class BudgetLedger {
 public:
  static constexpr std::size_t kMaxStateBytes = 256U << 20;

  // Goes on where the state file left off; without one, from nothing. kInvalid: the file is
  // damaged.
  static Result<std::unique_ptr<BudgetLedger>> open(BudgetConfig config);
  ~BudgetLedger();

  BudgetVerdict reserve(const Spender& spender, const Spent& most, WallTime now);
  // Makes it a reservation of `most`, where what is left suffices; else it stays as it is.
  BudgetVerdict change(Reservation& reservation, const Spent& most);
  // Budgets of which the warning share was reached by this, for the first time in their period.
  std::vector<BudgetState> settle(Reservation reservation, const Spent& spent);
  // Those that count for this caller, as they stand.
  std::vector<BudgetState> look(const Spender& spender, WallTime now);

  bool has_money() const;
  const BudgetConfig& config() const { return config_; }

  // Writes the state file where something changed since the last time. What is reserved is written
  // as spent, so that nothing is free again after a crash. One thread at a time.
  Result<> save();

  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  std::uint64_t refused_full() const { return refused_full_.load(std::memory_order_relaxed); }
  // Sessions whose accounts were given up for others'.
  std::uint64_t forgotten() const { return forgotten_.load(std::memory_order_relaxed); }

 private:
  friend class Reservation;
  struct Account;
  struct Shard;
  struct Table;
  explicit BudgetLedger(BudgetConfig config);
  std::vector<Reservation::Part> parts_of(const Spender& spender, const Spent& most,
                                          WallTime now) const;
  BudgetState state_of(const Reservation::Part& part, const Account* account) const;
  Account* find(const Reservation::Part& part);
  // `request`: a number of its own, the same for all accounts that one request needs.
  Account* find_or_make(const Reservation::Part& part, std::uint64_t request);
  Result<> load();
  Result<> take_account(std::string_view budget, std::string key, std::int64_t period,
                        std::uint64_t used, bool is_warned, bool is_exceeded);
  std::string write_state();

  const BudgetConfig config_;
  std::unique_ptr<Table> table_;
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> changes_{0};
  std::uint64_t saved_changes_ = 0;
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> refused_full_{0};
  std::atomic<std::uint64_t> forgotten_{0};
};

// "1500 tokens", "2.50 USD"
std::string amount_text(const Budget& budget, std::uint64_t amount);
// "the tokens of this tenant for a day are spent: 1990000 of 2000000 used, ..."
std::string describe(const BudgetState& state);

}  // namespace aispm::gateway
