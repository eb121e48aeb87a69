// SPDX-License-Identifier: Apache-2.0
// POL-022, POL-026, MCP-017: simulation and explanation look at the collector's registry.
#include <gmock/gmock.h>

#include "sdk/core/policy/explain.hpp"
#include "sdk/core/policy/registry_load.hpp"
#include "sdk/core/policy/replay.hpp"

namespace aispm::policy {
namespace {

using testing::HasSubstr;
using v1::Decision;

constexpr WallTime kNow{1'780'000'000'000'000'000};
const std::string kHash(64, 'a');
const std::string kOtherHash(64, 'b');

std::shared_ptr<const RegistryPart> registry_of_text(const std::string& text) {
  auto registry = registry_of({{"registry.yaml", text}});
  EXPECT_TRUE(registry) << registry.error().message;
  return *registry;
}

std::shared_ptr<const Bundle> candidate(
    const std::string& registry,
    const std::string& actions = "defaults: {outcome: allow}\nrules: []\n") {
  BundleOptions options;
  options.registry = registry_of_text(registry);
  auto bundle = Bundle::compile({{"actions.yaml", actions}}, options);
  EXPECT_TRUE(bundle) << bundle.error().message;
  return *bundle;
}

v1::Event action(const std::string& tool, const std::string& rule = "old",
                 const std::string& agent = "alice/bot") {
  v1::Event event;
  event.set_id("e1");
  event.set_agent_id(agent);
  event.mutable_action_call()->set_tool(tool);
  event.mutable_action_call()->set_surface("reply");
  event.mutable_action_call()->set_arguments_text("{}");
  event.mutable_decision()->set_outcome(Decision::OUTCOME_ALLOW);
  event.mutable_decision()->set_mode("enforce");
  event.mutable_decision()->set_rule_id(rule);
  return event;
}

// The rule by which the candidate decides otherwise; "" = it does not.
std::string flipped_by(const std::shared_ptr<const Bundle>& bundle, const v1::Event& event) {
  Replay replay(bundle, nullptr, {Glob("*"), kNow});
  replay.add(event);
  const v1::Simulation report = replay.report();
  EXPECT_EQ(report.not_judged_size(), 0);
  return report.flips_size() == 0 ? "" : report.flips(0).rule_id();
}

TEST(ReplayRegistry, ABlockedToolIsDeniedWhateverTheCandidateSays) {
  const auto bundle = candidate("tools:\n  - {name: rm_all, blocked: true}\n");
  EXPECT_EQ(flipped_by(bundle, action("rm_all")), "tools.blocked");
  EXPECT_EQ(flipped_by(bundle, action("read_all")), "");
}

TEST(ReplayRegistry, ADefinitionThatNobodyApprovedIsDenied) {
  const auto bundle = candidate("tools:\n  - {name: mail, pins: [{description: " + kHash +
                                ", schema: " + kHash + "}]}\n");
  v1::Event event = action("mail");
  event.mutable_action_call()->set_description_sha256(kHash);
  event.mutable_action_call()->set_schema_sha256(kHash);
  EXPECT_EQ(flipped_by(bundle, event), "");
  event.mutable_action_call()->set_description_sha256(kOtherHash);
  EXPECT_EQ(flipped_by(bundle, event), "tools.changed");
}

TEST(ReplayRegistry, ABlockedOrExpiredAgentIsDenied) {
  const char* const blocked = "agents:\n  - {agent: alice/bot, blocked: true, reason: left}\n";
  EXPECT_EQ(flipped_by(candidate(blocked), action("x")), "agent.blocked");
  EXPECT_EQ(flipped_by(candidate(blocked), action("x", "old", "bob")), "");
  EXPECT_EQ(
      flipped_by(candidate("agents:\n  - {agent: alice/bot, expires_at: 2020-01-01T00:00:00Z}\n"),
                 action("x")),
      "agent.expired");
}

TEST(ReplayRegistry, RightsAreThoseOfTheRegistryWhereItGrantsSome) {
  const char* const admins =
      "rules:\n  - {id: admins, match: {tool: x, roles: [admin]}, outcome: allow}\n";
  v1::Event event = action("x");
  event.mutable_action_call()->add_roles("admin");
  EXPECT_EQ(flipped_by(candidate("agents: []\n", admins), event), "") << "as it was recorded";
  EXPECT_EQ(flipped_by(candidate("agents:\n  - {agent: alice/bot, trust: basic}\n", admins), event),
            "defaults");
  v1::Event plain = action("x");
  EXPECT_EQ(flipped_by(candidate("agents:\n  - {agent: alice/bot, trust: basic, roles: [admin]}\n",
                                 admins),
                       plain),
            "");
  EXPECT_EQ(
      flipped_by(candidate("agents:\n  - {agent: alice/bot, blocked: false}\n", admins), event), "")
      << "an entry without rights takes none";
}

TEST(ExplainRegistry, NamesTheEntryThatDecided) {
  const auto registry = registry_of_text(
      "tools:\n  - {name: rm_all, blocked: true, reason: It lies}\n"
      "agents:\n  - {agent: alice/bot, blocked: true, reason: left}\n"
      "  - {agent: bob/bot, expires_at: 2020-01-01T00:00:00Z}\n");
  const auto bundle = candidate("tools: []\n");
  const auto explain = [&](const v1::Event& event) {
    return explain_action(bundle.get(), event, registry.get());
  };
  const v1::Explanation tool = explain(action("rm_all", "tools.blocked"));
  EXPECT_EQ(tool.place(), "registry.yaml");
  EXPECT_THAT(tool.held(0), HasSubstr("`rm_all` is blocked: It lies"));
  EXPECT_EQ(tool.gaps_size(), 0);
  EXPECT_THAT(explain(action("x", "agent.blocked")).held(0),
              HasSubstr("`alice/bot` is blocked: left"));
  EXPECT_THAT(explain(action("x", "agent.expired", "bob/bot")).held(0), HasSubstr("2020-01-01"));
  // Whoever acts for it is refused for it: the reason names it.
  v1::Event handed = action("x", "agent.blocked", "carol/bot");
  handed.mutable_decision()->set_reason("alice/bot: left");
  EXPECT_THAT(explain(handed).held(0), HasSubstr("alice/bot"));
  EXPECT_THAT(explain(action("x", "registry.silent")).held(0),
              HasSubstr("no policy is for this agent"));
  // What the registry did not decide is not said to be its.
  EXPECT_EQ(explain(action("other", "tools.blocked")).place(), "");
  EXPECT_EQ(explain_action(nullptr, action("rm_all", "tools.blocked"), registry.get()).place(),
            "registry.yaml");
}

}  // namespace
}  // namespace aispm::policy
