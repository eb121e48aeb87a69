// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <unordered_map>

#include "gateway/proxy/limits/budget_ledger.hpp"
#include "gateway/proxy/limits/shards.hpp"
#include "sdk/core/common/utf8.hpp"

// How a BudgetLedger keeps its accounts; for its own files.
namespace aispm::gateway {

struct BudgetLedger::Account {
  std::size_t budget = 0;
  std::int64_t period = 0;  // days or months of UTC; 0: a session
  std::uint64_t used = 0;
  std::uint64_t reserved = 0;
  std::uint64_t last = 0;  // request that used it last
  bool is_warned = false;
  bool is_exceeded = false;

  // A new day or month: nothing of it is spent. What runs still is settled into the old one.
  void enter(std::int64_t now) {
    if (now <= period) return;
    period = now;
    used = reserved = 0;
    is_warned = is_exceeded = false;
  }
};

struct BudgetLedger::Shard {
  std::mutex mutex;
  std::unordered_map<std::string, Account> accounts;
  std::size_t sessions = 0;  // of them
};

struct BudgetLedger::Table {
  std::array<Shard, kUseShards> shards;
};

// "budget\0tenant\0name"
inline std::string account_key(const std::string& budget, std::string_view tenant,
                               std::string_view name) {
  constexpr std::size_t kMaxName = 256;
  std::string key = budget;
  key.push_back('\0');
  key.append(to_utf8(tenant.substr(0, kMaxName))).push_back('\0');
  return key.append(to_utf8(name.substr(0, kMaxName)));
}

}  // namespace aispm::gateway
