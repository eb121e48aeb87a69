// SPDX-License-Identifier: Apache-2.0
// POL-019: policies that are only watched are recorded as such, and nothing of them is lost
// silently.
#include <gmock/gmock.h>

#include "gateway/proxy/decide/action_gate.hpp"
#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {
namespace {

using model::Outcome;

std::shared_ptr<const PolicyView> denying_bundle(bool enforced) {
  auto bundle = policy::Bundle::compile(
      {{"actions.yaml", "rules: [{id: no, match: {tool: '*'}, outcome: deny}]"}});
  EXPECT_TRUE(bundle) << bundle.error().message;
  return PolicyView::make("test", *bundle, enforced);
}

struct Watching {
  ScanContext context = make_context();
  ActionGate gate;
  explicit Watching(PolicySet policies, AgentFacts facts = {}, unsigned depth = 0)
      : gate(context, std::move(policies),
             {.agent_id = "bob/agent",
              .tenant = {},
              .session_id = {},
              .facts = std::move(facts),
              .surface = "api",
              .provider = {},
              .model = {},
              .delegation_depth = depth},
             {}) {}
};

std::shared_ptr<const PolicyView> staff_only(bool enforced, const std::string& agents) {
  auto bundle = policy::Bundle::compile({{"actions.yaml",
                                          "defaults: {outcome: deny}\nrules: [{id: staff, match: "
                                          "{roles: [support]}, outcome: allow}]"},
                                         {"agents.yaml", "agents: [" + agents + "]"}});
  EXPECT_TRUE(bundle) << bundle.error().message;
  return PolicyView::make("test", *bundle, enforced);
}

// Once it is enforced its own registry counts: so that is what it is watched by.
TEST(ActionGate, AWatchedPolicyKnowsAgentsByItsOwnRegistry) {
  const auto watched_says = [](const std::string& agents, unsigned depth) {
    AgentFacts facts;
    facts.roles = {"support"};
    Watching watching({.enforced = staff_only(true, "{agent: x, roles: [support]}"),
                       .monitored = {staff_only(false, agents)}},
                      facts, depth);
    EXPECT_EQ(watching.gate.judge({.tool = "x"}).say, ActionGate::Say::kPass);
    return watching.gate.watched().front().verdict.rule_id;
  };
  EXPECT_EQ(watched_says("{agent: bob/agent, roles: [support]}", 0), "staff");
  EXPECT_EQ(watched_says("{agent: bob/agent, roles: [other]}", 0), "defaults");
  EXPECT_EQ(watched_says("{agent: alice/agent, roles: [support]}", 0), "defaults");
  const std::string robot = "{agent: bob/agent, roles: [support], only_delegated: true}";
  EXPECT_EQ(watched_says(robot, 0), "agent.delegation");
  EXPECT_EQ(watched_says(robot, 1), "staff");
  EXPECT_EQ(watched_says("{agent: bob/agent, roles: [support, other]}", 4), "agent.delegation");
}

TEST(ActionGate, RecordsTheActionBesideWhatIsWatched) {
  Watching watching({.enforced = nullptr, .monitored = {denying_bundle(false)}});
  EXPECT_EQ(watching.gate.judge({.tool = "x"}).say, ActionGate::Say::kPass);
  EXPECT_EQ(watching.gate.mode(), "off");
  ASSERT_EQ(watching.gate.watched().size(), 1U);
  EXPECT_EQ(watching.gate.watched().front().verdict.outcome, Outcome::kDeny);
  const JudgedAction& action = watching.gate.actions().front();
  EXPECT_FALSE(action.is_recorded) << "simulations and the inventory read this record alone";
  EXPECT_EQ(action.verdict.outcome, Outcome::kAllow);
  EXPECT_EQ(action.verdict.digest, watching.gate.watched().front().verdict.digest);
  EXPECT_EQ(action.verdict.inputs, watching.gate.watched().front().verdict.inputs);
}

TEST(ActionGate, SaysEnforceOrOffOtherwise) {
  Watching enforced({.enforced = denying_bundle(true), .monitored = {denying_bundle(false)}});
  EXPECT_EQ(enforced.gate.judge({.tool = "x"}).say, ActionGate::Say::kDeny);
  EXPECT_EQ(enforced.gate.mode(), "enforce");
  EXPECT_FALSE(enforced.gate.actions().front().is_recorded);
  Watching off({});
  EXPECT_EQ(off.gate.judge({.tool = "x"}).say, ActionGate::Say::kPass);
  EXPECT_EQ(off.gate.mode(), "off");
  EXPECT_FALSE(off.gate.actions().front().is_recorded);
}

TEST(ActionGate, AsksWatchedPoliciesFurtherQuestions) {
  Watching watching({.enforced = nullptr,
                     .monitored = {staff_only(false, "{agent: bob/agent, roles: [support]}"),
                                   denying_bundle(false)}});
  (void)watching.gate.judge({.tool = "x"});
  watching.gate.judge_watched_further(
      [](const PolicyView&, const ActionContext& who, WallTime) {
        ActionVerdict said;
        said.outcome = who.facts->roles.empty() ? Outcome::kAllow : Outcome::kDeny;
        said.rule_id = "further";
        return said;
      },
      wall_now());
  ASSERT_EQ(watching.gate.watched().size(), 2U);
  EXPECT_EQ(watching.gate.watched()[0].verdict.rule_id, "further") << "by its own registry";
  EXPECT_EQ(watching.gate.watched()[0].verdict.outcome, Outcome::kDeny);
  EXPECT_EQ(watching.gate.watched()[1].verdict.rule_id, "no");
}

TEST(ActionGate, CountsWhatItDoesNotWatchAnyMore) {
  Watching watching({.enforced = nullptr, .monitored = {denying_bundle(false)}});
  for (std::size_t i = 0; i < ActionGate::kMaxWatched + 3; ++i)
    (void)watching.gate.judge({.tool = "x"});
  EXPECT_EQ(watching.gate.watched().size(), ActionGate::kMaxWatched);
  EXPECT_EQ(watching.gate.unwatched(), 3U);
  EXPECT_FALSE(watching.gate.actions().back().is_recorded);
}

}  // namespace
}  // namespace aispm::gateway
