// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/policy_orders.hpp"

#include <gmock/gmock.h>

#include "sdk/core/model/order_yaml.hpp"
#include "sdk/core/report/order_convert.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kRules =
    "rules:\n"
    "  - {id: shells, mode: enforce, agent: '*', programs: [bash, sh], reason: No shells}\n"
    "  - {id: egress, mode: enforce, egress: [192.0.2.1]}\n"
    "  - {id: watch, agent: 'bob/x', raw_sockets: true}\n";

pb::PolicySnapshot::Assigned* assign(pb::PolicySnapshot& snapshot, const std::string& id,
                                     const std::string& rules,
                                     pb::PolicyStage stage = pb::POLICY_STAGE_ENFORCED) {
  auto* const policy = snapshot.add_policies();
  policy->set_policy_id(id);
  policy->set_version(3);
  policy->set_stage(stage);
  auto* const file = policy->add_files();
  file->set_path("sensor.yaml");
  file->set_content(rules);
  return policy;
}

std::vector<std::string> subjects(const PolicyOrders& given) {
  std::vector<std::string> names;
  for (const pb::Order& order : given.orders)
    names.push_back((order.mode() == pb::ORDER_MODE_ENFORCE ? "!" : "?") +
                    order.match().agent_id());
  return names;
}

TEST(PolicyOrders, AreTheRulesOfTheBundle) {
  pb::PolicySnapshot snapshot;
  assign(snapshot, "p", kRules);
  snapshot.add_policies()->set_policy_id("says nothing to sensors");
  const PolicyOrders given = orders_of(snapshot, "acme", 9);
  EXPECT_THAT(subjects(given), ElementsAre("!*", "!", "?bob/x"));
  ASSERT_EQ(given.policies.size(), 1U);
  EXPECT_EQ(given.policies[0].problem, "");
  EXPECT_THAT(given.orders[0].programs(), ElementsAre("bash", "sh"));
  EXPECT_EQ(given.orders[0].reason(), "No shells");
  EXPECT_EQ(given.orders[0].created_by(), "policy p@3, rule shells");
  EXPECT_EQ(given.orders[0].id(), orders_of(snapshot, "acme", 9).orders[0].id());
}

TEST(PolicyOrders, OfAMonitoredPolicyEnforceNothing) {
  pb::PolicySnapshot snapshot;
  assign(snapshot, "p", kRules, pb::POLICY_STAGE_MONITOR);
  EXPECT_THAT(subjects(orders_of(snapshot, "acme", 9)), ElementsAre("?*", "?", "?bob/x"));
}

TEST(PolicyOrders, AreAboutThePolicysAgentsAlone) {
  pb::PolicySnapshot snapshot;
  auto* const scope = assign(snapshot, "p", kRules)->mutable_scope();
  scope->add_agents("alice/*");
  scope->add_agents("bob/?");
  EXPECT_THAT(subjects(orders_of(snapshot, "acme", 9)),
              ElementsAre("!alice/*", "!bob/?", "!alice/*", "!bob/?", "?bob/x"));
}

TEST(PolicyOrders, WhereGlobsMayMeetThePolicysAgentsAreMeant) {
  pb::PolicySnapshot snapshot;
  assign(snapshot, "p", "rules: [{id: a, agent: '*/codex', raw_sockets: true}]")
      ->mutable_scope()
      ->add_agents("alice/*");
  EXPECT_THAT(subjects(orders_of(snapshot, "acme", 9)), ElementsAre("?alice/*"));
}

TEST(PolicyOrders, NeverReachBeyondThePolicysAgents) {
  const auto agents = [](const std::string& own, const std::string& scope,
                         const std::string& action = "block") {
    pb::PolicySnapshot snapshot;
    assign(snapshot, "p",
           "rules: [{id: a, action: " + action + ", agent: '" + own + "', domain: x.example}]")
        ->mutable_scope()
        ->add_agents(scope);
    return subjects(orders_of(snapshot, "acme", 9));
  };
  EXPECT_THAT(agents("*", "?"), ElementsAre("??"));
  EXPECT_THAT(agents("?", "*"), ElementsAre("??"));
  EXPECT_THAT(agents("a?", "a*"), ElementsAre("?a?"));
  EXPECT_THAT(agents("?*", "*"), ElementsAre("??*"));
  EXPECT_THAT(agents("a*", "b"), IsEmpty());
  EXPECT_THAT(agents("a", "b*"), IsEmpty());
  EXPECT_THAT(agents("*/x", "a/*"), ElementsAre("?a/*"));
  // An exception that may or may not be meant is none.
  EXPECT_THAT(agents("*/x", "a/*", "allow"), IsEmpty());
  EXPECT_THAT(agents("a/x", "a/*", "allow"), ElementsAre("?a/x"));
}

