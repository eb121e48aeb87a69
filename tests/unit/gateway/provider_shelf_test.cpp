// SPDX-License-Identifier: Apache-2.0
// GW-013: providers change while the gateway runs, whole sets at a time.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "gateway/proxy/providers/admin_providers.hpp"
#include "gateway/proxy/services.hpp"

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ProviderShelfTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("aispm-providers-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    write_key("first");
    write("https://one.example");
    auto config = load_config(file());
    ASSERT_TRUE(config) << config.error().message;
    auto set = ProviderSet::open(config->providers);
    ASSERT_TRUE(set) << set.error().message;
    services_ = std::make_unique<Services>(std::move(*config), std::move(*set), ProviderSet());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file() const { return folder_ / "gateway.yaml"; }
  void write_key(const std::string& key) { std::ofstream(folder_ / "key") << key << "\n"; }
  void write(const std::string& origin, const std::string& more = "") {
    std::ofstream(folder_ / "gateway.yaml")
        << "policy: p\npacks: q\naudit: best_effort\nproviders:\n"
        << "  - {name: moved, dialect: openai, origin: '" << origin
        << "', key_file: " << (folder_ / "key").string() << "}\n"
        << "  - {name: kept, dialect: anthropic, origin: 'https://two.example'}\n"
        << more;
  }
  std::shared_ptr<Provider> provider(std::size_t index) {
    return services_->providers.current()->all().at(index);
  }
  AdminReply ask(const std::string& method, const std::string& rest, const std::string& body = "") {
    const std::string target = std::string(kAdminProviders) + rest;
    return serve_admin_providers(
        {.method = method, .target = target, .body = body, .who = "root (uid 0)"}, *services_);
  }

  std::filesystem::path folder_;
  std::unique_ptr<Services> services_;
};

TEST_F(ProviderShelfTest, TakesANewOriginAndKeepsWhatDidNotChange) {
  const auto moved = provider(0);
  const auto kept = provider(1);
  const auto before = services_->providers.current();
  kept->note_failure("it was down");
  write("https://new.example/v1");
  ASSERT_TRUE(services_->reload_providers());
  EXPECT_EQ(provider(0)->authority(), "new.example");
  EXPECT_EQ(provider(1), kept) << "with its connections and state of health";
  EXPECT_TRUE(provider(1)->is_failing());
  EXPECT_EQ(before->all().at(0), moved) << "whoever took the set before keeps it";
  EXPECT_EQ(moved->authority(), "one.example");
}

TEST_F(ProviderShelfTest, ReadsKeysAnew) {
  write_key("second");
  ASSERT_TRUE(services_->reload_providers());
  EXPECT_THAT(std::string(provider(0)->request_lines()),
              HasSubstr("authorization: Bearer second\r\n"));
}

TEST_F(ProviderShelfTest, ChangesNothingForAFaultyFile) {
  const auto before = services_->providers.current();
  for (const char* wrong :
       {"colour: red\n", "  - {name: kept, dialect: ollama, origin: 'http://x'}\n",
        "  - {name: n, dialect: ollama, origin: 'gopher://x'}\n", "[\n"}) {
    write("https://new.example", wrong);
    EXPECT_FALSE(services_->reload_providers()) << wrong;
    EXPECT_EQ(services_->providers.current(), before) << wrong;
  }
  EXPECT_EQ(ask("POST", "/reload").status, 400);
  std::filesystem::remove(file());
  EXPECT_FALSE(services_->reload_providers());
  EXPECT_EQ(services_->providers.current(), before);
}

TEST_F(ProviderShelfTest, SetsAnOriginOverReloadsUntilItIsUnset) {
  const AdminReply set = ask("PUT", "/moved/origin", "https://other.example:8443/base/\n");
  ASSERT_EQ(set.status, 200) << set.body;
  ASSERT_TRUE(set.done);
  EXPECT_EQ(set.done->before, "moved=https://one.example");
  EXPECT_EQ(set.done->after, "moved=https://other.example:8443/base");
  EXPECT_EQ(provider(0)->authority(), "other.example:8443");
  EXPECT_EQ(provider(0)->config().base_path, "/base");
  ASSERT_TRUE(services_->reload_providers());
  EXPECT_EQ(provider(0)->authority(), "other.example:8443");
  EXPECT_THAT(ask("GET", "").body, HasSubstr("\"set_by\":\"root (uid 0)\""));
  ASSERT_EQ(ask("DELETE", "/moved/origin").status, 200);
  EXPECT_EQ(provider(0)->authority(), "one.example");
  EXPECT_EQ(provider(0)->config().base_path, "");
  EXPECT_EQ(ask("DELETE", "/moved/origin").status, 404);
}

TEST_F(ProviderShelfTest, RefusesWhatIsNoChange) {
  const auto before = services_->providers.current();
  EXPECT_EQ(ask("PUT", "/nobody/origin", "https://x.example").status, 404);
  EXPECT_EQ(ask("PUT", "/moved/origin", "x.example").status, 400);
  EXPECT_EQ(ask("PUT", "/moved/origin", "https://x.example/a?b").status, 400);
  EXPECT_EQ(ask("POST", "/moved/origin").status, 405);
  EXPECT_EQ(ask("POST", "").status, 405);
  EXPECT_EQ(ask("GET", "/moved").status, 404);
  EXPECT_EQ(services_->providers.current(), before);
}

TEST_F(ProviderShelfTest, ListsStatesAndNoKeys) {
  provider(0)->note_failure("refused the connection");
  const AdminReply listed = ask("GET", "");
  EXPECT_THAT(listed.body, HasSubstr("\"state\":\"failing: refused the connection\""));
  EXPECT_THAT(listed.body, HasSubstr("\"origin\":\"https://two.example\""));
  EXPECT_THAT(listed.body, Not(HasSubstr("first")));
  EXPECT_FALSE(listed.done);
}

}  // namespace
}  // namespace aispm::gateway
