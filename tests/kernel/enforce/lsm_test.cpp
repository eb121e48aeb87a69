// SPDX-License-Identifier: Apache-2.0
// What needs BPF LSM: refused, and nobody is killed for it. SEN-002, SEN-003, SEN-004, SEN-005,
// SEN-022, SEN-030. Skips where the kernel has none; the VM tests run it on Debian's kernels.
#include <fcntl.h>
#include <linux/if_packet.h>
#include <sys/ptrace.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/kernel/enforce/fixture.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using model::Order;
using model::OrderAction;

class LsmTest : public EnforceTest {
 protected:
  LsmTest() { uses_lsm_ = true; }
  void SetUp() override {
    EnforceTest::SetUp();
    if (!enforcer_) GTEST_SKIP() << why_;
    load();
    const std::string has = enforcer_->features()["enforce.lsm"];
    if (has != "yes") GTEST_SKIP() << has;
  }
};

int run_program(const std::string& path) {
  const pid_t started = ::fork();
  if (started == 0) {
    ::execl(path.c_str(), path.c_str(), nullptr);
    ::_exit(errno == EPERM ? 99 : 77);
  }
  int status = 0;
  ::waitpid(started, &status, 0);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

int try_open(const std::string& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  return fd ? 0 : errno;
}

TEST_F(LsmTest, SEN_002_ANamedProgramIsRefusedAndItsParentGoesOn) {
  const std::string shell = folder_ / "named-shell";
  const std::string link = folder_ / "link";
  std::filesystem::copy_file("/bin/true", shell);
  std::filesystem::create_symlink(shell, link);
  Child child([&](char which) { return run_program(which == 'l' ? link : shell); });
  ASSERT_EQ(child.ask('s'), 0);
  Order order = about(child, OrderAction::kBlock);
  order.programs = {"named-shell"};
  put(order);
  EXPECT_EQ(child.ask('s'), 99);
  EXPECT_EQ(child.ask('l'), 99) << "a link does not help";
  undo(order);
  EXPECT_EQ(child.ask('s'), 0);
}

TEST_F(LsmTest, SEN_003_PacketSocketsAreRefused) {
  Child child([](char) {
    const UniqueFd fd(::socket(AF_PACKET, SOCK_RAW, 0));
    return fd ? 0 : errno;
  });
  Order order = about(child, OrderAction::kBlock);
  order.raw_sockets = true;
  put(order);
  EXPECT_EQ(child.ask('p'), EPERM);
  EXPECT_EQ(child.ask('p'), EPERM) << "it lives";
}

TEST_F(LsmTest, SEN_004_OnlyWritingBelowProcAndSysIsRefused) {
  Child child([](char which) {
    if (which == 'r') return try_open("/proc/self/status", O_RDONLY);
    if (which == 's') return try_open("/sys/kernel/uevent_seqnum", O_RDONLY);
    return try_open("/proc/sys/kernel/panic", O_WRONLY);
  });
  ASSERT_EQ(child.ask('w'), 0);
  Order order = about(child, OrderAction::kBlock);
  order.kernel_writes = true;
  put(order);
  EXPECT_EQ(child.ask('w'), EPERM);
  EXPECT_EQ(child.ask('r'), 0);
  EXPECT_EQ(child.ask('s'), 0);
}

TEST_F(LsmTest, SEN_005_WritingOutsideTheAllowedFoldersIsRefusedAlsoThroughLinks) {
  const std::string inside = folder_ / "inside";
  const std::string outside = folder_ / "outside";
  std::filesystem::create_directory(inside);
  std::filesystem::create_directory(outside);
  std::filesystem::create_directory(folder_ / "inside-not");
  std::ofstream(outside + "/file") << "x";
  std::filesystem::create_symlink(outside + "/file", inside + "/link");
  Child child([&](char which) {
    switch (which) {
      case 'i':
        return try_open(inside + "/new", O_WRONLY | O_CREAT | O_TRUNC);
      case 'd':
        return ::mkdir((inside + "/folder").c_str(), 0700) == 0 ? 0 : errno;
      case 'o':
        return try_open(outside + "/file", O_WRONLY);
      case 'c':
        return try_open(outside + "/made", O_WRONLY | O_CREAT);
      case 'l':
        return try_open(inside + "/link", O_WRONLY);
      case 'p':
        return try_open(folder_ / "inside-not/file", O_WRONLY | O_CREAT);
      case 'u':
        return ::unlink((outside + "/file").c_str()) == 0 ? 0 : errno;
      case 'm':
        return ::rename((inside + "/new").c_str(), (outside + "/new").c_str()) == 0 ? 0 : errno;
      default:
        return try_open(outside + "/file", O_RDONLY);
    }
  });
  Order order = about(child, OrderAction::kBlock);
  order.write_folders = {inside};
  put(order);
  EXPECT_EQ(child.ask('i'), 0);
  EXPECT_EQ(child.ask('d'), 0);
  EXPECT_EQ(child.ask('r'), 0);
  EXPECT_EQ(child.ask('o'), EPERM);
  EXPECT_EQ(child.ask('c'), EPERM);
  EXPECT_FALSE(std::filesystem::exists(outside + "/made"));
  EXPECT_EQ(child.ask('l'), EPERM) << "a link does not help";
  EXPECT_EQ(child.ask('p'), EPERM) << "a name that starts the same does not help";
  EXPECT_EQ(child.ask('u'), EPERM);
  EXPECT_EQ(child.ask('m'), EPERM);
  undo(order);
  EXPECT_EQ(child.ask('o'), 0);
}

TEST_F(LsmTest, SEN_030_OnlyApprovedContentMayStart) {
  const std::string approved = folder_ / "approved-program";
  const std::string unknown = folder_ / "unknown-program";
  std::filesystem::copy_file("/bin/true", approved);
  std::filesystem::copy_file("/bin/true", unknown);
  Child child([&](char which) { return run_program(which == 'a' ? approved : unknown); });
  Order order = about(child, OrderAction::kBlock);
  order.approved = {approved};
  put(order);
  EXPECT_EQ(child.ask('a'), 0);
  EXPECT_EQ(child.ask('u'), 99);
  std::ofstream(approved, std::ios::app | std::ios::binary) << "changed";
  EXPECT_EQ(child.ask('a'), 99) << "the same inode with other content";
}

TEST_F(LsmTest, SEN_020_AQuarantinedProcessCanDoNothingMore) {
  const Server server;
  const std::string file = folder_ / "file";
  std::ofstream(file) << "x";
  Child child([&](char which) {
    if (which == 'x') return run_program("/bin/true");
    if (which == 'w') return try_open(file, O_WRONLY);
    return try_connect(server.port);
  });
  ASSERT_EQ(child.ask('x') + child.ask('w') + child.ask('c'), 0);
  put(about(child, OrderAction::kQuarantine));
  EXPECT_EQ(child.ask('x'), 99);
  EXPECT_EQ(child.ask('w'), EPERM);
  EXPECT_EQ(child.ask('c'), EPERM);
}

TEST_F(LsmTest, SEN_022_TheSensorCannotBeSignalledTracedOrUnloaded) {
  // The test itself stands for the sensor.
  std::string why;
  crash();
  EnforcerOptions options;
  options.pins = pins_;
  Child child([](char which) {
    const pid_t sensor = ::getppid();
    if (which == 'k') return ::kill(sensor, SIGKILL) == 0 ? 0 : errno;
    if (which == '0') return ::kill(sensor, 0) == 0 ? 0 : errno;
    if (::ptrace(PTRACE_SEIZE, sensor, nullptr, nullptr) != 0) return errno;
    return ::ptrace(PTRACE_DETACH, sensor, nullptr, nullptr) == 0 ? 0 : errno;
  });
  ASSERT_TRUE(start());
  load();
  const auto listed = enforcer_->list_processes();
  ASSERT_TRUE(listed);
  for (const ListedProcess& one : *listed)
    if (one.id.pid == static_cast<std::uint32_t>(::getpid())) options.self = one.id;
  const model::ProcessId target = id_of(child);
  enforcer_.reset();
  auto protected_one = Enforcer::open(options);
  ASSERT_TRUE(protected_one) << protected_one.error().message;
  enforcer_ = std::move(*protected_one);
  Order order;
  order.id = "tamper";
  order.action = OrderAction::kBlock;
  order.enforces = true;
  order.tamper = true;
  order.match.process = target;
  put(order);
  EXPECT_EQ(child.ask('k'), EPERM);
  EXPECT_EQ(child.ask('t'), EPERM);
  EXPECT_EQ(child.ask('0'), 0);
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
