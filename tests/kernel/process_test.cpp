// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "sdk/core/common/file.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "tests/kernel/watch.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

constexpr uid_t kNobody = 65534;

// Forks, runs `work` in the child (which must not return) and waits for its end.
std::uint32_t run_child(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(127);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return static_cast<std::uint32_t>(child);
}

void exec(std::vector<std::string> arguments, const char* program = "/bin/true") {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(program, pointers.data());
}

class ProcessTest : public KernelTest {
 protected:
  Exec exec_of(std::uint32_t pid) {
    EXPECT_TRUE(watch_->until([&] { return !watch_->of<Exec>(pid).empty(); }))
        << "no exec was seen";
    const auto found = watch_->of<Exec>(pid);
    return found.empty() ? Exec{} : found.front();
  }
  Exit exit_of(std::uint32_t pid) {
    EXPECT_TRUE(watch_->until([&] { return !watch_->of<Exit>(pid).empty(); }))
        << "no exit was seen";
    watch_->settle();
    const auto found = watch_->of<Exit>(pid);
    EXPECT_THAT(found, SizeIs(1));
    return found.empty() ? Exit{} : found.front();
  }
};

TEST_F(ProcessTest, ExecCarriesArgumentsAsGiven) {
  const std::uint32_t child = run_child([] { exec({"true", "one two", "", "drei\xc3\xa4"}); });
  const Exec seen = exec_of(child);
  EXPECT_THAT(seen.argv, ElementsAre("true", "one two", "", "drei\xc3\xa4"));
  EXPECT_FALSE(seen.argv_truncated);
  EXPECT_FALSE(seen.argv_unreadable);
}

TEST_F(ProcessTest, ExecNamesTheFileThatWasLoadedBehindLinks) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("exec-" + std::to_string(self_));
  std::filesystem::create_directories(folder / "a" / "b");
  std::filesystem::copy_file("/bin/true", folder / "a" / "b" / "real");
  std::filesystem::create_symlink(folder / "a" / "b" / "real", folder / "link");
  const std::string link = folder / "link";
  const std::uint32_t child = run_child([&] { exec({"link"}, link.c_str()); });
  EXPECT_EQ(exec_of(child).exe, std::filesystem::canonical(folder / "a" / "b" / "real"));
  std::filesystem::remove_all(folder);
}

// As /proc/PID/exe has it.
TEST_F(ProcessTest, ExecFromMemoryHasItsName) {
  const std::string name(200, 'n');
  for (const std::string& given : {std::string("agent"), name}) {
    const UniqueFd file(::memfd_create(given.c_str(), 0));
    const auto program = read_file("/bin/true", 1U << 20);
    ASSERT_TRUE(file && program);
    ASSERT_EQ(::write(file.get(), program->data(), program->size()),
              static_cast<ssize_t>(program->size()));
    const std::string path = "/proc/self/fd/" + std::to_string(file.get());
    const std::uint32_t child = run_child([&] { exec({"true"}, path.c_str()); });
    EXPECT_EQ(exec_of(child).exe, given == name ? "..." : "/memfd:agent");
  }
}

