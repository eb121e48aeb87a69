// SPDX-License-Identifier: Apache-2.0
// GW-043, GW-045: sums of tokens and money are those of the stored calls, and an unknown cost is no
// 0.
#include <gmock/gmock.h>

#include "gateway/collector/store/inventory_reader.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

constexpr double kDay = 86'400;

pb::Event make_spent(const std::string& agent, const std::string& model, double seconds,
                     std::optional<std::uint64_t> cost) {
  pb::Event event = make_call(pb::SOURCE_GATEWAY, seconds);
  event.set_agent_id(agent);
  event.mutable_llm_call()->set_request_model(model);
  event.mutable_llm_call()->set_status(200);
  if (cost) event.mutable_llm_call()->set_cost_nano_usd(*cost);
  return event;
}

class SpendTest : public ::testing::Test {
 protected:
  SpendTest() {
    pb::Event estimated = make_spent("alice/a", "m2", 2, std::nullopt);
    estimated.mutable_llm_call()->set_tokens_estimated(true);
    pb::Event refused = make_spent("bob/b", "m1", 3, std::nullopt);
    refused.mutable_llm_call()->set_input_tokens(0);
    refused.mutable_llm_call()->set_output_tokens(0);
    bench_.report("gateway",
                  {make_spent("alice/a", "m1", 0, 700), estimated, refused,
                   make_spent("alice/c", "m1", 1, 300), make_spent("bob/b", "m1", -kDay, 5000),
                   make_spent("bob/b", "m1", -40 * kDay, 9000)});
  }
  pb::Spend ask(const std::string& by, std::uint32_t days = 0) {
    pb::GetSpendRequest request;
    request.set_by(by);
    request.set_days(days);
    store::InventoryReader reader(bench_.database());
    return must(reader.spend(request, at(10)));
  }
  static std::vector<std::pair<std::string, std::uint64_t>> costs(const pb::Spend& spend) {
    std::vector<std::pair<std::string, std::uint64_t>> rows;
    for (const auto& row : spend.rows()) rows.emplace_back(row.name(), row.cost_nano_usd());
    return rows;
  }

  Bench bench_;
};

using ::testing::ElementsAre;
using ::testing::Pair;

TEST_F(SpendTest, SumsByAgentUserModelProviderAndDayTheDearestFirst) {
  EXPECT_THAT(costs(ask("")),
              ElementsAre(Pair("bob/b", 5000), Pair("alice/a", 700), Pair("alice/c", 300)));
  EXPECT_THAT(costs(ask("user")), ElementsAre(Pair("bob", 5000), Pair("alice", 1000)));
  EXPECT_THAT(costs(ask("model")), ElementsAre(Pair("m1", 6000), Pair("m2", 0)));
  EXPECT_THAT(costs(ask("provider")), ElementsAre(Pair("openai", 6000)));
  EXPECT_THAT(costs(ask("day")), ElementsAre(Pair("2026-11-18", 1000), Pair("2026-11-17", 5000)));
  EXPECT_THAT(costs(ask("agent", 90)),
              ElementsAre(Pair("bob/b", 14'000), Pair("alice/a", 700), Pair("alice/c", 300)));
}

TEST_F(SpendTest, CountsWhatHasNoPriceAndWhatIsEstimated) {
  const pb::Spend spend = ask("model", 1);
  EXPECT_EQ(spend.days(), 1U);
  EXPECT_EQ(spend.total().calls(), 4U);
  EXPECT_EQ(spend.total().input_tokens(), 30U);
  EXPECT_EQ(spend.total().output_tokens(), 15U);
  EXPECT_EQ(spend.total().cost_nano_usd(), 1000U);
  EXPECT_EQ(spend.total().unpriced_calls(), 1U) << "a call that used nothing costs nothing";
  EXPECT_EQ(spend.total().estimated_calls(), 1U);
}

TEST_F(SpendTest, SaysWhatMayBeAsked) {
  store::InventoryReader reader(bench_.database());
  pb::GetSpendRequest request;
  request.set_by("colour");
  EXPECT_EQ(reader.spend(request, at(0)).error().code, Errc::kInvalid);
  request.set_by("day");
  request.set_days(91);
  EXPECT_EQ(reader.spend(request, at(0)).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace aispm::collector::test
