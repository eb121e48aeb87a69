// SPDX-License-Identifier: Apache-2.0
// POL-008: a reload that fails in any of its parts changes nothing.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gateway/proxy/services.hpp"
#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {
namespace {

class ReloadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("aispm-reload-" + std::to_string(::getpid()));
    for (const char* name : {"packs", "bundle"})
      std::filesystem::create_directories(folder_ / name);
    ::chmod((folder_ / "bundle").c_str(), 0700);
    write("packs/test.yaml", kPack);
    write("policy.yaml", kPolicy);
    write("bundle/actions.yaml", "rules: [{id: one, match: {tool: x}, outcome: allow}]\n");
    write("keys.yaml", "keys: [{sha256: " + std::string(64, 'a') + ", agent: bob}]\n");
    Config config;
    config.pack_folder = folder_ / "packs";
    config.policy_file = folder_ / "policy.yaml";
    config.keys_file = folder_ / "keys.yaml";
    config.decide.bundle.folder = folder_ / "bundle";
    auto providers = ProviderSet::open({});
    ASSERT_TRUE(providers);
    services_ = std::make_unique<Services>(std::move(config), std::move(*providers), ProviderSet());
    const auto loaded = services_->reload();
    ASSERT_TRUE(loaded) << loaded.error().message;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    ::chmod((folder_ / name).c_str(), 0600);
  }

  struct State {
    std::shared_ptr<const RuleBook> rules;
    std::shared_ptr<const PolicyView> bundle;
    std::size_t keys;
    bool operator==(const State&) const = default;
  };
  State state() const {
    return {services_->rules.current(), services_->bundles.local(), services_->keys.size()};
  }
  void renew_all() {
    write("policy.yaml", std::string(kPolicy) + "# newer\n");
    write("bundle/actions.yaml", "rules: [{id: two, match: {tool: x}, outcome: deny}]\n");
    write("keys.yaml", "keys: []\n");
  }

  std::filesystem::path folder_;
  std::unique_ptr<Services> services_;
};

TEST_F(ReloadTest, SwapsAllOfThem) {
  const State before = state();
  renew_all();
  ASSERT_TRUE(services_->reload());
  EXPECT_NE(services_->rules.current()->policy->version(), before.rules->policy->version());
  EXPECT_NE(services_->bundles.local()->version(), before.bundle->version());
  EXPECT_EQ(services_->keys.size(), 0U);
}

TEST_F(ReloadTest, ChangesNothingWhenOneOfThemIsWrong) {
  const State before = state();
  for (const char* broken : {"policy.yaml", "bundle/actions.yaml", "keys.yaml"}) {
    renew_all();
    write(broken, "nonsense: [\n");
    EXPECT_FALSE(services_->reload()) << broken;
    EXPECT_EQ(state(), before) << broken;
  }
  renew_all();
  write("keys.yaml", "");
  EXPECT_FALSE(services_->reload()) << "nobody's keys are gone because somebody writes the file";
  EXPECT_EQ(state(), before);
  renew_all();
  EXPECT_TRUE(services_->reload()) << "what failed holds nothing back";
}

}  // namespace
}  // namespace aispm::gateway
