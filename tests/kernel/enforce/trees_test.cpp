// SPDX-License-Identifier: Apache-2.0
// Trees of processes that start and end while orders come and go. GRD-009.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>

#include "tests/kernel/enforce/guard_fixture.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using model::Order;
using model::OrderAction;
using Orphans = Tree::Orphans;

// Several processes fork children that end at once, until all are told to end. Nobody waits for
// the children but by the hundred.
void fork_in_vain(const Pipe& questions) {
  ::signal(SIGCHLD, SIG_DFL);
  ::fcntl(questions.out.get(), F_SETFL, O_NONBLOCK);
  for (int i = 0; i < 3; ++i)
    if (::fork() == 0) break;
  pollfd end{questions.out.get(), POLLIN, 0};  // the letter is left to the others
  for (int count = 0; ::poll(&end, 1, 0) == 0; ++count) {
    if (::fork() == 0) ::_exit(0);
    while (count % 100 == 0 && ::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

// What processes of a test and the test itself see.
struct Shared {
  Shared()
      : page(static_cast<std::atomic<bool>*>(
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (page == MAP_FAILED) throw std::runtime_error("mmap");
  }
  ~Shared() { ::munmap(page, 4096); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  std::atomic<bool>* page;
};

class TreesTest : public GuardTest {
 protected:
  // Hooks are armed, and the tables are there, from the first order on.
  void arm() {
    if (::testing::Test::IsSkipped()) return;
    bystander_ = std::make_unique<Child>([](char) { return 0; });
    lift();
    ASSERT_EQ(states_.at(0).problem, "");
  }
  // All but the order about the bystander.
  void lift() { offer({about_bystander()}); }
  void offer_about(pid_t pid) { offer({about_bystander(), about_run(pid)}); }
  // Not of the freeze that the others are of: orders of one freeze are one rule.
  Order about_bystander() {
    Order order = about_run(bystander_->pid());
    order.id = "bystander";
    return order;
  }

  static Order about_agent(const std::string& agent) {
    Order order;
    order.id = "agent";
    order.action = OrderAction::kQuarantine;
    order.enforces = true;
    order.match.agent_id = agent;
    return order;
  }

  std::unique_ptr<Child> bystander_;
};

// Starts a process that waits, and says which.
int fork_one(char) {
  const pid_t started = ::fork();
  if (started == 0)
    for (;;) ::pause();
  return static_cast<int>(started);
}

TEST_F(TreesTest, WhoHasEndedIsNotListedAndWhoseFirstThreadHasIs) {
  Child child([](char) {
    if (::fork() == 0) ::_exit(0);  // nobody waits for it
    ::signal(SIGCHLD, SIG_DFL);
    const pid_t headless = ::fork();
    if (headless == 0) {
      pthread_t second;
      ::pthread_create(
          &second, nullptr,
          [](void*) -> void* {
            for (;;) ::pause();
          },
          nullptr);
      ::syscall(SYS_exit, 0);  // of this thread alone
    }
    return static_cast<int>(headless);
  });
  const int headless = child.ask('f');
  ASSERT_GT(headless, 0);
  bool is_listed = false;
  int children = 0;
  for (int i = 0; i < 200 && !(is_listed && children == 1); ++i) {  // until the first one ended
    ::usleep(10'000);
    is_listed = false;
    children = 0;
    const auto listed = lister_->list_processes();
    ASSERT_TRUE(listed);
    for (const ListedProcess& one : *listed) {
      if (one.parent.pid != static_cast<std::uint32_t>(child.pid())) continue;
      ++children;
      is_listed = is_listed || one.id.pid == static_cast<std::uint32_t>(headless);
    }
  }
  EXPECT_TRUE(is_listed);
  EXPECT_EQ(children, 1);
  ::kill(headless, SIGKILL);
}

// The record of its program's start comes when it is gone: nobody deletes it after that.
TEST_F(TreesTest, WhoEndedBeforeItsRecordCameIsNotWrittenToTheKernel) {
  arm();
  Child child(fork_one);
  offer_about(child.pid());
  const pid_t started = child.ask('f');
  const ListedProcess one = listed(started);
  ASSERT_TRUE(holds(one.id));
  ::kill(started, SIGKILL);
  for (int i = 0; i < 1000 && holds(one.id); ++i) ::usleep(1000);
  ASSERT_FALSE(holds(one.id));
  model::Process process;
  process.id = one.id;
  process.parent = one.parent;
  guard_->on_process(process, "");
  EXPECT_FALSE(holds(one.id));
}

TEST_F(TreesTest, WhoWasWrittenTooLateLeavesTheKernelWithItsRecordOfExit) {
  arm();
  model::Process process;
  process.id = {kNoPid, {1}};
  process.parent = listed(bystander_->pid()).id;
  guard_->on_process(process, "");  // ended before the hooks were armed: nobody knows
  ASSERT_TRUE(holds(process.id));
  guard_->on_exit(process.id);
  EXPECT_FALSE(holds(process.id));
}

TEST_F(TreesTest, ASweepRemovesWhoDoesNotRunAndNobodyElse) {
  arm();
  fill_with_ended(100);
  ASSERT_EQ(count_held(kNoPid), 100U);
  guard_->sweep();
  EXPECT_EQ(count_held(kNoPid), 0U);
  EXPECT_TRUE(holds(listed(bystander_->pid()).id));
}

TEST_F(TreesTest, ATableFullOfTheEndedHasRoomForAnOrder) {
  arm();
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  fill_with_ended(1U << 16);
  offer_about(child.pid());
  EXPECT_EQ(states_.at(1).problem, "");
  EXPECT_EQ(child.ask('c'), EPERM);
}

// What the kernel could not write at its fork is written, or the orders say why not.
TEST_F(TreesTest, AChildThatFoundNoRoomIsHeldAfterAll) {
  arm();
  Child child(fork_one);
  offer_about(child.pid());
  fill_with_ended(1U << 16);
  const pid_t grandchild = child.ask('f');
  ASSERT_GT(grandchild, 0);
  ASSERT_FALSE(holds(listed(grandchild).id));
  guard_->work(wall_now());
  EXPECT_TRUE(holds(listed(grandchild).id));
  ::kill(grandchild, SIGKILL);
}

TEST_F(TreesTest, WhoForksInVainIsHeldAtOnce) {
  arm();
  Tree run([](const Pipe& questions, const Pipe&) { fork_in_vain(questions); });
  for (int round = 0; round < 20; ++round) {
    offer_about(run.init());
    ASSERT_EQ(states_.at(1).problem, "") << "round " << round;
    EXPECT_TRUE(holds(listed(run.started()).id));
    lift();
  }
}

// Whose parent has ended is given to process 1 of the host, which no order is about.
TEST_F(TreesTest, WhoLeftTheTreeWithItsParentIsHeld) {
  arm();
  Shared is_in_force;
  for (int round = 0; round < 20; ++round) {
    *is_in_force.page = false;
    Tree run(
        [&](const Pipe& questions, const Pipe& answers) {
          ::fcntl(questions.out.get(), F_SETFL, O_NONBLOCK);
          char letter = 0;
          while (::read(questions.out.get(), &letter, 1) != 1) {
            if (::fork() == 0) {
              if (::fork() != 0) ::_exit(0);
              for (int i = 0; i < 10; ++i) {
                if (*is_in_force.page) tell(answers, try_datagrams());
                ::usleep(1000);
              }
              ::_exit(0);
            }
            ::usleep(1000);
          }
        },
        Orphans::kLeave);
    ::usleep(20'000);
    offer_about(run.init());
    ASSERT_EQ(states_.at(1).problem, "");
    *is_in_force.page = true;
    for (int i = 0; i < 30; ++i) ASSERT_EQ(run.next(), EPERM) << "round " << round;
    lift();
  }
}

// Of an agent that forks and ends in turn, the record that says whose child this one is waits.
TEST_F(TreesTest, AnOrderAboutAnAgentWaitsForTheRecordsOfItsForks) {
  arm();
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  drain_records_ = [&] { agents_[listed(child.pid()).id] = "someone/agent"; };
  offer({about_bystander(), about_agent("someone/agent")});
  EXPECT_EQ(states_.at(1).problem, "");
  EXPECT_EQ(child.ask('c'), EPERM);
}

TEST_F(TreesTest, WhatAnAgentsProcessLeftBehindIsTheAgents) {
  arm();
  Pipe told;
  Child child([&](char) {
    ::signal(SIGCHLD, SIG_IGN);
    const pid_t between = ::fork();
    if (between == 0) {
      const pid_t left = ::fork();
      if (left == 0)
        for (;;) ::pause();
      tell(told, left);
      for (;;) ::pause();
    }
    return static_cast<int>(between);
  });
  const pid_t between = child.ask('f');
  pid_t left = 0;
  ASSERT_EQ(::read(told.out.get(), &left, sizeof(left)), static_cast<ssize_t>(sizeof(left)));
  const ListedProcess orphan = listed(left);
  agents_[listed(between).id] = "someone/agent";  // and of the one that it left nobody heard
  ::kill(between, SIGKILL);
  for (int i = 0; i < 1000 && listed(left).parent == orphan.parent; ++i) ::usleep(1000);
  offer({about_bystander(), about_agent("someone/agent")});
  EXPECT_TRUE(holds(orphan.id));
  ::kill(left, SIGKILL);
}

// A bit that an order gave back is given to the next one, with everybody who still has it.
TEST_F(TreesTest, ALiftedOrderLeavesNobodyBehind) {
  arm();
  Tree run([](const Pipe& questions, const Pipe&) { fork_in_vain(questions); });
  for (int round = 0; round < 40; ++round) {
    offer_about(run.init());
    lift();
    const std::uint32_t bystander = static_cast<std::uint32_t>(bystander_->pid());
    ASSERT_EQ(count_held() - count_held(bystander), 0U) << "round " << round;
  }
}

TEST_F(TreesTest, AnOrderThatLooksIntoPromptsWaitsForItsEngine) {
  arm();
  bool is_there = false;
  make_engine_ = [&]() -> Result<std::shared_ptr<const detect::Engine>> {
    if (!is_there) return fail(Errc::kUnavailable, "no rules here");
    return make_prompt_engine("");
  };
  Order order = about_run(bystander_->pid());
  order.id = "secrets";
  order.action = OrderAction::kBlock;
  order.detection = "secret";
  offer({about_bystander(), order});
  ASSERT_EQ(states_.size(), 2U);
  EXPECT_EQ(states_[0].problem, "");
  EXPECT_NE(states_[1].problem.find("no rules here"), std::string::npos) << states_[1].problem;
  states_.clear();
  guard_->sweep();
  guard_->work(wall_now());
  EXPECT_TRUE(states_.empty()) << "nothing is new";
  is_there = true;
  guard_->sweep();
  guard_->work(wall_now());
  ASSERT_EQ(states_.size(), 2U);
  EXPECT_EQ(states_[1].problem, "");
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
