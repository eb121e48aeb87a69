// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/limits/budget_ledger.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "gateway/proxy/limits/budget_table.hpp"

namespace aispm::gateway {
namespace {

constexpr std::int64_t kDay = 86'400LL * 1'000'000'000;

std::int64_t day_of(WallTime time) { return time.nanoseconds / kDay; }

std::int64_t month_of(WallTime time) {
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day_of(time)))};
  return static_cast<int>(date.year()) * 12LL + static_cast<unsigned>(date.month()) - 1;
}

std::int64_t period_of(const Budget& budget, const Spender& spender, WallTime now) {
  if (budget.per == BudgetPer::kMonth) return month_of(now);
  const bool is_endless = budget.per == BudgetPer::kSession && !spender.session.empty();
  return is_endless ? 0 : day_of(now);
}

WallTime end_of(const Budget& budget, std::int64_t period) {
  if (period == 0) return {};
  if (budget.per != BudgetPer::kMonth) return {(period + 1) * kDay};
  const std::chrono::sys_days next{
      std::chrono::year(static_cast<int>((period + 1) / 12)) /
      std::chrono::month(static_cast<unsigned>((period + 1) % 12 + 1)) / 1};
  return {next.time_since_epoch().count() * kDay};
}

std::string name_for(const Budget& budget, const Spender& spender) {
  switch (budget.of) {
    case BudgetOf::kSession:
      return spender.agent + '\0' + spender.session;
    case BudgetOf::kAgent:
      return spender.agent;
    case BudgetOf::kUser:
      return spender.user;
    default:
      return spender.tenant;
  }
}

bool is_for(const Budget& budget, const Spender& spender) {
  switch (budget.of) {
    case BudgetOf::kUser:
      return !spender.user.empty() && budget.match.matches(spender.user);
    case BudgetOf::kTenant:
      return budget.match.matches(spender.tenant);
    default:
      return budget.match.matches(spender.agent);
  }
}

std::uint64_t add_up(std::uint64_t one, std::uint64_t other) {
  return one > UINT64_MAX - other ? UINT64_MAX : one + other;
}

}  // namespace

Reservation::~Reservation() {
  if (ledger_ == nullptr) return;
  Spent all;  // nobody knows what it spent
  for (const Part& part : parts_) {
    auto& most = ledger_->config_.budgets[part.budget].is_money ? all.nano_usd : all.tokens;
    most = std::max(most, part.amount);
  }
  (void)ledger_->settle(std::move(*this), all);
}

Reservation::Reservation(Reservation&& other) noexcept
    : ledger_(std::exchange(other.ledger_, nullptr)), parts_(std::move(other.parts_)) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  std::swap(ledger_, other.ledger_);
  std::swap(parts_, other.parts_);
  return *this;
}

BudgetLedger::BudgetLedger(BudgetConfig config)
    : config_(std::move(config)), table_(std::make_unique<Table>()) {}
BudgetLedger::~BudgetLedger() = default;

bool BudgetLedger::has_money() const {
  return std::ranges::any_of(config_.budgets, &Budget::is_money);
}

std::vector<Reservation::Part> BudgetLedger::parts_of(const Spender& spender, const Spent& most,
                                                      WallTime now) const {
  std::vector<Reservation::Part> parts;
  for (std::size_t i = 0; i < config_.budgets.size(); ++i) {
    const Budget& budget = config_.budgets[i];
    if (!is_for(budget, spender)) continue;
    parts.push_back({.budget = i,
                     .key = account_key(budget.id, spender.tenant, name_for(budget, spender)),
                     .period = period_of(budget, spender, now),
                     .amount = budget.is_money ? most.nano_usd : most.tokens});
  }
  return parts;
}

BudgetState BudgetLedger::state_of(const Reservation::Part& part, const Account* account) const {
  const Budget& budget = config_.budgets[part.budget];
  return {.budget = &budget,
          .used = account ? add_up(account->used, account->reserved) : 0,
          .limit = budget.limit,
          .ends = end_of(budget, part.period)};
}

