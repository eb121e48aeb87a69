// SPDX-License-Identifier: Apache-2.0
// Connections, raw sockets, exec, and who belongs to whom. SEN-003, SEN-009, SEN-020, SEN-021,
// SEN-023.
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/kernel/enforce/fixture.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using model::Order;
using model::OrderAction;

TEST_F(EnforceTest, SEN_020_ABlockedProcessCannotConnectAndUndoWorksAtOnce) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  ASSERT_EQ(child.ask('c'), 0);
  const Order order = about(child, OrderAction::kBlock);
  put(order);
  EXPECT_EQ(child.ask('c'), EPERM);
  EXPECT_EQ(try_connect(server.port), 0) << "others are not concerned";
  EXPECT_TRUE(until([&](const aispm_enforced_event& event) {
    return event.header.tgid == static_cast<std::uint32_t>(child.pid()) &&
           event.act == AISPM_ACT_CONNECT && event.flags == AISPM_ENFORCED_DENIED &&
           event.socket.destination_port == server.port && event.socket.destination[0] == 127 &&
           decider_->order_of(event.rules) != nullptr &&
           decider_->order_of(event.rules)->id == order.id;
  }));
  undo(order);
  EXPECT_EQ(child.ask('c'), 0);
}

TEST_F(EnforceTest, AMonitoredOrderOnlyReports) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  Order order = about(child, OrderAction::kBlock);
  order.enforces = false;
  put(order);
  EXPECT_EQ(child.ask('c'), 0);
  EXPECT_TRUE(until([&](const aispm_enforced_event& event) {
    return event.header.tgid == static_cast<std::uint32_t>(child.pid()) && event.flags == 0 &&
           event.act == AISPM_ACT_CONNECT;
  }));
}

TEST_F(EnforceTest, RefusingAnswersAsIfNobodyListened) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  Order order = about(child, OrderAction::kBlock);
  order.refuses = true;
  put(order);
  EXPECT_EQ(child.ask('c'), ECONNREFUSED);
}

TEST_F(EnforceTest, SEN_023_ChildrenAndGrandchildrenOfNewSessionsAreCovered) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  // fork, setsid, fork again: the grandchild's parent is gone when it connects.
  Child child([&](char) {
    int answers[2];
    if (::pipe(answers) != 0) return -2;
    if (::fork() == 0) {
      ::setsid();
      if (::fork() == 0) {
        while (::getppid() != 1) ::usleep(1000);
        const int answer = try_connect(server.port);
        if (::write(answers[1], &answer, sizeof(answer)) < 0) ::_exit(1);
        ::_exit(0);
      }
      ::_exit(0);
    }
    int answer = -3;
    ::close(answers[1]);
    return ::read(answers[0], &answer, sizeof(answer)) == sizeof(answer) ? answer : -4;
  });
  ASSERT_EQ(child.ask('c'), 0);
  put(about(child, OrderAction::kBlock));
  EXPECT_EQ(child.ask('c'), EPERM);
}

TEST_F(EnforceTest, ARunningChildOfABlockedProcessIsCoveredToo) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  int to[2];
  int from[2];
  ASSERT_EQ(::pipe(to), 0);
  ASSERT_EQ(::pipe(from), 0);
  Child child([&](char) {
    if (::fork() != 0) return 0;
    char letter = 0;
    while (::read(to[0], &letter, 1) == 1) {
      const int answer = try_connect(server.port);
      if (::write(from[1], &answer, sizeof(answer)) < 0) break;
      if (letter == 'q') break;
    }
    ::_exit(0);
  });
  ASSERT_EQ(child.ask('f'), 0);
  put(about(child, OrderAction::kBlock));
  int answer = -1;
  ASSERT_EQ(::write(to[1], "q", 1), 1);
  ASSERT_EQ(::read(from[0], &answer, sizeof(answer)), static_cast<ssize_t>(sizeof(answer)));
  EXPECT_EQ(answer, EPERM);
  for (const int fd : {to[0], to[1], from[0], from[1]}) ::close(fd);
}

TEST_F(EnforceTest, OnlyTheNamedAddressAndPortAreBlocked) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server first("127.0.0.1");
  const Server second("127.0.0.2");
  Child child([&](char which) {
    if (which == 'm') {  // ::ffff:127.0.0.1 is the same place
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(first.port);
      ::inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
      const UniqueFd fd(::socket(AF_INET6, SOCK_STREAM, 0));
      if (!fd) return EPERM;  // no IPv6 here
      return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0
                 ? 0
                 : errno;
    }
    if (which == '0') return try_connect(first.port, "0.0.0.0");
    return which == 'a' ? try_connect(first.port) : try_connect(second.port, "127.0.0.2");
  });
  Order order = about(child, OrderAction::kBlock);
  order.match.addresses = {"127.0.0.0/31"};
  order.match.ports = {first.port, second.port};
  put(order);
  EXPECT_EQ(child.ask('a'), EPERM);
  EXPECT_EQ(child.ask('m'), EPERM);
  EXPECT_EQ(child.ask('0'), EPERM);
  EXPECT_EQ(child.ask('b'), 0);
}

