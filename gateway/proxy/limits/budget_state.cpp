// SPDX-License-Identifier: Apache-2.0
// What a BudgetLedger leaves for its successor.
#include <boost/json.hpp>

#include "gateway/proxy/limits/budget_table.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::gateway {

namespace json = boost::json;

namespace {

constexpr std::int64_t kVersion = 1;
constexpr unsigned kMode = 0600;
constexpr std::size_t kFields = 7;

// One account: [budget, tenant, name, period, used, warned, exceeded].
struct Kept {
  std::string budget;
  std::string key;
  std::int64_t period = 0;
  std::uint64_t used = 0;
  bool is_warned = false;
  bool is_exceeded = false;
};

bool read_kept(const json::value& value, Kept& kept) {
  const json::array* const fields = value.if_array();
  if (fields == nullptr || fields->size() != kFields) return false;
  const auto text = [&](std::size_t i) { return (*fields)[i].if_string(); };
  if (!text(0) || !text(1) || !text(2)) return false;
  boost::system::error_code error;
  kept.budget = std::string(*text(0));
  kept.key = account_key(kept.budget, std::string_view(text(1)->data(), text(1)->size()),
                         std::string_view(text(2)->data(), text(2)->size()));
  kept.period = (*fields)[3].to_number<std::int64_t>(error);
  if (error) return false;
  kept.used = (*fields)[4].to_number<std::uint64_t>(error);
  if (error || !(*fields)[5].is_bool() || !(*fields)[6].is_bool()) return false;
  kept.is_warned = (*fields)[5].get_bool();
  kept.is_exceeded = (*fields)[6].get_bool();
  return true;
}

}  // namespace

Result<std::unique_ptr<BudgetLedger>> BudgetLedger::open(BudgetConfig config) {
  std::unique_ptr<BudgetLedger> ledger(new BudgetLedger(std::move(config)));
  if (auto loaded = ledger->load(); !loaded) return fail(Errc::kInvalid, loaded.error().message);
  return ledger;
}

Result<> BudgetLedger::load() {
  const std::string& path = config_.state_file;
  auto content = read_file(path, kMaxStateBytes);
  if (!content && content.error().code == Errc::kNotFound) return {};
  AISPM_CHECK(content);
  const std::string damaged =
      path + ": is no record of budgets; repair it, or remove it to begin with nothing spent";
  boost::system::error_code error;
  const json::value root = json::parse(*content, error);
  if (error || !root.is_object()) return fail(Errc::kInvalid, damaged);
  const json::value* const version = root.get_object().if_contains("version");
  const json::value* const accounts = root.get_object().if_contains("accounts");
  if (version == nullptr || !version->is_int64() || version->get_int64() != kVersion ||
      accounts == nullptr || !accounts->is_array())
    return fail(Errc::kInvalid, damaged);
  for (const json::value& value : accounts->get_array()) {
    Kept kept;
    if (!read_kept(value, kept)) return fail(Errc::kInvalid, damaged);
    AISPM_CHECK(take_account(kept.budget, std::move(kept.key), kept.period, kept.used,
                             kept.is_warned, kept.is_exceeded));
  }
  return {};
}

// Budgets that are no more are dropped with the next save.
Result<> BudgetLedger::take_account(std::string_view budget, std::string key, std::int64_t period,
                                    std::uint64_t used, bool is_warned, bool is_exceeded) {
  for (std::size_t i = 0; i < config_.budgets.size(); ++i) {
    if (config_.budgets[i].id != budget) continue;
    Account* const account = find_or_make(
        {.budget = i, .key = std::move(key), .period = period, .amount = 0}, ++requests_);
    if (account == nullptr)
      return fail(Errc::kInvalid,
                  config_.state_file + ": holds more than `accounts` of limits.budgets allows");
    account->used = used;
    account->is_warned = is_warned;
    account->is_exceeded = is_exceeded;
  }
  return {};
}

std::string BudgetLedger::write_state() {
  json::array accounts;
  for (Shard& shard : table_->shards) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [key, account] : shard.accounts) {
      if (account.used == 0 && account.reserved == 0 && !account.is_exceeded) continue;
      const std::string& id = config_.budgets[account.budget].id;
      const std::string_view rest = std::string_view(key).substr(id.size() + 1);
      const auto end = rest.find('\0');
      accounts.push_back(json::array{id, rest.substr(0, end), rest.substr(end + 1), account.period,
                                     account.used + account.reserved, account.is_warned,
                                     account.is_exceeded});
    }
  }
  return json::serialize(json::object{{"version", kVersion}, {"accounts", std::move(accounts)}});
}

Result<> BudgetLedger::save() {
  const std::uint64_t changes = changes_.load(std::memory_order_relaxed);
  if (changes == saved_changes_) return {};
  AISPM_CHECK(write_file_atomically(config_.state_file, write_state() + "\n", kMode));
  saved_changes_ = changes;
  return {};
}

}  // namespace aispm::gateway
