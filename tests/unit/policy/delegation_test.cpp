// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/delegation.hpp"

#include <gmock/gmock.h>

namespace aispm::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const AgentRights kLead{
    "lead", {"support", "finance"}, {"gmail:read", "db:query"}, TrustLevel::kVerified};
const AgentRights kWorker{
    "worker", {"finance", "admin"}, {"db:query", "file:write"}, TrustLevel::kPrivileged};

TEST(Delegation, AChildHasNoRightThatItsParentLacks) {  // POL-029
  const std::vector<AgentRights> chain = {kLead, kWorker};
  const Delegated result = delegate_rights(chain);
  EXPECT_FALSE(result.is_denied());
  EXPECT_EQ(result.depth, 1U);
  EXPECT_EQ(result.rights.agent, "worker");
  EXPECT_THAT(result.rights.roles, ElementsAre("finance"));
  EXPECT_THAT(result.rights.scopes, ElementsAre("db:query"));
  EXPECT_EQ(result.rights.trust, TrustLevel::kVerified);
  const std::vector<AgentRights> alone = {kWorker};
  EXPECT_THAT(delegate_rights(alone).rights.roles, ElementsAre("finance", "admin"));
}

TEST(Delegation, EveryAgentOfTheChainCuts) {  // POL-029
  AgentRights between = kWorker;
  between.agent = "between";
  between.roles = {"admin"};
  const std::vector<AgentRights> chain = {kLead, between, kWorker};
  EXPECT_THAT(delegate_rights(chain).rights.roles, IsEmpty());
}

TEST(Delegation, TooDeepOrInACircleHasNoRights) {  // POL-029
  std::vector<AgentRights> chain;
  for (int i = 0; i < 4; ++i) {
    chain.push_back(kLead);
    chain.back().agent = std::to_string(i);
  }
  EXPECT_FALSE(delegate_rights(chain).is_denied()) << "three steps";
  chain.push_back(kLead);
  const Delegated deep = delegate_rights(chain);
  EXPECT_TRUE(deep.is_too_deep);
  EXPECT_THAT(deep.rights.roles, IsEmpty());
  EXPECT_EQ(deep.rights.trust, TrustLevel::kUntrusted);
  EXPECT_FALSE(delegate_rights(chain, 4).is_denied());
  const std::vector<AgentRights> circle = {kLead, kWorker, kLead};
  EXPECT_TRUE(delegate_rights(circle).is_circle);
  EXPECT_THAT(delegate_rights(circle).rights.scopes, IsEmpty());
  EXPECT_TRUE(delegate_rights(std::vector<AgentRights>(65, kLead), 1000).is_denied());
  // The trust score sees the same depth: 25 points less.
  TrustFacts facts{.registered = TrustLevel::kSystem, .is_attested = true};
  const int before = evaluate_trust(facts).score;
  facts.delegation_depth = deep.depth;
  EXPECT_EQ(evaluate_trust(facts).score, before - 25);
}

}  // namespace
}  // namespace aispm::policy
