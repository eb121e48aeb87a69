// SPDX-License-Identifier: Apache-2.0
#include "sensor/decide/decider.hpp"

#include <gtest/gtest.h>

#include "sensor/decide/address.hpp"

namespace aispm::sensor {
namespace {

using model::Order;
using model::OrderAction;

constexpr WallTime kNow{1'000'000'000'000};

class DeciderTest : public ::testing::Test {
 protected:
  static DecideLookups lookups() {
    return {[](const std::string& user) -> std::optional<std::uint32_t> {
              return user == "alice" ? std::optional<std::uint32_t>(1001) : std::nullopt;
            },
            [](const std::string& path) -> std::optional<std::uint64_t> {
              return path == "/agents" ? std::optional<std::uint64_t>(77) : std::nullopt;
            },
            [](const std::string& provider) {
              return provider == "openai"
                         ? std::vector<std::string>{"api.openai.com", "*.openai.azure.com"}
                         : std::vector<std::string>();
            }};
  }
  static Protected protects() { return {{"/usr/sbin/sshd"}, {}}; }

  Order order(OrderAction action = OrderAction::kBlock) {
    Order made;
    made.id = "order-" + std::to_string(++count_);
    made.action = action;
    made.enforces = true;
    return made;
  }
  static model::ProcessId id(std::uint32_t pid) { return {pid, {pid * 1'000'000'000ULL + 7}}; }
  void start(std::uint32_t pid, std::uint32_t parent, const std::string& exe,
             const std::string& agent = "", std::uint32_t uid = 1000) {
    Decider::Known known;
    known.parent = id(parent);
    known.uid = uid;
    known.user = uid == 1001 ? "alice" : "bob";
    known.exe = exe;
    known.agent_id = agent;
    decider.on_process(id(pid), known);
  }
  // The first order's bit.
  std::size_t bit(const Order& of) {
    const RuleMask mask = decider.rule_of(of.id);
    for (std::size_t i = 0; i < AISPM_RULES; ++i)
      if (mask.has(i)) return i;
    ADD_FAILURE() << of.id << " has no bit";
    return 0;
  }
  bool concerns(std::uint32_t pid, const Order& of) {
    (void)decider.tables();
    const Subject* subject = decider.subject_of(id(pid));
    return subject != nullptr && subject->rules.has(bit(of));
  }
  std::string problem(const Order& of) {
    const auto problems = decider.set_orders({of}, kNow);
    const auto found = problems.find(of.id);
    return found == problems.end() ? "" : found->second;
  }

  Decider decider{lookups(), protects()};
  int count_ = 0;
};

TEST_F(DeciderTest, OrdersThatFitEverythingAreRefused) {
  EXPECT_NE(problem(order()), "");
  EXPECT_NE(problem(order(OrderAction::kKill)), "");
  EXPECT_NE(problem(order(OrderAction::kUnspecified)), "");
  Order by_pid = order(OrderAction::kKill);
  by_pid.match.process = {5, {}};
  EXPECT_NE(problem(by_pid), "") << "pids are used again";
  Order unknown = order();
  unknown.match.provider = "nobody";
  EXPECT_NE(problem(unknown), "");
}

TEST_F(DeciderTest, SEN_023_AnAgentsTreeIsConcernedAndNobodyElse) {
  Order block = order();
  block.match.agent_id = "*/codex";
  start(10, 1, "/usr/bin/node", "alice/codex");
  start(11, 10, "/bin/sh");
  start(12, 11, "/usr/bin/curl");
  start(20, 1, "/usr/bin/curl");
  EXPECT_EQ(problem(block), "");
  EXPECT_TRUE(concerns(10, block));
  EXPECT_TRUE(concerns(12, block));
  EXPECT_FALSE(concerns(20, block));
  start(13, 12, "/usr/bin/wget");  // starts later
  EXPECT_TRUE(concerns(13, block));
}

TEST_F(DeciderTest, WhoWasGivenToAnotherParentBelongsToItsStarterToo) {
  Order block = order();
  block.match.agent_id = "*/codex";
  start(10, 1, "/usr/bin/node", "alice/codex");
  Decider::Known orphan;
  orphan.parent = id(1);
  orphan.starter = id(10);
  decider.on_process(id(11), orphan);
  start(12, 11, "/usr/bin/curl");
  start(13, 1, "/usr/bin/curl");
  EXPECT_EQ(problem(block), "");
  EXPECT_TRUE(concerns(11, block));
  EXPECT_TRUE(concerns(12, block));
  EXPECT_FALSE(concerns(13, block));
}

TEST_F(DeciderTest, AllFieldsAboutAProcessMustFit) {
  Order block = order();
  block.match.exe = "/usr/bin/node";
  block.match.user = "alice";
  start(10, 1, "/usr/bin/node", "", 1001);
  start(11, 1, "/usr/bin/node", "", 1000);
  start(12, 1, "/usr/bin/perl", "", 1001);
  EXPECT_EQ(problem(block), "");
  EXPECT_TRUE(concerns(10, block));
  EXPECT_FALSE(concerns(11, block));
  EXPECT_FALSE(concerns(12, block));
}

TEST_F(DeciderTest, UsersAndCgroupsAloneAreLeftToTheKernel) {
  Order by_user = order();
  by_user.match.user = "alice";
  Order by_cgroup = order();
  by_cgroup.match.cgroup = "/agents";
  EXPECT_TRUE(decider.set_orders({by_user, by_cgroup}, kNow).empty());
  const EnforceTables& tables = decider.tables();
  EXPECT_TRUE(tables.uids.at(1001).rules.has(bit(by_user)));
  EXPECT_TRUE(tables.cgroups.at(77).rules.has(bit(by_cgroup)));
  EXPECT_TRUE(tables.processes.empty());
}

TEST_F(DeciderTest, SEN_021_AnEgressListIsABlockWithAnException) {
  Order block = order();
  block.match.agent_id = "a";
  block.egress = {"192.0.2.7", "gateway.example"};
  EXPECT_EQ(problem(block), "");
  const EnforceTables& tables = decider.tables();
  const RuleMask open = tables.addresses.at(parse_prefix("192.0.2.7").value());
  EXPECT_TRUE((RuleMask{tables.sets.any_address}.has(bit(block))));
  EXPECT_FALSE(open.has(bit(block)));
  EXPECT_TRUE(open.any());
  RuleMask allowed = open;
  allowed &= RuleMask{tables.sets.allow};
  EXPECT_EQ(allowed, open);
  EXPECT_TRUE(tables.names.contains("gateway.example"));
}

// Whoever may claim a name for an address could open any.
TEST_F(DeciderTest, SEN_021_ANameIsOpenedByTheHostsResolversAlone) {
  Order block = order();
  block.match.agent_id = "a";
  block.egress = {"gateway.example"};
  EXPECT_EQ(problem(block), "");
  const Address claimed{{192, 0, 2, 9}, false, 0};
  decider.on_name("gateway.example", {claimed}, {1}, Decider::NameWord::kAnybodys);
  EXPECT_FALSE(decider.tables().addresses.contains(parse_prefix("192.0.2.9").value()));
  decider.on_name("gateway.example", {claimed}, {2}, Decider::NameWord::kHosts);
  ASSERT_TRUE(decider.tables().addresses.contains(parse_prefix("192.0.2.9").value()));
  decider.on_name("gateway.example", {claimed}, {3}, Decider::NameWord::kAnybodys);
  EXPECT_TRUE(decider.tables().addresses.contains(parse_prefix("192.0.2.9").value()));
}

TEST_F(DeciderTest, AnAddressIsBlockedOnlyWhileAllItsNamesAre) {
  Order block = order();
  block.match.provider = "openai";
  EXPECT_EQ(problem(block), "");
  const Address shared{{192, 0, 2, 9}, false, 0};
  const Prefix prefix = parse_prefix("192.0.2.9").value();
  decider.on_name("api.openai.com", {shared}, {1}, Decider::NameWord::kAnybodys);
  ASSERT_TRUE(decider.tables().addresses.contains(prefix));
  EXPECT_TRUE(decider.tables().addresses.at(prefix).has(bit(block)));
  decider.on_name("shop.example", {shared}, {2}, Decider::NameWord::kAnybodys);
  EXPECT_FALSE(decider.tables().addresses.contains(prefix)) << "the hello decides then";
  EXPECT_TRUE(decider.tables().names.contains("api.openai.com"));
  EXPECT_TRUE(decider.tables().names.contains("openai.azure.com"));
}

TEST_F(DeciderTest, ProtectedProgramsAreProtectedAndTheirShellsAreNot) {
  Order block = order();
  block.match.domain = "example.com";
  start(10, 1, "/usr/sbin/sshd", "", 0);
  start(11, 10, "/bin/bash", "", 0);
  start(12, 1, "/usr/sbin/sshd", "", 1001);
  EXPECT_EQ(problem(block), "");
  (void)decider.tables();
  ASSERT_NE(decider.subject_of(id(10)), nullptr);
  EXPECT_TRUE(decider.subject_of(id(10))->is_protected);
  EXPECT_EQ(decider.subject_of(id(11)), nullptr);
  EXPECT_EQ(decider.subject_of(id(12)), nullptr) << "not a system account";
}

TEST_F(DeciderTest, AnAgentDoesNotBecomeProtectedByStartingSshd) {
  Order block = order();
  block.match.agent_id = "a";
  start(10, 1, "/usr/bin/node", "a", 0);
  start(11, 10, "/usr/sbin/sshd", "", 0);
  EXPECT_EQ(problem(block), "");
  EXPECT_TRUE(concerns(11, block));
  EXPECT_FALSE(decider.subject_of(id(11))->is_protected);
}

TEST_F(DeciderTest, BitsStayWithTheirOrdersAndAreNotReusedBeforeTheTablesAreClean) {
  Order first = order();
  first.match.domain = "one.example";
  Order second = order();
  second.match.domain = "two.example";
  decider.set_orders({first, second}, kNow);
  const std::size_t kept = bit(second);
  const std::size_t freed = bit(first);
  Order third = order();
  third.match.domain = "three.example";
  decider.set_orders({second, third}, kNow);
  EXPECT_EQ(bit(second), kept);
  EXPECT_NE(bit(third), freed);
  decider.settle();
  Order fourth = order();
  fourth.match.domain = "four.example";
  decider.set_orders({second, third, fourth}, kNow);
  EXPECT_EQ(bit(fourth), freed);
}

TEST_F(DeciderTest, ExpiredOrdersCountNoMore) {
  Order block = order();
  block.match.domain = "one.example";
  block.expires = {kNow.nanoseconds + 5};
  decider.set_orders({block}, kNow);
  EXPECT_TRUE(decider.has_orders());
  EXPECT_FALSE(decider.has_expired({kNow.nanoseconds + 4}));
  EXPECT_TRUE(decider.has_expired({kNow.nanoseconds + 5}));
  decider.set_orders({block}, {kNow.nanoseconds + 5});
  EXPECT_FALSE(decider.has_orders());
}

TEST_F(DeciderTest, KillNamesWhatRunsOnlyWhenItEnforces) {
  Order kill = order(OrderAction::kKill);
  kill.match.agent_id = "a";
  start(10, 1, "/usr/bin/node", "a");
  start(11, 10, "/bin/sh");
  kill.enforces = false;
  decider.set_orders({kill}, kNow);
  EXPECT_TRUE(decider.tables().to_kill.empty());
  kill.enforces = true;
  decider.set_orders({kill}, kNow);
  EXPECT_EQ(decider.tables().to_kill, (std::set<model::ProcessId>{id(10), id(11)}));
}

TEST_F(DeciderTest, APromptIsJudgedByModelAndDetection) {
  Order by_model = order();
  by_model.match.model = "gpt-5*";
  Order by_secret = order();
  by_secret.detection = "secret";
  by_secret.kills = true;
  decider.set_orders({by_model, by_secret}, kNow);
  start(10, 1, "/usr/bin/node");
  model::LlmCall call;
  call.request_model = "gpt-4";
  EXPECT_FALSE(decider.judge_call(id(10), call, {}));
  call.request_model = "gpt-5-mini";
  ASSERT_TRUE(decider.judge_call(id(10), call, {}));
  EXPECT_EQ(decider.judge_call(id(10), call, {})->order->id, by_model.id);
  call.request_model = "other";
  model::Detection found;
  found.category = "secret";
  const auto verdict = decider.judge_call(id(10), call, {found});
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->order->id, by_secret.id);
  EXPECT_TRUE(verdict->kills);
}

TEST_F(DeciderTest, ContentOrdersTouchNoOtherConnection) {
  Order by_secret = order();
  by_secret.detection = "secret";
  EXPECT_EQ(problem(by_secret), "");
  const aispm_rule_sets& sets = decider.tables().sets;
  EXPECT_FALSE((RuleMask{sets.acts[AISPM_ACT_CONNECT]}.any()));
  EXPECT_NE(sets.flags & AISPM_SETS_CUTS, 0U);
}

}  // namespace
}  // namespace aispm::sensor