TEST_F(EnforceTest, SEN_009_OneAgentCannotReachAnothersPort) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server other;
  const Server own;
  Child child([&](char which) { return try_connect(which == 'o' ? other.port : own.port); });
  Order order = about(child, OrderAction::kBlock);
  order.match.ports = {other.port};
  put(order);
  EXPECT_EQ(child.ask('o'), EPERM);
  EXPECT_EQ(child.ask('w'), 0);
}

TEST_F(EnforceTest, SEN_007_SEN_021_AnEgressListDeniesAllElseAndTellsIt) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server open("127.0.0.3");
  const Server closed("127.0.0.4");
  Child child([&](char which) {
    return which == 'o' ? try_connect(open.port, "127.0.0.3")
                        : try_connect(closed.port, "127.0.0.4");
  });
  Order order = about(child, OrderAction::kBlock);
  order.egress = {"127.0.0.3"};
  put(order);
  EXPECT_EQ(child.ask('o'), 0);
  EXPECT_EQ(child.ask('c'), EPERM);
  EXPECT_TRUE(until([&](const aispm_enforced_event& event) {
    return event.header.tgid == static_cast<std::uint32_t>(child.pid()) && event.flags != 0 &&
           event.act == AISPM_ACT_CONNECT;
  }));
}

// They send to any address without connecting; pings need no privilege.
TEST_F(EnforceTest, SEN_021_AnEgressListDeniesSocketsThatNeedNoConnect) {
  if (!enforcer_) GTEST_SKIP() << why_;
  Child child([](char which) {
    if (which == 'n' && ::unshare(CLONE_NEWNET) == 0)  // a network of its own, where pings may be
      return std::ofstream("/proc/sys/net/ipv4/ping_group_range") << "0 0" << std::flush ? 0 : EIO;
    const int type = which == 'r' ? SOCK_RAW : SOCK_DGRAM;
    return UniqueFd(::socket(AF_INET, type, IPPROTO_ICMP)) ? 0 : errno;
  });
  ASSERT_EQ(child.ask('n'), 0);
  ASSERT_EQ(child.ask('p'), 0);
  Order order = about(child, OrderAction::kBlock);
  order.match.ports = {80};
  put(order);
  EXPECT_EQ(child.ask('r') + child.ask('p'), 0) << "some ports only";
  order.match.ports.clear();
  order.egress = {"127.0.0.3"};
  put(order);
  EXPECT_EQ(child.ask('r'), EPERM);
  EXPECT_EQ(child.ask('p'), EPERM);
}

TEST_F(EnforceTest, AnAllowanceLiftsABlockButNotAQuarantine) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  put(about(child, OrderAction::kBlock));
  ASSERT_EQ(child.ask('c'), EPERM);
  Order allow = about(child, OrderAction::kAllow);
  allow.match.ports = {server.port};
  put(allow);
  EXPECT_EQ(child.ask('c'), 0);
  put(about(child, OrderAction::kQuarantine));
  EXPECT_EQ(child.ask('c'), EPERM);
}

TEST_F(EnforceTest, DatagramsAreRefusedToo) {
  if (!enforcer_) GTEST_SKIP() << why_;
  Child child([&](char) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM, 0));
    return ::sendto(fd.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
                   1
               ? 0
               : errno;
  });
  ASSERT_EQ(child.ask('c'), 0);
  put(about(child, OrderAction::kBlock));
  EXPECT_EQ(child.ask('c'), EPERM);
}

TEST_F(EnforceTest, SEN_003_RawSocketsAreRefusedAndOrdinaryOnesWork) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  Child child([&](char which) {
    if (which == 'c') return try_connect(server.port);
    const UniqueFd fd(::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    return fd ? 0 : errno;
  });
  ASSERT_EQ(child.ask('r'), 0);
  Order order = about(child, OrderAction::kBlock);
  order.raw_sockets = true;
  put(order);
  EXPECT_EQ(child.ask('r'), EPERM);
  EXPECT_EQ(child.ask('c'), 0);
}

TEST_F(EnforceTest, SEN_003_WhoAsksForAPacketSocketIsKilledWithoutLsm) {
  if (!enforcer_) GTEST_SKIP() << why_;
  Child child([&](char) {
    const UniqueFd fd(::socket(AF_PACKET, SOCK_RAW, 0));
    return fd ? 0 : errno;
  });
  Order order = about(child, OrderAction::kBlock);
  order.raw_sockets = true;
  put(order);
  EXPECT_EQ(child.ask('p'), -1);
  EXPECT_EQ(child.wait_signal(), SIGKILL);
}

