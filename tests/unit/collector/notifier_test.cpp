// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/notifier.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "gateway/collector/store/approval_book.hpp"
#include "gateway/collector/store/notice_box.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector {
namespace {

namespace pb = aispm::v1;

constexpr int kWaitMilliseconds = 20'000;

// Listens on a port of the loopback address.
struct Receiver {
  UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int port = 0;

  Receiver() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener.get(), 8), 0);
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ::ntohs(address.sin_port);
  }
  UniqueFd accept() const {
    pollfd waiting{listener.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kWaitMilliseconds) != 1) return UniqueFd();
    return UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  NotifyConfig config() const {
    NotifyConfig config;
    config.url = "http://127.0.0.1:" + std::to_string(port) + "/hook";
    config.secret = Secret("s");
    config.allow_private = true;
    return config;
  }
};

std::string read_request(const UniqueFd& connection) {
  std::string request(4096, '\0');
  const ssize_t count = ::recv(connection.get(), request.data(), request.size(), 0);
  request.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return request;
}

void answer(const Receiver& receiver, const char* with, const char* expected) {
  const UniqueFd connection = receiver.accept();
  ASSERT_GE(connection.get(), 0);
  EXPECT_NE(read_request(connection).find(expected), std::string::npos);
  EXPECT_GT(::send(connection.get(), with, std::strlen(with), MSG_NOSIGNAL), 0);
}

constexpr const char* kTaken = "HTTP/1.1 204 Taken\r\n\r\n";

// A store in which somebody is asked for something.
class NotifierTest : public ::testing::Test {
 protected:
  pb::Approval ask(char digit, std::uint32_t seconds = 0, const std::string& role = "") {
    pb::RequestApprovalRequest request;
    request.mutable_approval()->set_kind(pb::APPROVAL_KIND_APPROVAL);
    request.mutable_approval()->set_agent_id("bob/agent");
    request.mutable_approval()->set_tool("refund");
    request.mutable_approval()->set_digest(std::string(64, digit));
    request.mutable_approval()->set_approver_role(role);
    request.set_valid_seconds(seconds);
    return test::must(store::ApprovalBook(bench.database()).request(request, "h", wall_now()));
  }
  void escalate(const std::string& id, const std::string& role) {
    pb::DecideApprovalRequest request;
    request.set_approval_id(id);
    request.set_answer(pb::APPROVAL_ANSWER_ESCALATE);
    request.set_role(role);
    request.set_reason("not mine");
    const store::Approver who{.name = "carol",
                              .person = "carol",
                              .role = Role::kOperator,
                              .roles = {"finance", "legal", "board"}};
    test::must(store::ApprovalBook(bench.database()).decide(request, who, wall_now()));
  }
  std::unique_ptr<Notifier> start(const NotifyConfig& config) {
    return test::must(Notifier::start(config, bench.path(), [](const auto& approval) {
      return "{\"id\":\"" + approval.id() + "\"}";
    }));
  }
  std::unique_ptr<Notifier> start(const Receiver& receiver) { return start(receiver.config()); }
  template <typename Is>
  static bool wait(const Notifier& notifier, Is is) {
    for (int i = 0; i < 400; ++i) {
      if (is(notifier.counts())) return true;
      ::poll(nullptr, 0, 50);
    }
    return false;
  }

  test::Bench bench;
};

// What hangs in it ends with it, before what it uses: for the sanitizers.
TEST_F(NotifierTest, EndsWhileItsReceiverSaysNothing) {
  const Receiver receiver;
  auto notifier = start(receiver);
  ask('a');
  notifier->wake();
  const UniqueFd connection = receiver.accept();
  ASSERT_GE(connection.get(), 0);
  EXPECT_NE(read_request(connection).find("x-aispm-signature: t="), std::string::npos);
  notifier.reset();
}

TEST_F(NotifierTest, HasNoProblemAnyMoreOnceOneWasTaken) {
  const Receiver receiver;
  const auto notifier = start(receiver);
  const std::string id = ask('a').id();
  notifier->wake();
  answer(receiver, "HTTP/1.1 503 Busy\r\n\r\n", id.c_str());
  answer(receiver, "HTTP/1.1 204 Taken\r\n\r\n", id.c_str());
  EXPECT_TRUE(wait(*notifier, [](const auto& counts) { return counts.sent == 1; }));
  EXPECT_EQ(notifier->counts().retried, 1U);
  EXPECT_EQ(notifier->counts().given_up, 0U);
  EXPECT_EQ(notifier->counts().problem, "");
}

