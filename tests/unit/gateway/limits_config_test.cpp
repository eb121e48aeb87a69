// SPDX-License-Identifier: Apache-2.0
// How rates, budgets, prices and the model gate are configured.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/proxy/config.hpp"

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;

constexpr char kGood[] = R"(policy: p.yaml
packs: packs
audit: best_effort
providers:
  - name: openai
    dialect: openai
    origin: https://api.openai.com
)";

TEST(LimitsConfig, IsOffUnlessItIsThere) {
  const auto config = parse_config(kGood, "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FALSE(config->use.rates);
  EXPECT_FALSE(config->use.budgets);
  EXPECT_FALSE(config->use.model_gate);
  EXPECT_TRUE(config->use.prices.prices.empty());
}

TEST(LimitsConfig, HasTheUsualRatesAndBudgets) {
  const auto config = parse_config(std::string(kGood) + R"(limits:
  rates: {agent: {per_minute: 5, burst: 2, except: [{name: 'team/*', per_second: 3}]}}
  budgets:
    state_file: /var/lib/aispm/budgets.json
    list: [{of: session}, {of: tenant}, {of: agent, per: month, usd: 2.5}]
)",
                                   "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  const auto& rules = config->use.rates->rules;
  EXPECT_EQ(rules[0].rate.calls, 70U);
  EXPECT_EQ(rules[1].rate.calls, 7U);
  EXPECT_EQ(rules[1].except.at(0).second.calls, 3U);
  EXPECT_EQ(rules[1].except.at(0).second.window, std::chrono::seconds(1));
  EXPECT_EQ(rules[2].rate.calls, 20U);
  EXPECT_EQ(rules[3].rate.calls, 1000U);
  const auto& budgets = config->use.budgets->budgets;
  EXPECT_EQ(budgets.at(0).limit, 8192U);
  EXPECT_EQ(budgets.at(1).id, "tenant.day.tokens");
  EXPECT_EQ(budgets.at(1).limit, 2'000'000U);
  EXPECT_EQ(budgets.at(2).limit, 2'500'000'000U);
  EXPECT_EQ(budgets.at(2).warn, 0.8);
}

TEST(LimitsConfig, SaysWhatIsWrongAndWhere) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"limits: {rates: {agent: {per_minute: 5, per_second: 5}}}", "not both"},
      {"limits: {rates: {agent: {burst: 5}}}", "stands beside"},
      {"limits: {rates: {robot: {}}}", "robot"},
      {"limits: {budgets: {list: [{of: tenant}]}}", "must outlive the gateway"},
      {"limits: {budgets: {state_file: /a, list: []}}", "no budget"},
      {"limits: {budgets: {state_file: /a, list: [{of: agent}]}}", "without `tokens` or `usd`"},
      {"limits: {budgets: {state_file: /a, list: [{of: tenant}, {of: tenant}]}}", "given twice"},
      {"limits: {budgets: {state_file: /a, list: [{of: session, per: day}]}}", "all its life"},
      {"model_gate: {}", "nothing could be approved"},
      {"model_gate: {registry: {url: 'https://x/y'}}", "{model}"},
      {"model_gate: {registry: {url: 'https://x/{model}', cache: 31s}}", "at most 30s"},
      {"prices: {override: [{model: m, input: 1}]}", "without `output`"},
      {"prices: {file: /no/such/file}", "/no/such/file"}};
  for (const auto& [text, expected] : cases) {
    const auto config = parse_config(std::string(kGood) + text + "\n", "gw.yaml");
    ASSERT_FALSE(config) << text;
    EXPECT_THAT(config.error().message, HasSubstr(expected)) << text;
    EXPECT_THAT(config.error().message, HasSubstr("gw.yaml:")) << text;
  }
}

}  // namespace
}  // namespace aispm::gateway
