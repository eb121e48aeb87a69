// SPDX-License-Identifier: Apache-2.0
// SEN-028: how well the host is guarded, from files of a made-up host.
#include "sensor/discover/posture.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace aispm::sensor {
namespace {

using testing::StartsWith;

class PostureTest : public testing::Test {
 protected:
  PostureTest() : root_(::mkdtemp(folder_.data())) {}
  ~PostureTest() override { std::filesystem::remove_all(root_); }

  void file(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text << '\n';
  }
  std::string read(const std::string& what, const std::optional<std::string>& modules = {}) {
    return read_posture(root_, modules).at("posture." + what);
  }

 private:
  std::string folder_ = testing::TempDir() + "posture-XXXXXX";

 protected:
  std::string root_;
};

TEST_F(PostureTest, TakesModulesFromSecurityfs) {
  file("/sys/kernel/security/lsm", "lockdown,capability,bpf");
  EXPECT_EQ(read("lsm", "capability"), "lockdown,capability,bpf");
  EXPECT_EQ(read("bpf_lsm", "capability"), "yes");
}

TEST_F(PostureTest, AsksTheKernelWhereSecurityfsIsNotMounted) {
  EXPECT_EQ(read("lsm", "capability,landlock"), "capability,landlock");
  EXPECT_EQ(read("bpf_lsm", "capability,landlock"), "no");
  EXPECT_EQ(read("bpf_lsm", "capability,bpf"), "yes");
}

TEST_F(PostureTest, SaysWhatAnUnknownFactWaitsFor) {
  for (const char* what : {"lsm", "bpf_lsm", "lockdown"})
    EXPECT_THAT(read(what), StartsWith("unknown: waits for securityfs")) << what;
  file("/sys/kernel/security/lsm", "capability");
  for (const char* what : {"lsm", "bpf_lsm", "lockdown"})
    EXPECT_THAT(read(what), testing::Not(StartsWith("unknown"))) << what << ": known once mounted";
}

TEST_F(PostureTest, TellsAModuleThatIsOffFromAFactThatIsHidden) {
  EXPECT_EQ(read("lockdown", "capability"), "none");
  EXPECT_THAT(read("lockdown", "lockdown,capability"), StartsWith("unknown: waits"));
  file("/sys/kernel/security/lockdown", "none [integrity] confidentiality");
  EXPECT_EQ(read("lockdown", "lockdown,capability"), "integrity");
  EXPECT_EQ(read("ptrace_scope", "capability"), "no yama");
  EXPECT_EQ(read("ptrace_scope", "capability,yama"), "unknown");
  file("/proc/sys/kernel/yama/ptrace_scope", "1");
  EXPECT_EQ(read("ptrace_scope", "capability,yama"), "1");
}

TEST_F(PostureTest, ReadsTheOtherFacts) {
  file("/proc/sys/kernel/randomize_va_space", "1");
  file("/proc/sys/kernel/unprivileged_userns_clone", "0");
  file("/proc/sys/user/max_user_namespaces", "1000");
  file("/proc/sys/kernel/unprivileged_bpf_disabled", "2");
  EXPECT_EQ(read("aslr"), "partial");
  EXPECT_EQ(read("unprivileged_userns"), "no");
  EXPECT_EQ(read("unprivileged_bpf"), "no");
  EXPECT_EQ(read("seccomp"), "no");
}

TEST(SecurityModules, HaveTheKernelsNames) {
  const std::array<std::uint64_t, 4> ids{108, 100, 109, 4711};
  EXPECT_EQ(name_security_modules(ids), "lockdown,capability,bpf,lsm-4711");
}

}  // namespace
}  // namespace aispm::sensor
