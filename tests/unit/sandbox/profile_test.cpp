// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sandbox/plan/profiles.hpp"

namespace aispm::sandbox {
namespace {

using testing::HasSubstr;

// As the built-in ones are found, but from the files.
Result<Profile> find(const std::string& name) {
  if (name == "default") return profile_for("");
  return load_profile(AISPM_SOURCE_DIR "/policies/sandbox/" + name + ".yaml");
}
Result<Profile> parse(const std::string& text) { return parse_profile(text, "p.yaml", find); }

TEST(ProfileFile, EveryShippedFileIsBuiltInAsItReads) {
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(AISPM_SOURCE_DIR "/policies/sandbox")) {
    auto from_file = load_profile(entry.path().string());
    ASSERT_TRUE(from_file) << from_file.error().message;
    EXPECT_EQ(from_file->files.back(), entry.path().string());
    from_file->files.clear();
    EXPECT_EQ(from_file->name, entry.path().stem().string());
    const auto built_in = load_profile(entry.path().stem().string());
    ASSERT_TRUE(built_in) << built_in.error().message;
    EXPECT_EQ(*from_file, *built_in) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, built_in_profiles().size());
  EXPECT_GE(files, 6U);
}

TEST(ProfileFile, NoShippedProfileHasADangerousPermission) {
  for (const auto& profile : built_in_profiles())
    EXPECT_EQ(profile.make().dangerous, Dangerous{}) << profile.name;
}

TEST(ProfileFile, AnUnknownNameListsTheNames) {
  const auto profile = load_profile("coding");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().code, Errc::kNotFound);
  EXPECT_THAT(profile.error().message,
              HasSubstr("build, coding-agent, default, node, offline, python"));
}

TEST(ProfileFile, AProgramHasItsProfile) {
  EXPECT_EQ(profile_for("claude").name, "coding-agent");
  EXPECT_EQ(profile_for("agent.js").name, "node");
  EXPECT_EQ(profile_for("agent.py").name, "default");
  EXPECT_EQ(profile_for("claude.py").name, "default");
}

TEST(ProfileFile, AnExtensionChangesWhatItNames) {
  const auto profile = parse(
      "name: mine\nextends: coding-agent\nlimits:\n  pids: 9\nworkspace:\n  protect: [Makefile]\n"
      "environment:\n  set:\n    DISABLE_AUTOUPDATER: '0'\n");
  ASSERT_TRUE(profile) << profile.error().message;
  const Profile base = *load_profile("coding-agent");
  EXPECT_EQ(profile->limits.pids, 9U);
  EXPECT_EQ(profile->limits.memory_bytes, base.limits.memory_bytes);
  EXPECT_EQ(profile->home_files, base.home_files);
  EXPECT_THAT(profile->programs, testing::IsEmpty());
  EXPECT_EQ(profile->protect.size(), base.protect.size() + 1);  // it adds, and cannot take away
  EXPECT_THAT(profile->set_environment, testing::Contains("DISABLE_AUTOUPDATER=0"));
  EXPECT_EQ(profile->set_environment.size(), base.set_environment.size());
}

TEST(ProfileFile, OneThatExtendsItselfIsRefused) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("aispm-profile-" + std::to_string(::getpid()) + ".yaml");
  std::ofstream(path) << "name: loop\nextends: ./" << path.filename().string() << "\n";
  const auto profile = load_profile(path.string());
  std::filesystem::remove(path);
  ASSERT_FALSE(profile);
  EXPECT_THAT(profile.error().message, HasSubstr("extend each other"));
}

TEST(ProfileFile, ReadsEveryKey) {
  const auto profile = parse(
      "version: 1\nname: tight\nlandlock_min_abi: 6\nfilesystem:\n  read_only: [/opt/models]\n  "
      "read_write: [/srv/out]\n"
      "environment:\n  pass: [LANG]\n  set:\n    MODE: fast\nlimits:\n  memory: 64MiB\n  pids: 9\n "
      " wall_time: 30s\n"
      "network:\n  allow_hosts: [api.example.com, '*.example.org:8443']\n"
      "workspace:\n  folder: current\n  protect: [Makefile]\nhome:\n  kind: kept\n  files:\n    "
      "a/b: text\n"
      "dangerous:\n  sensitive_paths: true\n  unprotected_paths: [.vscode]\n");
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
  EXPECT_THAT(profile->dangerous.unprotected_paths, testing::ElementsAre(".vscode"));
  EXPECT_TRUE(profile->current_folder_is_workspace);
  EXPECT_THAT(profile->protect, testing::Contains("Makefile"));
  EXPECT_EQ(profile->home, Home::kKept);
  EXPECT_EQ(profile->home_files, (std::vector<HomeFile>{{"a/b", "text"}}));
}

struct BadProfile {
  const char* text;
  const char* complaint;
};
class BadProfiles : public testing::TestWithParam<BadProfile> {};

TEST_P(BadProfiles, AreRefusedWithFileAndLine) {
  const auto profile = parse(GetParam().text);
  ASSERT_FALSE(profile);
  EXPECT_THAT(profile.error().message, HasSubstr("p.yaml:"));
  EXPECT_THAT(profile.error().message, HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadProfiles,
    testing::Values(BadProfile{"version: 2\n", "version"},
                    BadProfile{"nmae: x\n", "p.yaml:1: unknown key `nmae`"},
                    BadProfile{"nmae: x\n", "did you mean `name`?"},
                    BadProfile{"extends: nothing\n", "p.yaml:1: extends"},
                    BadProfile{"network:\n  mode: open\n", "p.yaml:2: mode"},
                    BadProfile{"workspace:\n  protect: [../x]\n", "p.yaml:2: protect"},
                    BadProfile{"workspace:\n  protect: [/x]\n", "below"},
                    BadProfile{"home:\n  kind: real\n", "p.yaml:2: kind"},
                    BadProfile{"home:\n  files:\n    a//b: x\n", "p.yaml:3"},
                    BadProfile{"home:\n  files:\n    a: x\n", "`kind: private`"},
                    BadProfile{"dangerous:\n  unprotected_paths: [src]\n", "no entry"},
                    BadProfile{"limits:\n  memory: 1KiB\n", "memory"},
                    BadProfile{"limits:\n  pids: 1\n", "pids"},
                    BadProfile{"limits:\n  memmory: 1GiB\n", "memmory"},
                    BadProfile{"filesystem:\n  read_only: [relative]\n", "absolute"},
                    BadProfile{"environment:\n  pass: ['A=B']\n", "variable name"},
                    BadProfile{"network:\n  allow_hosts: [10.0.0.1]\n", "host name"},
                    BadProfile{"network:\n  allow_hosts: ['*']\n", "host name"},
                    BadProfile{"dangerous:\n  everything: true\n", "everything"},
                    BadProfile{"landlock_min_abi: 0\n", "landlock_min_abi"},
                    BadProfile{"isolation: kata\n", "isolation"},
                    BadProfile{"admit: [sha256:12]\n", "admit"},
                    BadProfile{"admit: [md5:0123456789abcdef0123456789abcdef]\n", "admit"},
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
