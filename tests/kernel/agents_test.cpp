// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <fstream>
#include <thread>

#include "sensor/capture/proc_reader.hpp"
#include "sensor/capture/tamper_watch.hpp"
#include "tests/kernel/watch.hpp"
#include "tests/support/temp_folder.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint32_t kAgent = 4711;

// A child that waits until it is told to go, so that it can be made an agent before it does
// anything.
class Child {
 public:
  explicit Child(const std::function<void()>& work) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      char byte = 0;
      ::close(ends[1]);
      if (::read(ends[0], &byte, 1) == 1) work();
      ::_exit(0);
    }
    ::close(ends[0]);
    go_ = UniqueFd(ends[1]);
  }
  std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
  model::ProcessId id() const { return read_process(pid()).value().actor.id; }
  void run() {
    EXPECT_EQ(::write(go_.get(), "x", 1), 1);
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
  }

 private:
  pid_t pid_ = 0;
  UniqueFd go_;
};

class AgentsTest : public KernelTest {
 protected:
  void follow(const Child& child) {
    watch_->capture().follow_agent(child.id(), kAgent);
    watch_->capture().watch_files(true);
  }
  template <typename T>
  std::vector<T> all() {
    std::vector<T> found;
    watch_->settle();
    for (const Record& record : watch_->records())
      if (const T* one = std::get_if<T>(&record); one != nullptr && one->agent == kAgent)
        found.push_back(*one);
    return found;
  }
};

