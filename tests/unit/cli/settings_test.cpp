// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tests/support/temp_folder.hpp"

namespace aispm::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SettingsTest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& content) {
    const std::string path = folder_ / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << content;
    return path;
  }
  // Values of one origin, told apart by their word.
  std::string write_file(const std::string& name, const std::string& word) {
    return write(name, "collector: " + word + ":1\nca_file: " + write(word + ".pem", word + "-ca") +
                           "\ntoken_file: " + write(word + ".token", word + "-token\n") + "\n");
  }
  Result<Settings> resolve() const {
    return resolve_settings(flags_, [this](const std::string& name) {
      const auto found = variables_.find(name);
      return found == variables_.end() ? std::string() : found->second;
    });
  }
  // "collector ca token", or the error.
  std::string resolved() const {
    const auto settings = resolve();
    if (!settings) return settings.error().message;
    return settings->collector + " " + settings->ca_pem + " " +
           std::string(settings->token.expose());
  }

  testing::TempFolder folder_;
  Flags flags_;
  // Keeps the files of this machine's user out.
  std::map<std::string, std::string> variables_ = {{"HOME", folder_ / "home"},
                                                   {"AISPM_STATE", folder_ / "state"}};
};

TEST_F(SettingsTest, FlagsComeBeforeTheEnvironmentAndThatBeforeTheFile) {
  flags_.config = write_file("cli.yaml", "file");
  EXPECT_EQ(resolved(), "file:1 file-ca file-token");
  variables_["AISPM_COLLECTOR"] = "variable:1";
  variables_["AISPM_CA_FILE"] = write("variable.pem", "variable-ca");
  variables_["AISPM_TOKEN"] = "variable-token";
  EXPECT_EQ(resolved(), "variable:1 variable-ca variable-token");
  flags_.collector = "flag:1";
  flags_.ca_file = write("flag.pem", "flag-ca");
  flags_.token_file = write("flag.token", "flag-token\n");
  EXPECT_EQ(resolved(), "flag:1 flag-ca flag-token");
}

TEST_F(SettingsTest, EachValueIsChosenByItself) {
  flags_.config = write_file("cli.yaml", "file");
  flags_.collector = "flag:1";
  variables_["AISPM_TOKEN"] = "variable-token";
  EXPECT_EQ(resolved(), "flag:1 file-ca variable-token");
}

TEST_F(SettingsTest, OneFileIsReadTheNamedOneFirst) {
  write_file("home/.config/aispm/cli.yaml", "home");
  write_file("xdg/aispm/cli.yaml", "xdg");
  EXPECT_EQ(resolved(), "home:1 home-ca home-token");
  variables_["XDG_CONFIG_HOME"] = folder_ / "xdg";
  EXPECT_EQ(resolved(), "xdg:1 xdg-ca xdg-token");
  variables_["AISPM_CLI_CONFIG"] = write_file("named.yaml", "named");
  EXPECT_EQ(resolved(), "named:1 named-ca named-token");
  flags_.config = write_file("flag.yaml", "flag");
  EXPECT_EQ(resolved(), "flag:1 flag-ca flag-token");
}

TEST_F(SettingsTest, FilesAreLookedForInThisOrder) {
  const auto empty = [](const std::string&) { return std::string(); };
  EXPECT_THAT(config_files(empty),
              ::testing::ElementsAre("/etc/aispm/cli.yaml", "/var/lib/aispm/cli.yaml"));
  const auto home = [](const std::string& name) { return name == "HOME" ? "/h" : std::string(); };
  EXPECT_THAT(config_files(home),
              ::testing::ElementsAre("/h/.config/aispm/cli.yaml", "/etc/aispm/cli.yaml",
                                     "/var/lib/aispm/cli.yaml"));
}

TEST_F(SettingsTest, AnErrorInTheFileNamesFileAndLine) {
  struct Case {
    const char* content;
    const char* line;
  };
  for (const auto& [content, line] :
       std::vector<Case>{{"collector: a:1\ncolector: b:1\n", ":2"},
                         {"collector: a:1\ntoken: x\ntoken_file: y\n", ":2"},
                         {"collector: [a, b]\n", ":1"},
                         {"collector: a:1\ncollector: b:1\n", ":2"},
                         {"collector: a:1\n  bad: [\n", ":"}}) {
    flags_.config = write("bad.yaml", content);
    const auto settings = resolve();
    ASSERT_FALSE(settings.has_value()) << content;
    EXPECT_EQ(settings.error().code, Errc::kInvalid) << content;
    EXPECT_THAT(settings.error().message, HasSubstr(flags_.config + line)) << content;
  }
}

TEST_F(SettingsTest, ANamedFileThatIsMissingIsAnError) {
  flags_.config = folder_ / "missing.yaml";
  EXPECT_THAT(resolved(), HasSubstr("missing.yaml"));
}

TEST_F(SettingsTest, WhatIsMissingIsToldWithThePlacesToGiveIt) {
  flags_.config = write("cli.yaml", "ca_file: /nowhere\n");
  EXPECT_THAT(resolved(), AllOf(HasSubstr("no collector address"), HasSubstr("--collector"),
                                HasSubstr("AISPM_COLLECTOR")));
  flags_.collector = "a:1";
  EXPECT_THAT(resolved(), AllOf(HasSubstr("no token"), HasSubstr("AISPM_TOKEN")));
  variables_["AISPM_TOKEN"] = "t";
  EXPECT_THAT(resolved(), HasSubstr("/nowhere"));
}

TEST_F(SettingsTest, AnEmptyTokenFileIsAnError) {
  flags_.config = write_file("cli.yaml", "file");
  flags_.token_file = write("empty.token", "\n");
  EXPECT_THAT(resolved(), HasSubstr("empty.token: holds no token"));
}

TEST_F(SettingsTest, WhatCannotBeATokenIsAnErrorThatDoesNotShowIt) {
  flags_.config = write_file("cli.yaml", "file");
  for (const char* content : {"one-token\nand-another\n", "one token\n", "t\xc3\xb6ken\n"}) {
    flags_.token_file = write("odd.token", content);
    EXPECT_THAT(resolved(), AllOf(HasSubstr("the token has more than one line"),
                                  ::testing::Not(HasSubstr("oken\n"))));
  }
}

TEST_F(SettingsTest, ACompleteCommandLineDoesNotNeedTheFile) {
  write("home/.config/aispm/cli.yaml", "broken: [");
  flags_.collector = "flag:1";
  flags_.ca_file = write("flag.pem", "flag-ca");
  flags_.token_file = write("flag.token", "flag-token");
  EXPECT_EQ(resolved(), "flag:1 flag-ca flag-token");
}

}  // namespace
}  // namespace aispm::cli
