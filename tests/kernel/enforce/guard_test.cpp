// SPDX-License-Identifier: Apache-2.0
// Orders as the sensor's guard carries them out: what it says is in force holds everybody. GRD-009.
#include "tests/kernel/enforce/guard_fixture.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using model::Order;
using model::OrderAction;

// Process 1 of a run only forks, so that the sensor has not heard of it when the order comes; of
// its agent it has.
TEST_F(GuardTest, GRD_009_AFirstOrderHoldsWhatItsProcessHasStarted) {
  const Server server;
  Tree run([&](const Pipe& questions, const Pipe& answers) {
    char letter = 0;
    while (::read(questions.out.get(), &letter, 1) == 1 && letter != kEnd)
      tell(answers, try_connect(server.port));
  });
  ASSERT_EQ(run.ask(), 0);
  on_exec(run.started());
  offer({about_run(run.init())});
  ASSERT_EQ(states_.size(), 1U);
  EXPECT_EQ(states_[0].problem, "");
  EXPECT_EQ(run.ask(), EPERM);
  offer({});
  EXPECT_EQ(run.ask(), 0);
}

// Each process connects, starts the next one and ends: whoever it is at the moment of the order.
TEST_F(GuardTest, GRD_009_NobodySlipsThroughByForkingWhileAnOrderComes) {
  for (int round = 0; round < 20; ++round) {
    Tree run([](const Pipe& questions, const Pipe& answers) {
      ::fcntl(questions.out.get(), F_SETFL, O_NONBLOCK);
      char letter = 0;
      while (::read(questions.out.get(), &letter, 1) != 1) {  // kEnd
        tell(answers, try_datagrams());
        if (::fork() > 0) ::_exit(0);
        ::usleep(100);
      }
    });
    ASSERT_EQ(run.next(), 0);
    offer({about_run(run.init())});
    ASSERT_EQ(states_.at(0).problem, "");
    run.skip();
    (void)run.next();  // may have asked before
    for (int i = 0; i < 30; ++i) ASSERT_EQ(run.next(), EPERM) << "round " << round;
    offer({});
  }
}

TEST_F(GuardTest, GRD_009_AnOrderAboutNobodyIsNotInForce) {
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  Order gone = about_run(child.pid());
  gone.match.process.start.nanoseconds += 1'000'000'000;
  gone.id += "0";
  offer({about_run(child.pid()), gone});
  ASSERT_EQ(states_.size(), 2U);
  EXPECT_EQ(states_[0].problem, "");
  EXPECT_NE(states_[1].problem.find("runs here"), std::string::npos) << states_[1].problem;
  EXPECT_EQ(child.ask('c'), EPERM);
}

// A kernel's table has 256 rules.
TEST_F(GuardTest, GRD_009_AFreezeHoldsMoreRunsThanThereAreRules) {
  const Server server;
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 300; ++i)
    children.push_back(std::make_unique<Child>([&](char) { return try_connect(server.port); }));
  std::vector<Order> orders;
  for (const auto& child : children) orders.push_back(about_run(child->pid()));
  offer(std::move(orders));
  ASSERT_EQ(states_.size(), 300U);
  for (const auto& state : states_) EXPECT_EQ(state.problem, "") << state.order_id;
  for (const auto& child : children) EXPECT_EQ(child->ask('c'), EPERM);
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
