// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdk/core/common/secret.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/policy/glob.hpp"

// What bounds the use that callers make of models and tools: `limits: rates`, `limits: budgets`,
// `prices` and `model_gate` of gateway.yaml. Absent sections bound nothing.
namespace aispm::gateway {

// Whose requests are counted together.
enum class RateOf : std::uint8_t { kUser, kAgent, kTool, kTenant };
inline constexpr std::size_t kRateKinds = 4;
// "user", "agent", "tool", "tenant"
std::string_view name_of(RateOf of);

// At most `calls` within any `window`; 0: as many as they like.
struct Rate {
  static constexpr std::uint32_t kMaxCalls = 100'000;
  std::uint32_t calls = 0;
  std::chrono::milliseconds window{60'000};
};

struct RateRule {
  static constexpr std::size_t kMaxExceptions = 256;
  Rate rate;
  std::vector<std::pair<policy::Glob, Rate>> except;  // the first name that fits counts
};

struct RateConfig {
  static constexpr std::size_t kMaxCallers = 1'000'000;
  std::array<RateRule, kRateKinds> rules;  // by RateOf
  std::size_t callers = 16'384;            // counted at once
  bool forgets = false;                    // when there are more: the least recent, else refusal
};

enum class BudgetOf : std::uint8_t { kSession, kAgent, kUser, kTenant };
enum class BudgetPer : std::uint8_t { kSession, kDay, kMonth };
std::string_view name_of(BudgetOf of);
std::string_view name_of(BudgetPer per);

struct Budget {
  std::string id = {};  // unique: "tenant.day.tokens"
  BudgetOf of = BudgetOf::kTenant;
  BudgetPer per = BudgetPer::kDay;
  bool is_money = false;
  std::uint64_t limit = 0;  // tokens, or billionths of a US dollar
  double warn = 0.8;        // share of it
  policy::Glob match = {};  // of the name of whom it is for
};

struct BudgetConfig {
  static constexpr std::size_t kMaxBudgets = 16;
  static constexpr std::uint64_t kSessionTokens = 8192;
  static constexpr std::uint64_t kTenantDayTokens = 2'000'000;
  std::vector<Budget> budgets;
  std::string state_file;
  std::size_t accounts = 16'384;        // of each: sessions, and all others together
  std::uint64_t assumed_output = 1024;  // tokens reserved where a request names no maximum
  bool allows_unknown_price = false;    // else money budgets refuse what has no known price
};

// Of one model, in trillionths of a US dollar (1 USD per million tokens = 1,000,000).
struct Price {
  std::string model;          // a name; of the operator's own also a glob
  std::string provider = {};  // as events name it; "" = any
  std::uint64_t input = 0;
  std::uint64_t output = 0;
  std::optional<std::uint64_t> cached = {};       // of input read from a cache; else like input
  std::optional<std::uint64_t> cache_write = {};  // of input written into it; likewise
};

struct PriceConfig {
  static constexpr std::size_t kMaxPrices = 5000;
  std::string file = {};           // "" = none
  std::vector<Price> prices = {};  // the operator's own come first
  std::string date = {};           // of the file
  std::string source = {};
};

struct ApprovedModel {
  policy::Glob model;
  policy::Glob provider;
  std::vector<policy::Glob> agents;       // empty: all
  std::vector<policy::Glob> tenants;      // likewise
  std::vector<std::string> environments;  // as agents are registered; likewise
};

// Asked over HTTP: GET `url`, in whose path {model} stands for the name.
struct ModelRegistryConfig {
  std::string url;
  std::string ca_file;
  Secret key;
  bool allow_private = false;
  std::string status_field = "status";
  std::vector<std::string> approved{"approved"};
  std::chrono::milliseconds cache{30'000};
  std::chrono::milliseconds deadline{500};
};

struct ModelGateConfig {
  static constexpr std::size_t kMaxModels = 1000;
  bool has_list = false;
  std::vector<ApprovedModel> models;
  std::optional<ModelRegistryConfig> registry;
};

struct UseConfig {
  std::optional<RateConfig> rates;
  std::optional<BudgetConfig> budgets;
  PriceConfig prices;
  std::optional<ModelGateConfig> model_gate;
  std::uint64_t prompt_bytes = 0;  // of all texts of a request; 0: as the body's limit
};

// Reads these sections; errors go to the maps. `limits`: that section, of which others read other
// keys. `state_folder`: where this gateway keeps what must outlive it, "" = nowhere.
UseConfig read_use(const YamlMap& root, const YamlMap& limits, const std::string& state_folder);

// The list at `key`, and what a file of prices holds.
std::vector<Price> read_price_list(const YamlMap& map, const std::string& key);
Result<PriceConfig> load_price_file(const std::string& path);

}  // namespace aispm::gateway
