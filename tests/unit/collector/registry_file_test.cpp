// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/registry_file.hpp"

#include <gmock/gmock.h>

#include "sdk/core/policy/registry_part.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::api {
namespace {

using test::at;
using test::must;
using testing::ElementsAre;

TEST(RegistryFile, SaysToGatewaysWhatWasDecided) {
  pb::RegisteredTool tool;
  tool.set_name("send: \"*\" \xc3\xa4\n- x");
  tool.set_provider("mail # server");
  tool.set_state("blocked");
  tool.set_reason("It 'lies'");
  tool.mutable_facts()->set_scope("gmail:send");
  tool.mutable_facts()->set_posture_below(0.25);
  tool.add_definitions()->set_description_sha256(std::string(64, 'a'));
  pb::RegisteredAgent agent;
  agent.set_agent_id("alice/x");
  agent.mutable_rights()->set_trust("verified");
  agent.mutable_rights()->add_roles("support");
  agent.mutable_rights()->mutable_attested_until()->set_seconds(1'800'000'000);
  agent.mutable_expires()->set_seconds(1'900'000'000);
  pb::RegisteredAgent blocked;
  blocked.set_agent_id("bob");
  blocked.set_state("blocked");
  const auto part =
      must(policy::RegistryPart::parse(registry_file({tool}, {agent, blocked}), "registry.yaml"));
  ASSERT_EQ(part->tools().size(), 1U);
  const policy::Tool& read = part->tools()[0];
  EXPECT_EQ(read.name.text(), tool.name());
  EXPECT_EQ(read.provider.text(), tool.provider());
  EXPECT_TRUE(read.is_blocked);
  EXPECT_EQ(read.blocked_reason, "It 'lies'");
  EXPECT_EQ(read.scope, "gmail:send");
  EXPECT_EQ(read.pins.size(), 1U);
  ASSERT_EQ(part->agents().size(), 2U);
  EXPECT_TRUE(part->agents()[0].has_rights);
  EXPECT_THAT(part->agents()[0].facts.roles, ElementsAre("support"));
  EXPECT_EQ(part->agents()[0].expires->nanoseconds, 1'900'000'000'000'000'000);
  EXPECT_FALSE(part->agents()[1].has_rights);
  EXPECT_TRUE(part->agents()[1].is_blocked);
}

TEST(RegistryFile, IsReadWithNothingInIt) {
  EXPECT_TRUE(
      must(policy::RegistryPart::parse(registry_file({}, {}), "registry.yaml"))->tools().empty());
}

// Parts as "name points".
std::vector<std::string> parts(const pb::RegisteredAgent& agent) {
  std::vector<std::string> told;
  for (const auto& part : agent.trust_parts())
    told.push_back(part.name() + " " + std::to_string(part.points()));
  return told;
}

TEST(TrustParts, AddUpToTheScore) {  // POL-027
  pb::RegisteredAgent agent;
  agent.mutable_rights()->set_trust("privileged");
  agent.mutable_rights()->set_environment("prod");
  score_trust(&agent, 4, 3, at(0));
  EXPECT_EQ(agent.trust_score(), 75U - 10 - 5 - 15);
  EXPECT_EQ(agent.trust_level(), "basic");
  EXPECT_THAT(parts(agent), ElementsAre("level privileged 75", "no attestation in production -10",
                                        "hour 3 -5", "denials in a row -15"));
}

TEST(TrustParts, TellOfAnAttestationThatIsOver) {
  pb::RegisteredAgent agent;
  agent.mutable_rights()->set_trust("verified");
  agent.mutable_rights()->mutable_attested_until()->set_seconds(1);
  score_trust(&agent, 3, 12, at(0));
  EXPECT_EQ(agent.trust_score(), 30U);
  EXPECT_THAT(parts(agent), ElementsAre("level verified 50", "attestation expired -20"));
}

}  // namespace
}  // namespace aispm::collector::api