TEST_F(ProcessTest, ExecCutsLongArgumentsAndSaysSo) {
  const std::string tail(10'000, 'x');
  const std::uint32_t child = run_child([&] { exec({"true", "head", tail}); });
  const Exec seen = exec_of(child);
  ASSERT_THAT(seen.argv, SizeIs(3));
  EXPECT_EQ(seen.argv[1], "head");
  EXPECT_EQ(seen.argv[2], tail.substr(0, AISPM_ARGS_LEN - sizeof("true") - sizeof("head")));
  EXPECT_TRUE(seen.argv_truncated);
}

// Each capacity of a ring reservation, and one byte to either side.
TEST_F(ProcessTest, ExecKeepsArgumentsOfEverySizeUpToTheLimit) {
  for (const std::size_t block : {159UL, 160UL, 161UL, 671UL, 672UL, 673UL, 4095UL, 4096UL}) {
    const std::string argument(block - sizeof("true") - 1, 'a');
    const std::uint32_t child = run_child([&] { exec({"true", argument}); });
    const Exec seen = exec_of(child);
    EXPECT_THAT(seen.argv, ElementsAre("true", argument)) << block;
    EXPECT_FALSE(seen.argv_truncated) << block;
  }
}

TEST_F(ProcessTest, ExecCarriesParentUserNameAndTimes) {
  const BootTime before = boot_now();
  const std::uint32_t child = run_child([] {
    if (::setuid(kNobody) == 0) exec({"true"});
  });
  const Exec seen = exec_of(child);
  EXPECT_EQ(seen.actor.uid, kNobody);
  EXPECT_EQ(seen.actor.parent.pid, self_);
  EXPECT_EQ(seen.actor.comm, "true");
  EXPECT_EQ(seen.actor.tid, child);
  EXPECT_GT(seen.actor.parent.start.nanoseconds, 0U);
  EXPECT_LT(seen.actor.parent.start, before);
  EXPECT_GE(seen.actor.id.start, before);
  EXPECT_GE(seen.time, seen.actor.id.start);
  EXPECT_LE(seen.time, boot_now());
}

TEST_F(ProcessTest, ExecOfAScriptNamesTheInterpreterAndTheScript) {
  const std::string script =
      std::string(testing::TempDir()) + "/script-" + std::to_string(self_) + ".sh";
  {
    std::ofstream file(script);
    file << "#!/bin/sh\nexit 0\n";
  }
  ASSERT_EQ(::chmod(script.c_str(), 0700), 0);
  const std::uint32_t child = run_child([&] { exec({script, "arg"}, script.c_str()); });
  const Exec seen = exec_of(child);
  EXPECT_EQ(seen.exe, std::filesystem::canonical("/bin/sh"));
  EXPECT_THAT(seen.argv, ElementsAre("/bin/sh", script, "arg"));
  std::filesystem::remove(script);
}

TEST_F(ProcessTest, PidNamespaceIsTheProcessesOwn) {
  struct stat outside {};
  ASSERT_EQ(::stat("/proc/self/ns/pid", &outside), 0);
  const std::uint32_t same = run_child([] { exec({"true"}); });
  EXPECT_EQ(exec_of(same).actor.pid_namespace, outside.st_ino);

  // The middle process stays outside; its child is the first one inside.
  int inside_pid[2];
  ASSERT_EQ(::pipe(inside_pid), 0);
  run_child([&] {
    if (::unshare(CLONE_NEWPID) != 0) ::_exit(1);
    const pid_t inside = ::fork();
    if (inside == 0) exec({"true"});
    if (::write(inside_pid[1], &inside, sizeof(inside)) < 0) ::_exit(1);
    ::waitpid(inside, nullptr, 0);
    ::_exit(0);
  });
  pid_t inside = 0;
  ASSERT_EQ(::read(inside_pid[0], &inside, sizeof(inside)), static_cast<ssize_t>(sizeof(inside)));
  ::close(inside_pid[0]);
  ::close(inside_pid[1]);
  const Exec seen = exec_of(static_cast<std::uint32_t>(inside));
  EXPECT_NE(seen.actor.pid_namespace, outside.st_ino);
  EXPECT_GT(seen.actor.pid_namespace, 0U);
}

TEST_F(ProcessTest, CgroupIdIsTheInodeOfItsFolder) {
  const std::string root = ::access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0
                               ? "/sys/fs/cgroup/unified"
                               : "/sys/fs/cgroup";
  const std::string folder = root + "/aispm-kernel-test-" + std::to_string(self_);
  if (::mkdir(folder.c_str(), 0755) != 0) GTEST_SKIP() << "cannot make " << folder;
  struct stat facts {};
  ASSERT_EQ(::stat(folder.c_str(), &facts), 0);
  const std::uint32_t child = run_child([&] {
    {
      std::ofstream procs(folder + "/cgroup.procs");
      procs << "0";
    }
    exec({"true"});
  });
  EXPECT_EQ(exec_of(child).actor.cgroup_id, facts.st_ino);
  EXPECT_EQ(::rmdir(folder.c_str()), 0);
}

TEST_F(ProcessTest, ExitCarriesTheCode) {
  const std::uint32_t child = run_child([] { ::_exit(42); });
  const Exit seen = exit_of(child);
  EXPECT_EQ(seen.exit_code, 42U);
  EXPECT_EQ(seen.signal, 0U);
  EXPECT_EQ(seen.actor.parent.pid, self_);
}

TEST_F(ProcessTest, ExitCarriesTheSignalAndNoCode) {
  const std::uint32_t child = run_child([] { ::kill(::getpid(), SIGTERM); });
  const Exit seen = exit_of(child);
  EXPECT_EQ(seen.exit_code, 0U);
  EXPECT_EQ(seen.signal, static_cast<std::uint32_t>(SIGTERM));
}

TEST_F(ProcessTest, ExitOfAProcessWithThreadsIsSeenOnceWithItsCode) {
  const std::uint32_t child = run_child([] {
    for (int i = 0; i < 4; ++i) std::thread([] { ::pause(); }).detach();
    ::_exit(9);
  });
  EXPECT_EQ(exit_of(child).exit_code, 9U);
}

TEST_F(ProcessTest, EndOfTheFirstThreadIsNotTheEndOfTheProcess) {
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::thread([&] {
      char byte = 0;
      if (::read(go[0], &byte, 1) == 1) ::_exit(11);
    }).detach();
    ::syscall(SYS_exit, 0);  // this thread only; pthread_exit would unwind the test
  }
  watch_->settle();
  EXPECT_THAT(watch_->of<Exit>(static_cast<std::uint32_t>(child)), SizeIs(0));
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(exit_of(static_cast<std::uint32_t>(child)).exit_code, 11U);
  ::close(go[0]);
  ::close(go[1]);
}

TEST_F(ProcessTest, ExecAndExitShareOneIdentity) {
  const std::uint32_t child = run_child([] { exec({"true"}); });
  EXPECT_EQ(exec_of(child).actor.id, exit_of(child).actor.id);
}

TEST_F(ProcessTest, AThousandProcessesAreAllSeen) {
  std::vector<std::uint32_t> children;
  for (int i = 0; i < 1000; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl("/bin/true", "true", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::waitpid(child, nullptr, 0);
    children.push_back(static_cast<std::uint32_t>(child));
  }
  watch_->settle();
  std::size_t execs = 0;
  std::size_t exits = 0;
  for (const std::uint32_t child : children) {
    execs += watch_->of<Exec>(child).size();
    exits += watch_->of<Exit>(child).size();
  }
  EXPECT_EQ(execs, 1000U);
  EXPECT_EQ(exits, 1000U);
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