// Whoever was to be told when the collector ended is told when it begins again, once.
TEST_F(NotifierTest, TellsAfterARestartWhatWasNotTakenBefore) {
  const Receiver receiver;
  const std::string id = ask('a').id();
  {
    const auto before = start(receiver);
    answer(receiver, "HTTP/1.1 503 Busy\r\n\r\n", id.c_str());
    ASSERT_TRUE(wait(*before, [](const auto& counts) { return counts.retried == 1; }));
  }
  {
    const auto after = start(receiver);
    answer(receiver, "HTTP/1.1 204 Taken\r\n\r\n", id.c_str());
    ASSERT_TRUE(wait(*after, [](const auto& counts) { return counts.sent == 1; }));
  }
  const std::string second = ask('b').id();
  const auto again = start(receiver);
  answer(receiver, "HTTP/1.1 204 Taken\r\n\r\n", second.c_str());
  EXPECT_TRUE(wait(*again, [](const auto& counts) {  // and the first one not again
    return counts.sent == 1 && counts.waiting == 0;
  }));
}

TEST_F(NotifierTest, GivesUpWhenNobodyIsAskedAnyMore) {
  const Receiver receiver;
  ask('a', 1);
  const auto notifier = start(receiver);
  answer(receiver, "HTTP/1.1 503 Busy\r\n\r\n", "POST");
  EXPECT_TRUE(wait(*notifier, [](const auto& counts) { return counts.given_up == 1; }));
  EXPECT_EQ(notifier->counts().waiting, 0U);
  EXPECT_EQ(notifier->counts().problem, "");
}

NotifyConfig named(const Receiver& receiver, const char* name) {
  NotifyConfig config = receiver.config();
  config.name = name;
  return config;
}

// Each has a state of its own: one that never answers holds up no other, and who was told is not
// told again because of another.
TEST_F(NotifierTest, AReceiverThatIsAwayHoldsUpNoOther) {
  const Receiver dead;
  const Receiver alive;
  const auto first = start(named(dead, "dead"));
  const auto second = start(named(alive, "alive"));
  for (const char digit : {'a', 'b'}) {
    const std::string id = ask(digit).id();
    first->wake();
    second->wake();
    answer(alive, "HTTP/1.1 204 Taken\r\n\r\n", id.c_str());
  }
  EXPECT_TRUE(wait(*second, [](const auto& counts) { return counts.sent == 2; }));
  EXPECT_EQ(second->counts().waiting, 0U);
  EXPECT_EQ(first->counts().sent, 0U);
  EXPECT_TRUE(wait(*first, [](const auto& counts) { return counts.waiting > 0; }));
}

TEST_F(NotifierTest, TellsAReceiverOnlyWhatItWants) {
  const Receiver receiver;
  NotifyConfig config = named(receiver, "people");
  config.kinds = {"human"};
  ask('a');
  store::NoticeBox box(bench.database(), "people");
  EXPECT_EQ(test::must(box.waiting(wall_now())).count, 1U);
  const auto only_humans = start(config);
  EXPECT_TRUE(wait(*only_humans,
                   [&](const auto&) { return test::must(box.waiting(wall_now())).count == 0; }));
  EXPECT_EQ(only_humans->counts().sent, 0U);
  pollfd waiting{receiver.listener.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 0), 0) << "nobody connected";

  pb::Approval approval;
  approval.set_kind(pb::APPROVAL_KIND_APPROVAL);
  approval.set_agent_id("bob/agent");
  approval.set_approver_role("finance");
  EXPECT_TRUE(NotifyConfig().wants(approval));
  EXPECT_FALSE(config.wants(approval));
  config.kinds = {"approval"};
  config.roles = {"finance"};
  config.agents = {policy::Glob("bob/*")};
  EXPECT_TRUE(config.wants(approval));
  approval.set_approver_role("legal");
  EXPECT_FALSE(config.wants(approval));
  approval.set_approver_role("finance");
  approval.set_agent_id("carol/agent");
  EXPECT_FALSE(config.wants(approval));
}

TEST_F(NotifierTest, AReceiverThatIsConfiguredAnewIsToldOfWhatWaits) {
  const Receiver receiver;
  const std::string id = ask('a').id();
  {
    const auto before = start(named(receiver, "one"));
    answer(receiver, "HTTP/1.1 204 Taken\r\n\r\n", id.c_str());
    ASSERT_TRUE(wait(*before, [](const auto& counts) { return counts.sent == 1; }));
  }
  ASSERT_TRUE(store::NoticeBox::forget_others(bench.database(), {"two"}));
  const auto again = start(named(receiver, "one"));
  answer(receiver, "HTTP/1.1 204 Taken\r\n\r\n", id.c_str());
  EXPECT_TRUE(wait(*again, [](const auto& counts) { return counts.sent == 1; }));
}