// The part of the table is locked.
BudgetLedger::Account* BudgetLedger::find(const Reservation::Part& part) {
  auto& accounts = table_->shards[shard_of(part.key)].accounts;
  const auto found = accounts.find(part.key);
  if (found == accounts.end()) return nullptr;
  found->second.enter(part.period);
  return &found->second;
}

// Likewise. Null: there is no room. Accounts of past periods go first; sessions, which clients
// name, never take the place of others.
BudgetLedger::Account* BudgetLedger::find_or_make(const Reservation::Part& part,
                                                  std::uint64_t request) {
  Shard& shard = table_->shards[shard_of(part.key)];
  Account* account = find(part);
  if (account == nullptr) {
    const bool is_session = config_.budgets[part.budget].of == BudgetOf::kSession;
    const std::size_t room =
        std::max<std::size_t>(BudgetConfig::kMaxBudgets, config_.accounts / kUseShards);
    const std::size_t used = is_session ? shard.sessions : shard.accounts.size() - shard.sessions;
    if (used >= room) {
      auto oldest = shard.accounts.end();
      for (auto one = shard.accounts.begin(); one != shard.accounts.end(); ++one) {
        const Account& other = one->second;
        const bool is_kind = (config_.budgets[other.budget].of == BudgetOf::kSession) == is_session;
        const bool may_go =
            is_session || (other.budget == part.budget && other.period < part.period);
        // What this very request has found or made stays.
        const bool is_in_use = other.reserved != 0 || other.last == request;
        if (is_kind && may_go && !is_in_use &&
            (oldest == shard.accounts.end() || other.last < oldest->second.last))
          oldest = one;
      }
      if (oldest == shard.accounts.end()) return nullptr;
      if (is_session) {
        --shard.sessions;
        forgotten_.fetch_add(1, std::memory_order_relaxed);
      }
      shard.accounts.erase(oldest);
    }
    account = &shard.accounts[part.key];
    account->budget = part.budget;
    account->period = part.period;
    if (is_session) ++shard.sessions;
  }
  account->last = request;
  return account;
}

BudgetVerdict BudgetLedger::reserve(const Spender& spender, const Spent& most, WallTime now) {
  BudgetVerdict verdict;
  std::vector<Reservation::Part> parts = parts_of(spender, most, now);
  if (parts.empty()) return verdict;
  ShardLocks<Shard, BudgetConfig::kMaxBudgets> locks(table_->shards);
  for (const auto& part : parts) locks.want(shard_of(part.key));
  locks.lock();
  const std::uint64_t request = requests_.fetch_add(1, std::memory_order_relaxed) + 1;
  std::array<Account*, BudgetConfig::kMaxBudgets> accounts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    accounts[i] = find_or_make(parts[i], request);
    if (accounts[i] == nullptr) {
      refused_full_.fetch_add(1, std::memory_order_relaxed);
      verdict.passes = false;
      verdict.is_full = true;
      verdict.state = state_of(parts[i], nullptr);
      return verdict;
    }
    // A clock that was set back must not open a second account of one day.
    parts[i].period = accounts[i]->period;
    const std::uint64_t after =
        add_up(add_up(accounts[i]->used, accounts[i]->reserved), parts[i].amount);
    if (after <= config_.budgets[parts[i].budget].limit || !verdict.passes) continue;
    verdict.passes = false;
    verdict.state = state_of(parts[i], accounts[i]);
    verdict.is_first = !std::exchange(accounts[i]->is_exceeded, true);
  }
  if (!verdict.passes) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    if (verdict.is_first) changes_.fetch_add(1, std::memory_order_relaxed);
    return verdict;
  }
  for (std::size_t i = 0; i < parts.size(); ++i)
    accounts[i]->reserved = add_up(accounts[i]->reserved, parts[i].amount);
  changes_.fetch_add(1, std::memory_order_relaxed);
  verdict.reservation.ledger_ = this;
  verdict.reservation.parts_ = std::move(parts);
  return verdict;
}

