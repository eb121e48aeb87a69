// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/limits/config_limits.hpp"

#include <algorithm>
#include <iterator>

#include "sdk/core/common/file.hpp"

namespace aispm::gateway {
namespace {

constexpr double kMaxUsd = 1e9;
constexpr double kNanoUsd = 1e9;
constexpr std::size_t kMaxName = 256;

Rate read_rate(const YamlMap& map, Rate usual) {
  if (map.has("per_second") && map.has("per_minute"))
    map.reject("per_minute", "give per_second or per_minute, not both");
  const bool is_second = map.has("per_second") || (!map.has("per_minute") &&
                                                   usual.window == std::chrono::milliseconds(1000));
  const bool is_given = map.has("per_second") || map.has("per_minute") || map.has("burst");
  if (!is_given) return usual;
  const char* const key = is_second ? "per_second" : "per_minute";
  const bool has_count = map.has(key);
  const auto count = map.integer(key, usual.calls, {0, Rate::kMaxCalls});
  const auto burst = map.integer("burst", 0, {0, Rate::kMaxCalls});
  Rate rate;
  rate.window = std::chrono::milliseconds(is_second ? 1000 : 60'000);
  if (!has_count) map.reject("burst", "stands beside per_minute or per_second");
  rate.calls = count == 0 ? 0 : static_cast<std::uint32_t>(count + burst);
  return rate;
}

RateRule read_rate_rule(const YamlMap& map, Rate usual) {
  RateRule rule{.rate = read_rate(map, usual), .except = {}};
  for (const YamlMap& one : map.maps("except")) {
    std::string name = one.required_text("name");
    if (!one.has("per_second") && !one.has("per_minute"))
      one.reject("", "an exception without per_minute or per_second");
    rule.except.emplace_back(policy::Glob(std::move(name)), read_rate(one, rule.rate));
  }
  if (rule.except.size() > RateRule::kMaxExceptions) map.reject("except", "more than 256 of them");
  return rule;
}

RateConfig read_rates(const YamlMap& map) {
  constexpr std::chrono::milliseconds kSecond{1000};
  constexpr std::chrono::milliseconds kMinute{60'000};
  RateConfig rates;
  const auto read = [&](RateOf of, Rate usual) {
    rates.rules[static_cast<std::size_t>(of)] =
        read_rate_rule(map.map(std::string(name_of(of))), usual);
  };
  read(RateOf::kUser, {.calls = 70, .window = kMinute});
  read(RateOf::kAgent, {.calls = 70, .window = kMinute});
  read(RateOf::kTool, {.calls = 20, .window = kMinute});
  read(RateOf::kTenant, {.calls = 1000, .window = kSecond});
  rates.callers = static_cast<std::size_t>(
      map.integer("callers", static_cast<std::int64_t>(rates.callers),
                  {64, static_cast<std::int64_t>(RateConfig::kMaxCallers)}));
  rates.forgets = map.choice("when_full", "refuse", {"refuse", "forget"}) == "forget";
  return rates;
}

Budget read_budget(const YamlMap& map) {
  Budget budget;
  const std::string of = map.choice("of", "tenant", {"session", "agent", "user", "tenant"});
  for (const BudgetOf one :
       {BudgetOf::kSession, BudgetOf::kAgent, BudgetOf::kUser, BudgetOf::kTenant})
    if (name_of(one) == of) budget.of = one;
  if (!map.has("of")) map.reject("", "a budget without `of`: session, agent, user or tenant");
  if (budget.of == BudgetOf::kSession) {
    if (map.has("per")) map.reject("per", "a session has one budget for all its life");
    budget.per = BudgetPer::kSession;
  } else {
    budget.per =
        map.choice("per", "day", {"day", "month"}) == "day" ? BudgetPer::kDay : BudgetPer::kMonth;
  }
  if (map.has("tokens") && map.has("usd")) map.reject("usd", "give tokens or usd, not both");
  budget.is_money = map.has("usd");
  const bool has_usual = budget.of == BudgetOf::kSession ||
                         (budget.of == BudgetOf::kTenant && budget.per == BudgetPer::kDay);
  if (!budget.is_money && !map.has("tokens") && !has_usual)
    map.reject("", "a budget without `tokens` or `usd`");
  const std::uint64_t usual = budget.of == BudgetOf::kSession ? BudgetConfig::kSessionTokens
                                                              : BudgetConfig::kTenantDayTokens;
  if (budget.is_money)
    budget.limit =
        static_cast<std::uint64_t>(map.number("usd", 0, 0.000001, kMaxUsd) * kNanoUsd + 0.5);
  else
    budget.limit = static_cast<std::uint64_t>(
        map.integer("tokens", static_cast<std::int64_t>(usual), {1, 1'000'000'000'000'000}));
  budget.warn = map.number("warn", budget.warn, 0, 1);
  budget.match = policy::Glob(map.text("match", "*"));
  budget.id =
      map.text("id", std::string(name_of(budget.of)) + "." + std::string(name_of(budget.per)) +
                         (budget.is_money ? ".usd" : ".tokens"));
  if (budget.id.empty() || budget.id.size() > kMaxName) map.reject("id", "1 to 256 bytes");
  return budget;
}

BudgetConfig read_budgets(const YamlMap& map, const std::string& state_folder) {
  BudgetConfig config;
  for (const YamlMap& one : map.maps("list")) {
    Budget budget = read_budget(one);
    for (const Budget& other : config.budgets)
      if (other.id == budget.id)
        one.reject("id", "budget '" + budget.id + "' is given twice; name one of them by `id`");
    config.budgets.push_back(std::move(budget));
  }
  if (config.budgets.empty()) map.reject("list", "no budget");
  if (config.budgets.size() > BudgetConfig::kMaxBudgets) map.reject("list", "more than 16 budgets");
  config.state_file =
      map.text("state_file", state_folder.empty() ? "" : state_folder + "/budgets.json");
  if (config.state_file.empty() || config.state_file.front() != '/')
    map.reject("state_file", "an absolute path is needed: what is spent must outlive the gateway");
  config.accounts = static_cast<std::size_t>(map.integer("accounts", 16'384, {64, 1'000'000}));
  config.assumed_output =
      static_cast<std::uint64_t>(map.integer("assumed_output", 1024, {0, 10'000'000}));
  config.allows_unknown_price =
      map.choice("unknown_price", "refuse", {"refuse", "allow"}) == "allow";
  return config;
}

// In US dollars per million tokens.
std::uint64_t read_usd(const YamlMap& map, const std::string& key) {
  return static_cast<std::uint64_t>(map.number(key, 0, 0, 1e6) * 1e6 + 0.5);
}

Price read_price(const YamlMap& map) {
  Price price;
  price.model = map.required_text("model");
  price.provider = map.text("provider", "");
  for (const char* const key : {"input", "output"})
    if (!map.has(key)) map.reject("", std::string("a price without `") + key + "`");
  price.input = read_usd(map, "input");
  price.output = read_usd(map, "output");
  if (map.has("cached")) price.cached = read_usd(map, "cached");
  if (map.has("cache_write")) price.cache_write = read_usd(map, "cache_write");
  return price;
}

PriceConfig read_prices(const YamlMap& map) {
  PriceConfig config;
  std::vector<Price> own = read_price_list(map, "override");
  if (const std::string path = map.text("file", ""); !path.empty()) {
    auto loaded = load_price_file(path);
    if (loaded)
      config = std::move(*loaded);
    else
      map.reject("file", loaded.error().message);
    config.file = path;
  }
  config.prices.insert(config.prices.begin(), std::make_move_iterator(own.begin()),
                       std::make_move_iterator(own.end()));
  return config;
}

std::vector<policy::Glob> read_globs(const YamlMap& map, const std::string& key) {
  std::vector<policy::Glob> globs;
  for (std::string& text : map.texts(key)) globs.emplace_back(std::move(text));
  if (map.has(key) && globs.empty()) map.reject(key, "names nobody; leave it out for all");
  return globs;
}

// The first line of the file at `key_file`.
Secret read_bearer(const YamlMap& map) {
  constexpr std::size_t kMaxKeyBytes = 4096;
  const std::string path = map.text("key_file", "");
  if (path.empty()) return {};
  auto content = read_file(path, kMaxKeyBytes);
  if (!content) {
    map.reject("key_file", content.error().message);
    return {};
  }
  content->erase(content->find_last_not_of(" \r\n\t") + 1);
  if (content->empty() ||
      !std::all_of(content->begin(), content->end(), [](char c) { return c > ' ' && c < '\x7f'; }))
    map.reject("key_file", path + ": must hold one line of visible ASCII");
  return Secret(std::move(*content));
}

ModelRegistryConfig read_registry(const YamlMap& map) {
  ModelRegistryConfig registry;
  registry.url = map.required_text("url");
  const auto scheme = registry.url.find("://");
  const auto slash = scheme == std::string::npos ? scheme : registry.url.find('/', scheme + 3);
  if (slash == std::string::npos || registry.url.find("{model}") == std::string::npos ||
      registry.url.find("{model}") < slash)
    map.reject("url", "must be like https://host/path/{model}");
  registry.ca_file = map.text("ca_file", "");
  registry.allow_private = map.flag("allow_private", false);
  registry.status_field = map.text("status_field", registry.status_field);
  if (map.has("approved")) registry.approved = map.texts("approved");
  if (registry.approved.empty()) map.reject("approved", "names no status");
  registry.cache = map.duration("cache", registry.cache);
  if (registry.cache > std::chrono::seconds(30)) map.reject("cache", "at most 30s");
  registry.deadline = map.duration("deadline", registry.deadline);
  if (registry.deadline < std::chrono::milliseconds(10) ||
      registry.deadline > std::chrono::seconds(5))
    map.reject("deadline", "10ms to 5s is allowed");
  registry.key = read_bearer(map);
  return registry;
}

ModelGateConfig read_model_gate(const YamlMap& map) {
  ModelGateConfig gate;
  gate.has_list = map.has("models");
  for (const YamlMap& one : map.maps("models"))
    gate.models.push_back({.model = policy::Glob(one.required_text("model")),
                           .provider = policy::Glob(one.text("provider", "*")),
                           .agents = read_globs(one, "agents"),
                           .tenants = read_globs(one, "tenants"),
                           .environments = one.texts("environments")});
  if (gate.models.size() > ModelGateConfig::kMaxModels)
    map.reject("models", "more than 1000 models");
  if (map.has("registry")) gate.registry = read_registry(map.map("registry"));
  if (!gate.has_list && !gate.registry)
    map.reject("", "a model gate without `models` or `registry`: nothing could be approved");
  return gate;
}

}  // namespace

std::string_view name_of(RateOf of) {
  constexpr std::array<std::string_view, kRateKinds> kNames = {"user", "agent", "tool", "tenant"};
  return kNames.at(static_cast<std::size_t>(of));
}

std::string_view name_of(BudgetOf of) {
  constexpr std::array<std::string_view, 4> kNames = {"session", "agent", "user", "tenant"};
  return kNames.at(static_cast<std::size_t>(of));
}

std::string_view name_of(BudgetPer per) {
  constexpr std::array<std::string_view, 3> kNames = {"all", "day", "month"};
  return kNames.at(static_cast<std::size_t>(per));
}

std::vector<Price> read_price_list(const YamlMap& map, const std::string& key) {
  std::vector<Price> prices;
  for (const YamlMap& one : map.maps(key)) prices.push_back(read_price(one));
  if (prices.size() > PriceConfig::kMaxPrices) map.reject(key, "more than 5000 prices");
  return prices;
}

Result<PriceConfig> load_price_file(const std::string& path) {
  AISPM_TRY(const YamlMap root, YamlMap::load(path));
  PriceConfig config;
  config.file = path;
  config.date = root.required_text("date");
  config.source = root.required_text("source");
  config.prices = read_price_list(root, "prices");
  AISPM_CHECK(root.finish());
  return config;
}

UseConfig read_use(const YamlMap& root, const YamlMap& limits, const std::string& state_folder) {
  UseConfig use;
  if (limits.has("rates")) use.rates = read_rates(limits.map("rates"));
  if (limits.has("budgets")) use.budgets = read_budgets(limits.map("budgets"), state_folder);
  use.prompt_bytes = limits.size_bytes("prompt", 0, 64U << 20);
  use.prices = read_prices(root.map("prices"));
  if (root.has("model_gate")) use.model_gate = read_model_gate(root.map("model_gate"));
  return use;
}

}  // namespace aispm::gateway