TEST(PolicyOrders, AreNotForOtherTenants) {
  pb::PolicySnapshot snapshot;
  assign(snapshot, "p", kRules)->mutable_scope()->add_tenants("other");
  EXPECT_THAT(orders_of(snapshot, "acme", 9).policies, IsEmpty());
}

TEST(PolicyOrders, WithoutRoomAPolicyIsLeftOutAsAWhole) {
  pb::PolicySnapshot snapshot;
  assign(snapshot, "first", kRules);
  assign(snapshot, "second", kRules);
  assign(snapshot, "bad", "rules: [{id: a, colour: red}]");
  const PolicyOrders given = orders_of(snapshot, "acme", 5);
  EXPECT_EQ(given.orders.size(), 3U);
  EXPECT_EQ(given.policies[0].problem, "");
  EXPECT_THAT(given.policies[1].problem, HasSubstr("room for 2 more"));
  EXPECT_THAT(given.policies[2].problem, HasSubstr("sensor.yaml:1"));
}

TEST(PolicyOrders, ASensorsWordOnOrdersIsItsWordOnPolicies) {
  pb::PolicySnapshot snapshot;
  assign(snapshot, "p", kRules);
  assign(snapshot, "bad", "rules: [{id: a, colour: red}]");
  const PolicyOrders given = orders_of(snapshot, "acme", 9);
  pb::AckOrdersRequest word;
  word.add_states()->set_order_id("of an operator");
  const auto early = policy_states(given, word);
  ASSERT_EQ(early.states_size(), 1) << "nothing was said of p yet";
  EXPECT_EQ(early.states(0).policy_id(), "bad");
  EXPECT_NE(early.states(0).problem(), "");
  for (const pb::Order& order : given.orders) word.add_states()->set_order_id(order.id());
  EXPECT_EQ(policy_states(given, word).states(0).problem(), "");
  EXPECT_EQ(policy_states(given, word).states(0).version(), 3U);
  word.mutable_states(2)->set_problem("needs BPF LSM");
  EXPECT_EQ(policy_states(given, word).states(0).problem(), "needs BPF LSM");
}

TEST(PolicyOrders, AreHeldToWhatOrdersMustBe) {
  const auto rules = [](const std::string& text) {
    return must(model::parse_bundle_orders("rules: [" + text + "]", "sensor.yaml"));
  };
  EXPECT_TRUE(check_sensor_orders(rules("{id: a, agent: x, action: kill}")));
  const auto refused = check_sensor_orders(rules("{id: a, action: kill}"));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("rule a: match: quarantine and kill need"));
}

TEST(BundleOrders, SayTheLineThatIsWrong) {
  for (const auto& [text, wrong] : std::vector<std::pair<std::string, std::string>>{
           {"rules:\n  - {agent: a}\n", "sensor.yaml:2"},
           {"rules:\n  - {id: a}\n  - {id: a}\n", "sensor.yaml:3"},
           {"rules: [{id: a, ports: [0]}]", "1..65535"},
           {"rules: [{id: a, mode: perhaps}]", "monitor"}}) {
    const auto orders = model::parse_bundle_orders(text, "sensor.yaml");
    ASSERT_FALSE(orders) << text;
    EXPECT_THAT(orders.error().message, HasSubstr(wrong));
  }
  std::string many = "rules:\n";
  for (std::size_t i = 0; i <= model::kMaxBundleOrders; ++i)
    many += "  - {id: a" + std::to_string(i) + "}\n";
  EXPECT_FALSE(model::parse_bundle_orders(many, "sensor.yaml"));
}

TEST(BundleOrders, SurviveTheWire) {
  const auto order = must(model::parse_bundle_orders(
      "rules: [{id: a, action: block, mode: enforce, agent: x, exe: /bin/x, user: u, cgroup: c, "
      "container: 0123456789ab, addresses: [192.0.2.1], ports: [443], domain: d.example, "
      "provider: openai, model: m, raw_sockets: true, kernel_writes: true, tamper: true, "
      "programs: [p], write_folders: [/w], approved: [/a], egress: [e.example], detection: secret, "
      "kill: true, refuse: true, reason: r}]",
      "sensor.yaml"))[0];
  const pb::Order sent = report::to_proto(order);
  EXPECT_EQ(report::to_proto(must(report::from_proto(sent))).SerializeAsString(),
            sent.SerializeAsString());
  EXPECT_EQ(sent.match().container_id(), "0123456789ab");
  EXPECT_TRUE(sent.kill() && sent.refuse() && sent.tamper() && sent.kernel_writes());
}

}  // namespace
}  // namespace aispm::collector::test
