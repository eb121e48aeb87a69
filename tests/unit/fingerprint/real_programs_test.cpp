// SPDX-License-Identifier: Apache-2.0
// The programs that agents really are, as published. tests/system/runtimes/fixtures.py installs
// them; absent ones are skipped.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <set>

#include "sensor/capture/pread_bytes.hpp"
#include "sensor/fingerprint/analyse.hpp"

namespace aispm::sensor::fingerprint {
namespace {

struct Program {
  std::string name;
  std::string library;
  std::set<Hook> hooks;
};

const std::set<Hook> kSsl{Hook::kSslRead, Hook::kSslWrite};
const std::set<Hook> kAead{Hook::kAeadSeal, Hook::kAeadSealScatter, Hook::kAeadOpen,
                           Hook::kAeadOpenGather};

class RealPrograms : public testing::TestWithParam<Program> {};

// SEN-018 (coverage by runtime): each is found, nothing twice, and memory stays small.
TEST_P(RealPrograms, GiveTheirTlsFunctions) {
  const std::string path = AISPM_SOURCE_DIR "/build/fixtures/bin/" + GetParam().name;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) GTEST_SKIP() << path << " is not there: run tests/system/runtimes/fixtures.py";
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const PreadBytes bytes(fd);
  const auto findings = analyse(bytes, Packs::builtin().value());
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  ::close(fd);
  ASSERT_TRUE(findings) << findings.error().message;
  const auto found = std::find_if(findings->begin(), findings->end(), [](const Finding& one) {
    return one.library == GetParam().library;
  });
  ASSERT_NE(found, findings->end());
  EXPECT_THAT(found->reasons, testing::IsEmpty());
  std::set<Hook> hooks;
  std::set<std::uint64_t> addresses;
  for (const Site& site : found->sites) {
    hooks.insert(site.hook);
    addresses.insert(site.address);
  }
  EXPECT_EQ(hooks, GetParam().hooks);
  EXPECT_EQ(addresses.size(), GetParam().hooks.size());
  EXPECT_LE(after.ru_maxrss - before.ru_maxrss, 150 * 1024);
}

INSTANTIATE_TEST_SUITE_P(Published, RealPrograms,
                         testing::Values(Program{"bun", "boringssl", kSsl},
                                         Program{"claude", "boringssl", kSsl},
                                         Program{"opencode", "boringssl", kSsl},
                                         Program{"deno", "aws-lc", kAead},
                                         Program{"codex", "aws-lc", kAead}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace aispm::sensor::fingerprint
