// SPDX-License-Identifier: Apache-2.0
// GW-045: what a call costs, or that nobody knows. GW-056: the forms of refusals.
#include "gateway/proxy/limits/price_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/proxy/wire_error.hpp"

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kPrices = std::string(AISPM_SOURCE_DIR) + "/policies/prices.yaml";

TEST(PriceTable, KnowsModelsByNameAndByDateAndSaysNothingOfOthers) {
  const auto loaded = load_price_file(kPrices);
  ASSERT_TRUE(loaded) << loaded.error().message;
  const PriceTable prices(*loaded);
  const Price* const price = prices.find("openai", "gpt-4o-mini");
  ASSERT_NE(price, nullptr);
  EXPECT_EQ(price->input, 150'000U);
  EXPECT_EQ(prices.find("openai", "gpt-4o-mini-2024-07-18"), price);
  EXPECT_EQ(prices.find("anthropic", "claude-sonnet-4-20250514"),
            prices.find("anthropic", "claude-sonnet-4"));
  EXPECT_EQ(prices.find("openai", "gpt-4o-mini-audio-preview"), nullptr);
  EXPECT_EQ(prices.find("openai", "no-such-model"), nullptr);
  EXPECT_EQ(prices.find("openai-compatible", "gpt-4o-mini"), nullptr)
      << "what another host takes for it nobody has said";
}

TEST(PriceTable, TakesTheOperatorsOwnPriceFirst) {
  const PriceTable prices({.file = "",
                           .prices = {{.model = "local-*", .input = 0, .output = 0},
                                      {.model = "m", .provider = "openai", .input = 1},
                                      {.model = "m", .input = 2}}});
  EXPECT_EQ(prices.find("openai", "m")->input, 1U);
  EXPECT_EQ(prices.find("ollama", "m")->input, 2U);
  ASSERT_NE(prices.find("ollama", "local-7b"), nullptr) << "said to cost nothing";
}

TEST(PriceTable, CountsCachedTokensAtTheirOwnPriceAndRoundsUp) {
  const Price price{.model = "m",
                    .provider = "",
                    .input = 3'000'000,
                    .output = 15'000'000,
                    .cached = 300'000,
                    .cache_write = 3'750'000};
  EXPECT_EQ(cost_of(price, {.input_tokens = 1000, .output_tokens = 100}), 4'500'000U);
  EXPECT_EQ(cost_of(price, {.input_tokens = 1000,
                            .output_tokens = 0,
                            .cached_tokens = 600,
                            .cache_written_tokens = 300}),
            100U * 3000 + 600U * 300 + 300U * 3750);
  EXPECT_EQ(cost_of({.model = "m", .provider = "", .input = 1}, {.input_tokens = 1}), 1U);
  EXPECT_EQ(cost_of(price, {.input_tokens = UINT64_MAX, .output_tokens = UINT64_MAX}), UINT64_MAX);
}

TEST(EstimateInput, TakesBase64OfNoKnownKindForText) {
  const auto tokens = [](const std::string& text) {
    codec::LlmRequest request;
    request.parts.push_back({.surface = codec::Surface::kMedia, .text = text, .span = {}});
    return estimate_input(request);
  };
  EXPECT_EQ(tokens(std::string(400, 'a')), 100U);
  EXPECT_EQ(tokens("data:text/plain;base64," + std::string(377, 'a')), 100U);
  const std::string more(40'000, 'A');
  for (const char* const head :
       {"iVBORw0KGgoAAAANSUhE", "JVBERi0xLjQKAAAA", "UklGRgAAAABXQVZF", "SUQzAAAAAAAAAAAA",
        "AAAAIGZ0eXBpc29tAAAA", "//uQAAAAAAAAAAAA", "data:audio/pcm;base64,"})
    EXPECT_EQ(tokens(std::string(head) + more), 1000U) << head;
}

// GW-056: which status and code a client sees for what.
TEST(WireError, HasAStatusAndACodeOfItsOwnForEachKindOfRefusal) {
  struct Case {
    RefusalKind kind;
    Dialect dialect;
    int status;
    std::string code;
    bool may_retry;
  };
  const std::vector<Case> cases = {
      {RefusalKind::kPolicy, Dialect::kOpenAi, 400, "aispm_deny", false},
      {RefusalKind::kModel, Dialect::kOpenAi, 403, "model_not_approved", false},
      {RefusalKind::kModel, Dialect::kAnthropic, 403, "model_not_approved", false},
      {RefusalKind::kRateLimited, Dialect::kOpenAi, 429, "rate_limit_exceeded", true},
      {RefusalKind::kRateLimited, Dialect::kAnthropic, 429, "rate_limit_exceeded", true},
      {RefusalKind::kBudget, Dialect::kOpenAi, 429, "budget_exceeded", false},
      {RefusalKind::kBudget, Dialect::kOllama, 429, "budget_exceeded", false},
      {RefusalKind::kBudget, Dialect::kAnthropic, 402, "budget_exceeded", false},
      {RefusalKind::kTooLarge, Dialect::kOpenAi, 413, "aispm_too_large", false},
      {RefusalKind::kUnrecorded, Dialect::kOpenAi, 503, "aispm_not_recorded", true},
      {RefusalKind::kNotReady, Dialect::kOpenAi, 503, "aispm_not_ready", true}};
  for (const Case& one : cases) {
    const Refusal refusal{.kind = one.kind,
                          .message = "m",
                          .decision = "deny",
                          .case_id = "c",
                          .headers = "a: b\r\n"};
    const std::string reply = error_reply(one.dialect, refusal, true);
    EXPECT_EQ(status_of(one.kind, one.dialect), one.status) << one.code;
    EXPECT_THAT(reply, HasSubstr("HTTP/1.1 " + std::to_string(one.status) + " ")) << one.code;
    EXPECT_THAT(reply, HasSubstr("\r\na: b\r\n")) << one.code;
    if (one.dialect != Dialect::kOllama) {
      EXPECT_THAT(reply, HasSubstr("\"" + one.code + "\""));
    }
    if (one.may_retry)
      EXPECT_THAT(reply, Not(HasSubstr("x-should-retry"))) << one.code;
    else
      EXPECT_THAT(reply, HasSubstr("x-should-retry: false")) << one.code;
  }
}

}  // namespace
}  // namespace aispm::gateway