// Whoever answers for the new role must hear of it; nobody hears twice of what is not news to him.
TEST_F(NotifierTest, TellsTheReceiverOfTheRoleToWhichAnApprovalGoes) {
  const Receiver of_finance;
  const Receiver of_legal;
  const Receiver of_both;
  const Receiver of_all;
  const auto with_roles = [](const Receiver& receiver, const char* name,
                             std::vector<std::string> roles) {
    NotifyConfig config = receiver.config();
    config.name = name;
    config.roles = std::move(roles);
    return config;
  };
  const std::string id = ask('a', 0, "finance").id();
  const auto finance = start(with_roles(of_finance, "finance", {"finance"}));
  const auto legal = start(with_roles(of_legal, "legal", {"legal"}));
  const auto both = start(with_roles(of_both, "both", {"finance", "legal"}));
  const auto all = start(with_roles(of_all, "all", {}));
  answer(of_finance, kTaken, id.c_str());
  answer(of_both, kTaken, id.c_str());
  answer(of_all, kTaken, id.c_str());
  const auto is_settled = [&](const char* name) {
    store::NoticeBox box(bench.database(), name);
    return [this, box]([[maybe_unused]] const auto& counts) mutable {
      return test::must(box.waiting(wall_now())).count == 0;
    };
  };
  ASSERT_TRUE(wait(*legal, is_settled("legal")));
  ASSERT_TRUE(wait(*all, is_settled("all")));
  ASSERT_TRUE(wait(*both, is_settled("both")));
  ASSERT_TRUE(wait(*finance, is_settled("finance")));
  escalate(id, "legal");
  for (const auto* const one : {&finance, &legal, &both, &all}) (*one)->wake();
  answer(of_legal, kTaken, id.c_str());
  answer(of_both, kTaken, id.c_str());
  ASSERT_TRUE(wait(*finance, is_settled("finance")));
  ASSERT_TRUE(wait(*all, is_settled("all")));
  EXPECT_TRUE(wait(*legal, [](const auto& counts) { return counts.sent == 1; }));
  EXPECT_TRUE(wait(*both, [](const auto& counts) { return counts.sent == 2; }));
  EXPECT_EQ(finance->counts().sent, 1U);
  EXPECT_EQ(all->counts().sent, 1U);
}

// While a receiver is told of one role, the approval goes to another.
TEST_F(NotifierTest, WhatIsNotedOfOneAskingIsNotNotedOfTheNext) {
  const std::string id = ask('a', 0, "finance").id();
  store::NoticeBox box(bench.database(), "x");
  const auto first = test::must(box.next(wall_now()));
  ASSERT_TRUE(first);
  escalate(id, "legal");
  test::must(box.mark_unwanted(*first));
  auto second = test::must(box.next(wall_now()));
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->was_told);
  EXPECT_EQ(test::must(box.waiting(wall_now())).count, 1U);
  test::must(box.put_off(*second, {wall_now().nanoseconds + 3600 * test::kSecond}));
  EXPECT_FALSE(test::must(box.next(wall_now())));
  // One that is put off is due at once where somebody else is asked, from the first try on.
  escalate(id, "board");
  EXPECT_EQ(test::must(box.waiting(wall_now())).due->nanoseconds, 0);
  const auto third = test::must(box.next(wall_now()));
  ASSERT_TRUE(third);
  EXPECT_EQ(third->tries, 0);
  test::must(box.mark_taken(*third));
  EXPECT_FALSE(test::must(box.next(wall_now())));
  // The same role again is nobody else.
  escalate(id, "board");
  EXPECT_FALSE(test::must(box.next(wall_now())));
  EXPECT_EQ(test::must(box.waiting(wall_now())).count, 0U);
}

TEST_F(NotifierTest, TellsAReceiverWhoseFilterIsWiderAfterARestart) {
  const Receiver receiver;
  NotifyConfig config = named(receiver, "people");
  config.roles = {"finance"};
  const std::string taken = ask('a', 0, "finance").id();
  const std::string unwanted = ask('b', 0, "legal").id();
  {
    const auto before = start(config);
    answer(receiver, kTaken, taken.c_str());
    ASSERT_TRUE(wait(*before, [&](const auto&) {
      store::NoticeBox box(bench.database(), "people");
      return test::must(box.waiting(wall_now())).count == 0;
    }));
  }
  config.roles = {"finance", "legal"};
  const auto after = start(config);
  answer(receiver, kTaken, unwanted.c_str());
  EXPECT_TRUE(wait(*after, [](const auto& counts) {  // and not of the first one again
    return counts.sent == 1 && counts.waiting == 0;
  }));
}

}  // namespace
}  // namespace aispm::collector