BudgetVerdict BudgetLedger::change(Reservation& reservation, const Spent& most) {
  BudgetVerdict verdict;
  std::vector<Reservation::Part>& parts = reservation.parts_;
  const auto amount_for = [&](const Reservation::Part& part) {
    return config_.budgets[part.budget].is_money ? most.nano_usd : most.tokens;
  };
  ShardLocks<Shard, BudgetConfig::kMaxBudgets> locks(table_->shards);
  for (const auto& part : parts) locks.want(shard_of(part.key));
  locks.lock();
  std::array<Account*, BudgetConfig::kMaxBudgets> accounts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto& known = table_->shards[shard_of(parts[i].key)].accounts;
    const auto found = known.find(parts[i].key);
    // What runs on into another day is settled into the old one.
    if (found == known.end() || found->second.period != parts[i].period) continue;
    accounts[i] = &found->second;
    accounts[i]->reserved -= std::min(accounts[i]->reserved, parts[i].amount);
    const std::uint64_t amount = amount_for(parts[i]);
    const std::uint64_t after = add_up(add_up(accounts[i]->used, accounts[i]->reserved), amount);
    const bool suffices =
        amount <= parts[i].amount || after <= config_.budgets[parts[i].budget].limit;
    if (suffices || !verdict.passes) continue;
    verdict.passes = false;
    verdict.state = state_of(parts[i], accounts[i]);
    verdict.is_first = !std::exchange(accounts[i]->is_exceeded, true);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (accounts[i] == nullptr) continue;
    if (verdict.passes) parts[i].amount = amount_for(parts[i]);
    accounts[i]->reserved = add_up(accounts[i]->reserved, parts[i].amount);
  }
  if (!verdict.passes) refused_.fetch_add(1, std::memory_order_relaxed);
  changes_.fetch_add(1, std::memory_order_relaxed);
  return verdict;
}

std::vector<BudgetState> BudgetLedger::settle(Reservation reservation, const Spent& spent) {
  std::vector<BudgetState> warned;
  if (std::exchange(reservation.ledger_, nullptr) == nullptr) return warned;
  for (const Reservation::Part& part : reservation.parts_) {
    Shard& shard = table_->shards[shard_of(part.key)];
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.accounts.find(part.key);
    if (found == shard.accounts.end() || found->second.period != part.period) continue;
    Account& account = found->second;
    const Budget& budget = config_.budgets[part.budget];
    account.reserved -= std::min(account.reserved, part.amount);
    account.used = add_up(account.used, budget.is_money ? spent.nano_usd : spent.tokens);
    const double share = static_cast<double>(account.used) / static_cast<double>(budget.limit);
    if (share >= budget.warn && !account.is_warned) {
      account.is_warned = true;
      warned.push_back(state_of(part, &account));
      warned.back().used = account.used;
    }
  }
  changes_.fetch_add(1, std::memory_order_relaxed);
  return warned;
}

std::vector<BudgetState> BudgetLedger::look(const Spender& spender, WallTime now) {
  std::vector<BudgetState> states;
  for (const Reservation::Part& part : parts_of(spender, {}, now)) {
    const std::lock_guard lock(table_->shards[shard_of(part.key)].mutex);
    states.push_back(state_of(part, find(part)));
  }
  return states;
}

std::string amount_text(const Budget& budget, std::uint64_t amount) {
  if (!budget.is_money) return std::to_string(amount) + " tokens";
  std::array<char, 48> text{};
  const int size =
      std::snprintf(text.data(), text.size(), "%.4f USD", static_cast<double>(amount) / 1e9);
  return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
}

std::string describe(const BudgetState& state) {
  const Budget& budget = *state.budget;
  std::string words = "of " + amount_text(budget, state.limit) + " that this " +
                      std::string(name_of(budget.of)) + " may use";
  if (budget.per != BudgetPer::kSession) words += " in a " + std::string(name_of(budget.per));
  words += ", " + amount_text(budget, state.used) + " are used or reserved";
  if (state.ends.nanoseconds != 0) words += "; it begins anew at " + to_rfc3339(state.ends);
  return words;
}

}  // namespace aispm::gateway
