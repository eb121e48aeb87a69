// SPDX-License-Identifier: Apache-2.0
// Files with TLS in them: found when they are mapped, whoever maps them and wherever they are, and
// let go of when nobody does.
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "sdk/core/common/file.hpp"
#include "sensor/capture/library_watcher.hpp"
#include "tests/kernel/tls_pair.hpp"
#include "tests/kernel/tls_streams.hpp"
#include "tests/kernel/watch.hpp"
#include "tests/support/temp_folder.hpp"

namespace aispm::sensor::kernel_test {
namespace {

constexpr const char* kPython = "/usr/bin/python3";

std::string system_libssl() {
  for (const char* path : {"/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/lib64/libssl.so.3",
                           "/usr/lib/aarch64-linux-gnu/libssl.so.3"})
    if (::access(path, R_OK) == 0) return path;
  return "";
}

// A Python that loads libssl.so.3 from `folder`, connects over the descriptor given and writes.
class PythonClient {
 public:
  PythonClient(const std::filesystem::path& folder, const std::string& text,
               const std::function<bool()>& prepare = {}) {
    EXPECT_EQ(::fcntl(tcp_.client.get(), F_SETFD, 0), 0);
    const std::string script =
        "import socket, ssl, sys\n"
        "context = ssl._create_unverified_context()\n"
        "with context.wrap_socket(socket.socket(fileno=" +
        std::to_string(tcp_.client.get()) + ")) as tls:\n    tls.sendall(b'" + text +
        "')\n    tls.recv(1)\n";
    pid_ = ::fork();
    if (pid_ == 0) {
      if (prepare && !prepare()) ::_exit(126);
      ::setenv("LD_LIBRARY_PATH", folder.c_str(), 1);
      ::execl(kPython, "python3", "-c", script.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    tcp_.client.reset();
  }
  ~PythonClient() { finish(); }

  std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
  // Takes the handshake and the text; the client waits on after that.
  std::string serve(std::size_t size) {
    server_.reset(::SSL_new(server_context()));
    EXPECT_EQ(::SSL_set_fd(server_.get(), tcp_.server.get()), 1);
    if (::SSL_accept(server_.get()) != 1) return "";
    return read_exactly(server_.get(), size);
  }
  void finish() {
    if (pid_ <= 0) return;
    if (server_) ::SSL_write(server_.get(), "!", 1);
    tcp_.server.reset();
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  TcpPair tcp_;
  Ssl server_;
  pid_t pid_ = -1;
};

class TlsFilesTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    if (::access(kPython, X_OK) != 0 || system_libssl().empty())
      GTEST_SKIP() << "no /usr/bin/python3 or no libssl.so.3";
  }
  std::filesystem::path copy_library(const std::string& name) const {
    const std::filesystem::path folder = std::filesystem::path(files_.path()) / name;
    std::filesystem::create_directories(folder);
    std::filesystem::copy_file(system_libssl(), folder / "libssl.so.3");
    return folder;
  }
  // By its copy, that is: what the child had from us by the fork is the system's.
  bool is_probed(std::uint32_t pid) const {
    const auto facts = watch_->facts_of(pid);
    return std::any_of(facts.begin(), facts.end(), [&](const TlsLibraryFact& fact) {
      return fact.library == "openssl" && fact.is_probed && fact.path.starts_with(files_.path());
    });
  }
  std::string written(std::uint32_t pid) const {
    std::string bytes;
    for (const TlsChunk& chunk : watch_->of<TlsChunk>(pid))
      if (chunk.direction == Direction::kWrite) bytes += chunk.bytes;
    return bytes;
  }

  aispm::testing::TempFolder files_;
};

// Nobody tells the watcher of the process; its interpreter maps the library long after the exec.
TEST_F(TlsFilesTest, ALibraryLoadedLaterIsProbedWhenItIsMapped) {
  const auto folder = copy_library("late");
  PythonClient client(folder, "loaded late");
  ASSERT_TRUE(watch_->until([&] { return is_probed(client.pid()); }));
  EXPECT_EQ(client.serve(11), "loaded late");
  EXPECT_TRUE(watch_->until([&] { return written(client.pid()) == "loaded late"; }));
}

TEST_F(TlsFilesTest, ADeletedLibraryOfARunningProcessIsProbed) {
  watch_.reset();
  const auto folder = copy_library("deleted");
  PythonClient client(folder, "deleted");
  const std::string path = (folder / "libssl.so.3").string();
  const std::string maps = "/proc/" + std::to_string(client.pid()) + "/maps";
  for (int i = 0; i < 1000; ++i) {  // until the loader has mapped it
    if (const auto text = read_file(maps, 16U << 20); text && text->find(path) != std::string::npos)
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::filesystem::remove(folder / "libssl.so.3");
  watch_ = Watch::open();
  ASSERT_TRUE(watch_->until([&] { return is_probed(client.pid()); }));
  EXPECT_EQ(client.serve(7), "deleted");
  EXPECT_TRUE(watch_->until([&] { return written(client.pid()) == "deleted"; }));
}

// Two containers of one image: two overlays over the same lower file.
TEST_F(TlsFilesTest, ALibraryOfTwoOverlaysIsCapturedOnceForEach) {
  const auto folder = copy_library("lower");
  const auto mount_overlay = [&](const std::string& name) -> std::function<bool()> {
    const std::filesystem::path base = std::filesystem::path(files_.path()) / name;
    for (const char* part : {"upper", "work", "merged"})
      std::filesystem::create_directories(base / part);
    return [base, folder] {
      const std::string options = "lowerdir=" + folder.string() +
                                  ",upperdir=" + (base / "upper").string() +
                                  ",workdir=" + (base / "work").string();
      return ::unshare(CLONE_NEWNS) == 0 &&
             ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
             ::mount("overlay", (base / "merged").c_str(), "overlay", 0, options.c_str()) == 0;
    };
  };
  const auto merged = [&](const char* name) {
    return std::filesystem::path(files_.path()) / name / "merged";
  };
  PythonClient one(merged("one"), "from the first", mount_overlay("one"));
  PythonClient two(merged("two"), "from the second", mount_overlay("two"));
  if (!watch_->until([&] { return is_probed(one.pid()) && is_probed(two.pid()); })) {
    int status = 0;
    if (::waitpid(static_cast<pid_t>(one.pid()), &status, WNOHANG) > 0)
      GTEST_SKIP() << "overlayfs cannot be mounted here";
  }
  EXPECT_EQ(one.serve(14), "from the first");
  EXPECT_EQ(two.serve(15), "from the second");
  EXPECT_TRUE(watch_->until([&] { return written(two.pid()).size() >= 15; }));
  watch_->settle();
  EXPECT_EQ(written(one.pid()), "from the first");
  EXPECT_EQ(written(two.pid()), "from the second");
}

// An upgrade: the same path, another inode. Both are captured while both are in use; the old one is
// let go of when its last process ended.
TEST_F(TlsFilesTest, AnUpgradeProbesTheNewFileAndLetsGoOfTheOld) {
  watch_.reset();
  const auto maps = SharedMaps::open({1U << 20, 1U << 20});
  ASSERT_TRUE(maps);
  const auto probes = TlsProbes::open(*maps, find_kernel_features(), 0);
  ASSERT_TRUE(probes) << probes.error().message;
  LibraryWatcher::Options options;
  options.scan_interval = std::chrono::seconds(1);
  LibraryWatcher watcher(*probes, options);
  watcher.set_planner(make_symbol_planner());
  watcher.start();
  const auto folder = copy_library("upgraded");
  const std::string path = (folder / "libssl.so.3").string();
  const auto probed = [&] {
    const auto libraries = watcher.stats().files.libraries;
    return std::count_if(libraries.begin(), libraries.end(), [&](const ProbedLibrary& library) {
      return library.path == path && library.error.empty();
    });
  };
  const auto becomes = [&](long count) {
    for (int i = 0; i < 1500; ++i) {
      if (probed() == count) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  };
  PythonClient old_client(folder, "old");
  EXPECT_TRUE(becomes(1));
  std::filesystem::copy_file(system_libssl(), folder / "next");
  std::filesystem::rename(folder / "next", path);
  PythonClient new_client(folder, "new");
  EXPECT_TRUE(becomes(2));
  old_client.finish();
  EXPECT_TRUE(becomes(1));
  new_client.finish();
  EXPECT_TRUE(becomes(0));
}

// Where perf events are refused, a process is looked at some moments after its exec.
TEST_F(TlsFilesTest, TimedScansFindALibraryWithoutMappingEvents) {
  watch_.reset();
  const auto maps = SharedMaps::open({1U << 20, 1U << 20});
  ASSERT_TRUE(maps);
  const auto probes = TlsProbes::open(*maps, find_kernel_features(), 0);
  ASSERT_TRUE(probes) << probes.error().message;
  LibraryWatcher::Options options;
  options.uses_mapping_events = false;
  LibraryWatcher watcher(*probes, options);
  watcher.set_planner(make_symbol_planner());
  watcher.start();
  EXPECT_EQ(watcher.stats().trigger.substr(0, 11), "timed scans");
  const auto folder = copy_library("timed");
  PythonClient client(folder, "timed");
  watcher.on_exec(client.pid());
  bool is_found = false;
  for (int i = 0; i < 1500 && !is_found; ++i) {
    for (const ProbedLibrary& library : watcher.stats().files.libraries)
      is_found = is_found || library.path == (folder / "libssl.so.3").string();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(is_found);
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