TEST_F(EnforceTest, SEN_002_ANamedProgramIsKilledAsItStarts) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const std::string shell = folder_ / "named-shell";
  const std::string other = folder_ / "other-program";
  std::filesystem::copy_file("/bin/true", shell);
  std::filesystem::copy_file("/bin/true", other);
  Child child([&](char which) {
    const pid_t started = ::fork();
    if (started == 0) {
      const std::string& path = which == 's' ? shell : other;
      ::execl(path.c_str(), path.c_str(), nullptr);
      ::_exit(77);
    }
    int status = 0;
    ::waitpid(started, &status, 0);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
  });
  ASSERT_EQ(child.ask('s'), 0);
  Order order = about(child, OrderAction::kBlock);
  order.programs = {"named-shell"};
  put(order);
  EXPECT_EQ(child.ask('s'), 1000 + SIGKILL);
  EXPECT_EQ(child.ask('o'), 0);
}

TEST_F(EnforceTest, SEN_030_OnlyApprovedContentMayStart) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const std::string approved = folder_ / "approved-program";
  const std::string unknown = folder_ / "unknown-program";
  std::filesystem::copy_file("/bin/true", approved);
  std::filesystem::copy_file("/bin/true", unknown);
  Child child([&](char which) {
    const pid_t started = ::fork();
    if (started == 0) {
      const std::string& path = which == 'a' ? approved : unknown;
      ::execl(path.c_str(), path.c_str(), nullptr);
      ::_exit(77);
    }
    int status = 0;
    ::waitpid(started, &status, 0);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
  });
  Order order = about(child, OrderAction::kBlock);
  order.approved = {approved};
  put(order);
  EXPECT_EQ(child.ask('a'), 0);
  EXPECT_EQ(child.ask('u'), 1000 + SIGKILL);
  std::ofstream(approved, std::ios::app | std::ios::binary) << "changed";
  EXPECT_EQ(child.ask('a'), 1000 + SIGKILL) << "the same inode with other content";
}

TEST_F(EnforceTest, AProgramIsKnownByItsFileFromItsFirstInstruction) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  const std::string path = folder_ / "agent-program";
  std::filesystem::copy_file("/bin/bash", path);
  Order order;
  order.id = "by-file";
  order.action = OrderAction::kBlock;
  order.enforces = true;
  order.match.exe = path;
  put(order);
  const std::string script =
      "exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(server.port) + " 2>/dev/null";
  const auto run = [&](const std::string& shell) {
    return std::system((shell + " -c '" + script + "' 2>/dev/null").c_str());
  };
  EXPECT_NE(run(path), 0);
  EXPECT_EQ(run("/bin/bash"), 0);
}

TEST_F(EnforceTest, KillEndsTheProcessAndWhatItStarts) {
  if (!enforcer_) GTEST_SKIP() << why_;
  Child child([](char) { return 0; });
  put(about(child, OrderAction::kKill));
  ASSERT_EQ(decider_->tables().to_kill.size(), 1U);
  EXPECT_TRUE(enforcer_->kill(*decider_->tables().to_kill.begin()));
  EXPECT_EQ(child.wait_signal(), SIGKILL);
}

TEST_F(EnforceTest, AQuarantinedProcessCannotStartPrograms) {
  if (!enforcer_) GTEST_SKIP() << why_;
  Child child([](char) {
    const pid_t started = ::fork();
    if (started == 0) {
      ::execl("/bin/true", "true", nullptr);
      ::_exit(77);
    }
    int status = 0;
    ::waitpid(started, &status, 0);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
  });
  ASSERT_EQ(child.ask('x'), 0);
  put(about(child, OrderAction::kQuarantine));
  EXPECT_EQ(child.ask('x'), 1000 + SIGKILL);
}

TEST_F(EnforceTest, ACgroupIsBlockedWithWhatIsBelowIt) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  const std::string name = "/aispm-test-" + std::to_string(::getpid());
  const std::string root = find_cgroup_root();
  ASSERT_EQ(::mkdir((root + name).c_str(), 0755), 0) << std::strerror(errno);
  ASSERT_EQ(::mkdir((root + name + "/below").c_str(), 0755), 0);
  {
    Child child([&](char) { return try_connect(server.port); });
    std::ofstream(root + name + "/below/cgroup.procs") << child.pid() << std::flush;
    Order order;
    order.id = "by-cgroup";
    order.action = OrderAction::kBlock;
    order.enforces = true;
    order.match.cgroup = name;
    put(order);
    EXPECT_EQ(child.ask('c'), EPERM);
    EXPECT_EQ(try_connect(server.port), 0);
    undo(order);
    EXPECT_EQ(child.ask('c'), 0);
  }
  ::rmdir((root + name + "/below").c_str());
  ::rmdir((root + name).c_str());
}

TEST_F(EnforceTest, AUserIsBlocked) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  constexpr uid_t kUid = 4242407;
  Child child([&](char which) {
    if (which == 'u') return ::setuid(kUid) == 0 ? 0 : errno;
    return try_connect(server.port);
  });
  ASSERT_EQ(child.ask('u'), 0);
  Order order;
  order.id = "by-user";
  order.action = OrderAction::kBlock;
  order.enforces = true;
  order.match.user = std::to_string(kUid);
  put(order);
  EXPECT_EQ(child.ask('c'), EPERM);
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
