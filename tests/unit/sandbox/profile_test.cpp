// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/plan/profile_file.hpp"

namespace aispm::sandbox {
namespace {

using testing::HasSubstr;

TEST(ProfileFile, TheShippedDefaultEqualsTheBuiltInOne) {
  const auto profile = load_profile(AISPM_SOURCE_DIR "/policies/sandbox/default.yaml");
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(*profile, Profile{});
}

TEST(ProfileFile, ReadsEveryKey) {
  const auto profile = parse_profile(
      "version: 1\nname: tight\nlandlock_min_abi: 6\nfilesystem:\n  read_only: [/opt/models]\n  "
      "read_write: [/srv/out]\n"
      "environment:\n  pass: [LANG]\n  set:\n    MODE: fast\nlimits:\n  memory: 64MiB\n  pids: 9\n "
      " wall_time: 30s\n"
      "network:\n  allow_hosts: [api.example.com, '*.example.org:8443']\n"
      "dangerous:\n  sensitive_paths: true\n",
      "tight.yaml");
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(profile->name, "tight");
  EXPECT_EQ(profile->landlock_min_abi, 6U);
  EXPECT_THAT(profile->read_only, testing::ElementsAre("/opt/models"));
  EXPECT_THAT(profile->set_environment, testing::ElementsAre("MODE=fast"));
  ASSERT_EQ(profile->allow_hosts.size(), 2U);
  EXPECT_EQ(to_text(profile->allow_hosts[0]), "api.example.com:443");
  EXPECT_EQ(to_text(profile->allow_hosts[1]), "*.example.org:8443");
  EXPECT_EQ(profile->limits.memory_bytes, 64ULL << 20);
  EXPECT_EQ(profile->limits.pids, 9U);
  EXPECT_EQ(profile->limits.wall_time, std::chrono::seconds(30));
  EXPECT_TRUE(profile->dangerous.sensitive_paths);
  EXPECT_FALSE(profile->dangerous.secret_environment);
}

struct BadProfile {
  const char* text;
  const char* complaint;
};
class BadProfiles : public testing::TestWithParam<BadProfile> {};

TEST_P(BadProfiles, AreRefusedWithFileAndLine) {
  const auto profile = parse_profile(GetParam().text, "p.yaml");
  ASSERT_FALSE(profile);
  EXPECT_THAT(profile.error().message, HasSubstr("p.yaml:"));
  EXPECT_THAT(profile.error().message, HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadProfiles,
    testing::Values(BadProfile{"version: 2\n", "version"}, BadProfile{"nmae: x\n", "nmae"},
                    BadProfile{"limits:\n  memory: 1KiB\n", "memory"},
                    BadProfile{"limits:\n  pids: 1\n", "pids"},
                    BadProfile{"limits:\n  memmory: 1GiB\n", "memmory"},
                    BadProfile{"filesystem:\n  read_only: [relative]\n", "absolute"},
                    BadProfile{"environment:\n  pass: ['A=B']\n", "variable name"},
                    BadProfile{"network:\n  allow_hosts: [10.0.0.1]\n", "host name"},
                    BadProfile{"network:\n  allow_hosts: ['*']\n", "host name"},
                    BadProfile{"dangerous:\n  everything: true\n", "everything"},
                    BadProfile{"landlock_min_abi: 0\n", "landlock_min_abi"},
                    BadProfile{"[1, 2", "p.yaml"}));

TEST(SetLimit, TakesTheGrammarOfTheProfile) {
  Limits limits;
  ASSERT_TRUE(set_limit(limits, "wall_time", "10m"));
  ASSERT_TRUE(set_limit(limits, "pids", "12"));
  EXPECT_EQ(limits.wall_time, std::chrono::minutes(10));
  EXPECT_EQ(limits.pids, 12U);
}

TEST(SetLimit, RefusesWhatIsNoLimitAndNamesTheOption) {
  Limits limits;
  for (const char* bad : {"lots", "-1", "1\npids: 3", "\"", ""}) {
    const auto set = set_limit(limits, "memory", bad);
    ASSERT_FALSE(set) << bad;
    EXPECT_THAT(set.error().message, HasSubstr("--memory"));
  }
  EXPECT_EQ(limits, Limits{});
}

}  // namespace
}  // namespace aispm::sandbox