// SEN-023: fork, setsid and double fork lose nobody
TEST_F(AgentsTest, FollowsADaemonisedGrandchild) {
  const aispm::testing::TempFolder folder;
  const std::string path = folder.path() + "/written";
  Child child([&] {
    if (::fork() != 0) return;
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    ::usleep(50'000);  // until both parents are gone
    ::close(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
    ::_exit(0);
  });
  follow(child);
  child.run();
  ASSERT_TRUE(watch_->until([&] { return !all<FileOpen>().empty(); }));
  EXPECT_THAT(all<AgentFork>(), SizeIs(2));
  const auto opened = all<FileOpen>();
  ASSERT_THAT(opened, SizeIs(1));
  EXPECT_EQ(opened[0].path, path);
  EXPECT_EQ(opened[0].actor.id.pid, all<AgentFork>()[1].child.pid);
}

// SEN-006, SEN-004, SEN-005: the file that was opened, whatever its name in the call
TEST_F(AgentsTest, TellsTheFileBehindASymbolicLink) {
  const aispm::testing::TempFolder folder;
  const std::string real = folder.path() + "/real";
  std::ofstream(real) << "12345";
  const std::string link = folder.path() + "/link";
  ASSERT_EQ(::symlink(real.c_str(), link.c_str()), 0);
  Child child([&] {
    ::close(::open(link.c_str(), O_RDONLY));
    ::close(::open(link.c_str(), O_RDONLY));
    ::close(::open(link.c_str(), O_RDWR));
  });
  follow(child);
  child.run();
  const auto opened = all<FileOpen>();
  ASSERT_THAT(opened, SizeIs(2)) << "once for reading, once for writing";
  EXPECT_EQ(opened[0].path, real);
  EXPECT_EQ(opened[0].size_bytes, 5U);
  EXPECT_FALSE(opened[0].writes);
  EXPECT_TRUE(opened[1].writes);
  EXPECT_FALSE(opened[1].created);
}

// In a mount namespace of its own, so that the host's is left alone.
TEST_F(AgentsTest, SeesFilesWhereNobodyMountedTracefs) {
  const aispm::testing::TempFolder folder;
  const std::string path = folder.path() + "/new";
  Child child([&] { ::close(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600)); });
  std::thread([&] {
    ASSERT_EQ(::unshare(CLONE_FS | CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    for (const char* mounted : {"/sys/kernel/tracing", "/sys/kernel/debug"})
      while (::umount2(mounted, MNT_DETACH) == 0) {
      }
    follow(child);
  }).join();
  child.run();
  EXPECT_THAT(all<FileOpen>(), SizeIs(1));
}

TEST_F(AgentsTest, TellsAFileThatWasMade) {
  const aispm::testing::TempFolder folder;
  const std::string path = folder.path() + "/new";
  Child child([&] { ::close(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600)); });
  follow(child);
  child.run();
  EXPECT_THAT(all<FileOpen>(), ElementsAre(Field(&FileOpen::created, true)));
}

TEST_F(AgentsTest, SaysNothingOfProcessesOfNoAgent) {
  const aispm::testing::TempFolder folder;
  const std::string path = folder.path() + "/new";
  watch_->capture().watch_files(true);
  Child child([&] { ::close(::open(path.c_str(), O_CREAT | O_WRONLY, 0600)); });
  const std::uint32_t pid = child.pid();
  child.run();
  watch_->settle();
  EXPECT_THAT(watch_->of<FileOpen>(pid), IsEmpty());
}

// SEN-003
TEST_F(AgentsTest, TellsRawAndPacketSocketsOnly) {
  Child child([] {
    ::close(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::close(::socket(AF_INET, SOCK_DGRAM, 0));
    ::close(::socket(AF_PACKET, SOCK_DGRAM, 0));
    ::close(::socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMPV6));
  });
  follow(child);
  child.run();
  const auto sockets = all<RawSocket>();
  ASSERT_THAT(sockets, SizeIs(2));
  EXPECT_EQ(sockets[0].family, static_cast<std::uint32_t>(AF_PACKET));
  EXPECT_EQ(sockets[1].family, static_cast<std::uint32_t>(AF_INET6));
  EXPECT_EQ(sockets[1].protocol, static_cast<std::uint32_t>(IPPROTO_ICMPV6));
}

TEST_F(AgentsTest, WithoutAgentsNoSystemCallIsTraced) {
  watch_->capture().watch_files(true);
  watch_->capture().watch_files(false);
  const aispm::testing::TempFolder folder;
  const std::string path = folder.path() + "/new";
  Child child([&] { ::close(::open(path.c_str(), O_CREAT | O_WRONLY, 0600)); });
  watch_->capture().follow_agent(child.id(), kAgent);
  child.run();
  EXPECT_THAT(all<FileOpen>(), IsEmpty());
}

// SEN-022: who tries to end the sensor is told
TEST_F(AgentsTest, TellsWhoSignalsTheSensor) {
  CaptureOptions options;
  options.mode = CaptureMode::kEbpf;
  options.own_tgid = self_;
  watch_ = Watch::open(options);
  ASSERT_NE(watch_, nullptr);
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ASSERT_EQ(::sigaction(SIGTERM, &ignore, &before), 0);
  Child child([this] { ::kill(static_cast<pid_t>(self_), SIGTERM); });
  const std::uint32_t pid = child.pid();
  child.run();
  ASSERT_TRUE(watch_->until([&] { return !watch_->of<SignalToUs>(pid).empty(); }));
  EXPECT_EQ(watch_->of<SignalToUs>(pid)[0].signal, static_cast<std::uint32_t>(SIGTERM));
  ASSERT_EQ(::sigaction(SIGTERM, &before, nullptr), 0);
}

TEST_F(AgentsTest, TheCanaryComesBack) {
  const aispm::testing::TempFolder folder;
  TamperWatch tamper(folder.path() + "/ld.so.preload");
  EXPECT_THAT(tamper.look(true), IsEmpty());
  std::vector<Listen> seen;
  ASSERT_TRUE(watch_->until([&] {
    seen = watch_->of<Listen>(self_);
    return !seen.empty();
  }));
  tamper.on_own_listen(seen[0].socket.source.port);
  EXPECT_THAT(tamper.look(true), IsEmpty());
}

TEST(TamperWatch, TellsOfALibraryPreloadedEverywhere) {
  const aispm::testing::TempFolder folder;
  const std::string preload = folder.path() + "/ld.so.preload";
  TamperWatch tamper(preload);
  std::ofstream(preload) << "/tmp/evil.so\n";
  EXPECT_THAT(tamper.look(false), ElementsAre(Field(&model::Tamper::kind, std::string("preload"))));
  EXPECT_THAT(tamper.look(false), IsEmpty()) << "told once";
}

TEST(TamperWatch, TellsOfATracer) {
  TamperWatch tamper("/nonexistent");
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  const pid_t tracer = ::fork();
  if (tracer == 0) {
    const pid_t parent = ::getppid();
    if (::ptrace(PTRACE_SEIZE, parent, nullptr, nullptr) != 0) ::_exit(1);
    if (::write(ends[1], "x", 1) != 1) ::_exit(1);
    ::sleep(1);
    ::_exit(0);
  }
  char byte = 0;
  ::close(ends[1]);
  ASSERT_EQ(::read(ends[0], &byte, 1), 1) << "ptrace was refused";
  EXPECT_THAT(tamper.look(false), Contains(Field(&model::Tamper::kind, std::string("ptrace"))));
  int status = 0;
  EXPECT_EQ(::waitpid(tracer, &status, 0), tracer);
  ::close(ends[0]);
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
