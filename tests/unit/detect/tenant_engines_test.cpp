// SPDX-License-Identifier: Apache-2.0
// DET-031 and DET-060: rules of a tenant's own take effect without a restart.
#include "sdk/core/detect/tenant_engines.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string pack_of(const std::string& pattern, const std::string& hit = "") {
  return "pack: own\ncategory: custom\nrules:\n  - id: custom.a\n    label: PROJECT\n"
         "    patterns: ['" +
         pattern + "']\n    message: m\n    hits: ['" + (hit.empty() ? pattern : hit) +
         "']\n    misses: ['other']\n";
}

class TenantEnginesTest : public testing::Test {
 protected:
  TenantEnginesTest() {
    std::string name = (fs::temp_directory_path() / "aispm-tenants-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    write("key-[0-9]+", "key-1");
    auto opened = TenantEngines::open(folder_);
    EXPECT_TRUE(opened) << opened.error().message;
    engines_ = std::move(*opened);
  }
  ~TenantEnginesTest() override { fs::remove_all(folder_); }
  void write(const std::string& pattern, const std::string& hit) {
    std::ofstream(folder_ + "/base.yaml")
        << "pack: base\ncategory: secret\nrules:\n  - {id: secret.a, patterns: ['" + pattern +
               "'], message: m, hits: ['" + hit + "'], misses: [m]}\n";
  }
  std::vector<Match> scan_as(const std::string& tenant, std::string_view text) {
    return scan(*engines_->engine_of(tenant), text);
  }
  std::string folder_;
  std::unique_ptr<TenantEngines> engines_;
};

TEST_F(TenantEnginesTest, Det031GivesATenantItsOwnRulesAtRunTime) {
  const auto before = engines_->engine_of("a");
  EXPECT_THAT(scan_as("a", "project falcon"), IsEmpty());
  ASSERT_TRUE(engines_->set_rules("a", pack_of("falcon")));
  EXPECT_THAT(scan_as("a", "project falcon key-1"), SizeIs(2));
  EXPECT_THAT(scan_as("b", "project falcon key-1"), SizeIs(1));
  EXPECT_THAT(scan(*before, "falcon"), IsEmpty());  // who holds the old one keeps it
  const auto engine = engines_->engine_of("a");
  const auto detection =
      describe(engine->rules().back(), scan(*engine, "falcon").front(), "falcon", Surface::kPrompt);
  EXPECT_EQ(detection.category, "custom");
  EXPECT_THAT(detection.features, testing::Contains("label: PROJECT"));
  ASSERT_TRUE(engines_->set_rules("a", ""));
  EXPECT_THAT(scan_as("a", "project falcon"), IsEmpty());
}

TEST_F(TenantEnginesTest, KeepsTheOldRulesWhenNewOnesAreWrong) {
  ASSERT_TRUE(engines_->set_rules("a", pack_of("falcon")));
  const auto unread = engines_->set_rules("a", pack_of("(", "x"));
  ASSERT_FALSE(unread);
  EXPECT_THAT(unread.error().message, HasSubstr("a:6"));
  const auto untrue = engines_->set_rules("a", pack_of("falcon", "hawk"));
  ASSERT_FALSE(untrue);
  EXPECT_THAT(untrue.error().message, HasSubstr("does not fire"));
  EXPECT_THAT(scan_as("a", "falcon"), SizeIs(1));
}

TEST_F(TenantEnginesTest, Det060ReloadsTheFolderForAll) {
  ASSERT_TRUE(engines_->set_rules("a", pack_of("falcon")));
  write("token-[0-9]+", "token-1");
  ASSERT_TRUE(engines_->reload());
  EXPECT_THAT(scan_as("a", "falcon token-1 key-1"), SizeIs(2));
  EXPECT_THAT(scan_as("b", "token-1"), SizeIs(1));
  write("(", "x");
  const auto failed = engines_->reload();
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("base.yaml:4"));
  EXPECT_THAT(scan_as("b", "token-1"), SizeIs(1));
}

}  // namespace
}  // namespace aispm::detect
