// SPDX-License-Identifier: Apache-2.0
// Orders as the sensor's guard carries them out: what it says is in force holds everybody. GRD-009.
#include <fcntl.h>
#include <sys/prctl.h>

#include "sdk/core/model/freeze_orders.hpp"
#include "sensor/kernel_guard.hpp"
#include "tests/kernel/enforce/fixture.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using model::Order;
using model::OrderAction;

constexpr char kQuestion = 'c';
constexpr char kEnd = 'q';

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe");
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  UniqueFd out;
  UniqueFd in;
};

// A process that goes on, and one that it started: process 1 of a run and the run's agent.
class Tree {
 public:
  using Deed = std::function<void(const Pipe& questions, const Pipe& answers)>;

  explicit Tree(const Deed& deed)
      : init_([this, deed](char) {
          ::prctl(PR_SET_CHILD_SUBREAPER, 1);
          ::signal(SIGCHLD, SIG_IGN);
          const pid_t started = ::fork();
          if (started == 0) {
            deed(questions_, answers_);
            ::_exit(0);
          }
          return static_cast<int>(started);
        }),
        started_(init_.ask('f')) {}
  ~Tree() { (void)!::write(questions_.in.get(), &kEnd, 1); }

  pid_t init() const { return init_.pid(); }
  pid_t started() const { return started_; }
  int ask() { return ::write(questions_.in.get(), &kQuestion, 1) == 1 ? next() : -1; }
  // What it says next; -1: nothing within ten seconds.
  int next() {
    int answer = -1;
    pollfd waiting{answers_.out.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) != 1) return -1;
    return ::read(answers_.out.get(), &answer, sizeof(answer)) == sizeof(answer) ? answer : -1;
  }
  // Forgets what was said until now.
  void skip() {
    int answer = 0;
    ::fcntl(answers_.out.get(), F_SETFL, O_NONBLOCK);
    while (::read(answers_.out.get(), &answer, sizeof(answer)) > 0) {
    }
    ::fcntl(answers_.out.get(), F_SETFL, 0);
  }

 private:
  Pipe questions_;
  Pipe answers_;
  Child init_;
  pid_t started_;
};

void tell(const Pipe& answers, int answer) {
  if (::write(answers.in.get(), &answer, sizeof(answer)) != sizeof(answer)) ::_exit(1);
}

// As try_connect, of a datagram socket: needs nobody who accepts.
int try_datagrams() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return 0;
  return errno;
}

class GuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "root is needed";
    auto lister = Enforcer::open({.pins = "", .cgroup_root = "", .uses_lsm = false, .self = {}});
    if (!lister) GTEST_SKIP() << lister.error().message;
    lister_ = std::move(*lister);
    if (const auto ready = lister_->prepare(); !ready) GTEST_SKIP() << ready.error().message;
    open_guard();
  }
  void open_guard() {
    KernelGuard::Parts parts;
    parts.config.pins = "";
    parts.config.uses_lsm = false;
    parts.awaits_orders = true;
    parts.lookups = {[](const std::string&) { return std::nullopt; },
                     [](const std::string&) { return std::nullopt; },
                     [](const std::string&) { return std::vector<std::string>(); }};
    parts.look_up = [](std::uint32_t) { return std::nullopt; };
    parts.user_name = [](std::uint32_t) { return std::string(); };
    parts.agent_of = [](const model::ProcessId&) { return std::string(); };
    auto guard = KernelGuard::open(std::move(parts));
    ASSERT_TRUE(guard) << guard.error().message;
    guard_ = std::move(*guard);
    guard_->on_applied([this](std::uint64_t, std::vector<KernelGuard::OrderState> states) {
      states_ = std::move(states);
    });
  }

  ListedProcess listed(pid_t pid) {
    const auto all = lister_->list_processes();
    for (const ListedProcess& one : *all)
      if (one.id.pid == static_cast<std::uint32_t>(pid)) return one;
    ADD_FAILURE() << "process " << pid << " is not listed";
    return {};
  }
  // As a collector makes it for a session that is frozen: /proc's start is all that it knows.
  Order about_run(pid_t init) {
    const model::ProcessId id = listed(init).id;
    Order order;
    order.id = model::freeze_order_id("of-a-session", id.pid);
    order.action = OrderAction::kQuarantine;
    order.enforces = true;
    order.match.process = {id.pid, {id.start.nanoseconds / 10'000'000 * 10'000'000}};
    return order;
  }
  void offer(std::vector<Order> orders) {
    guard_->offer_orders(std::move(orders), 1);
    guard_->work(wall_now());
  }
  // The sensor saw it start.
  void on_exec(pid_t pid) {
    const ListedProcess one = listed(pid);
    model::Process process;
    process.id = one.id;
    process.parent = one.parent;
    process.exe = "/usr/bin/python3";
    guard_->on_process(process, "");
  }

  std::unique_ptr<Enforcer> lister_;
  std::unique_ptr<KernelGuard> guard_;
  std::vector<KernelGuard::OrderState> states_;
};

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
