// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/narrow.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/sandbox/fake_host.hpp"

namespace aispm::sandbox {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Narrow : public testing::Test {
 protected:
  Narrow() {
    host_.add_file("/srv/work/x", "");
    host_.add_file("/data/y", "");
    host_.add_link("/srv/work/out", "/data");
    host_.enter("/home/ann/bot");
    request_.command = {"/usr/bin/true"};
    request_.gateway_socket = "/run/gw.sock";
    request_.session_id = "s";
    request_.profile = profile_for("");
  }

  Result<std::vector<std::string>> narrowed(const std::string& keys) {
    auto parsed = policy::SandboxRules::parse("rules: [{id: r1, " + keys + "}]", "sandbox.yaml");
    EXPECT_TRUE(parsed) << parsed.error().message;
    rules_ = std::move(*parsed);
    const auto plan = make_plan(host_, request_);
    EXPECT_TRUE(plan) << plan.error().message;
    return narrow(host_, rules_.of("ann/true"), *plan, request_);
  }
  std::string refused(const std::string& keys) {
    const Profile before = request_.profile;
    const auto result = narrowed(keys);
    EXPECT_FALSE(result) << keys;
    EXPECT_EQ(request_.profile, before);
    if (result) return "";
    EXPECT_EQ(result.error().code, Errc::kDenied);
    return result.error().message;
  }

  FakeHost host_;
  Request request_;
  policy::SandboxRules rules_;
};

TEST_F(Narrow, LowersLimitsAndRaisesNone) {
  const Limits before = request_.profile.limits;
  const auto notes = narrowed("limits: {memory: 64MiB, pids: 1000, wall_time: 10s, cpus: 0.5}");
  ASSERT_TRUE(notes) << notes.error().message;
  const Limits& limits = request_.profile.limits;
  EXPECT_EQ(limits.memory_bytes, 64U << 20);
  EXPECT_EQ(limits.pids, before.pids);                    // 256, less than the rule's
  EXPECT_EQ(limits.wall_time, std::chrono::seconds(10));  // there was none
  EXPECT_EQ(limits.cpu_milli, 500U);
  EXPECT_THAT(*notes, SizeIs(3));
  EXPECT_THAT(notes->front(), HasSubstr("rule r1 of sandbox.yaml"));
}

TEST_F(Narrow, ASmallerDiskMakesScratchFoldersSmaller) {
  ASSERT_TRUE(narrowed("limits: {disk: 30MiB}"));
  const Limits& limits = request_.profile.limits;
  EXPECT_LE(limits.tmp_bytes + limits.shm_bytes + limits.home_bytes, limits.disk_bytes);
  EXPECT_EQ(limits.disk_bytes, 30U << 20);
}

TEST_F(Narrow, LeavesAloneWhatIsStricterAlready) {
  const Profile before = request_.profile;
  const auto notes =
      narrowed("limits: {memory: 1000GiB}, profiles: [default], dangerous: false, allow_hosts: []");
  ASSERT_TRUE(notes) << notes.error().message;
  EXPECT_THAT(*notes, IsEmpty());
  EXPECT_EQ(request_.profile, before);
}

TEST_F(Narrow, TakesHostsAwayThatTheRuleDoesNotName) {
  request_.profile.allow_hosts = {*parse_host_rule("pypi.org"), *parse_host_rule("evil.test")};
  const auto notes = narrowed("allow_hosts: ['pypi.org', other.test]");
  ASSERT_TRUE(notes) << notes.error().message;
  EXPECT_THAT(request_.profile.allow_hosts, ElementsAre(*parse_host_rule("pypi.org")));
  EXPECT_THAT(*notes, ElementsAre(HasSubstr("evil.test")));
}

TEST_F(Narrow, RefusesProfilesThatAreNotNamedAndFilesThatCallThemselvesSo) {
  EXPECT_THAT(refused("profiles: [offline, python]"),
              AllOf(HasSubstr("rule r1"), HasSubstr("--profile"), HasSubstr("offline, python")));
  request_.profile.read_write = {"/data"};  // a file with `name: default`
  EXPECT_THAT(refused("profiles: [default]"), HasSubstr("profile default is not permitted"));
}

TEST_F(Narrow, RefusesDangerousPermissions) {
  request_.profile.dangerous.secret_environment = true;
  EXPECT_THAT(refused("dangerous: false"), HasSubstr("dangerous"));
}

TEST_F(Narrow, RefusesSharesElsewhereWhateverTheyAreCalled) {
  request_.read_write = {"/srv/work"};
  EXPECT_TRUE(narrowed("read_write: [/srv/work/]"));
  EXPECT_TRUE(narrowed("read_write: [/srv]"));
  EXPECT_THAT(refused("read_write: []"), HasSubstr("--rw /srv/work"));
  EXPECT_THAT(refused("read_write: [/srv/wor]"), HasSubstr("--rw /srv/work"));
  request_.read_write = {"/srv/work/out"};  // leads to /data
  EXPECT_THAT(refused("read_write: [/srv/work]"), HasSubstr("--rw /srv/work/out"));
  request_.read_write = {};
  request_.read_only = {"/data"};
  EXPECT_THAT(refused("read_only: [/srv]"), HasSubstr("--ro /data"));
  EXPECT_TRUE(narrowed("read_only: [], read_write: [/data]"));
}

TEST_F(Narrow, RefusesWorkspacesElsewhere) {
  request_.workspace = "/srv/work";
  EXPECT_TRUE(narrowed("workspaces: [/srv]"));
  EXPECT_THAT(refused("workspaces: []"), HasSubstr("workspace /srv/work"));
}

TEST_F(Narrow, RaisesTheIsolation) {
  ASSERT_TRUE(narrowed("isolation: gvisor"));
  EXPECT_EQ(request_.profile.isolation, Isolation::kGvisor);
}

TEST(SandboxRules, FitAgentsAndAllOfThemCount) {
  const auto rules = policy::SandboxRules::parse(
      "rules:\n"
      "  - {id: all, limits: {pids: 100}}\n"
      "  - {id: coders, agent: '*/codex', allow_hosts: ['*.example.com']}\n",
      "sandbox.yaml");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_THAT(rules->of("ann/codex"), SizeIs(2));
  EXPECT_THAT(rules->of("ann/other"), SizeIs(1));
  EXPECT_EQ(rules->refusing("ann/other", {"evil.test", 443}), nullptr);
  EXPECT_EQ(rules->refusing("ann/codex", {"a.example.com", 443}), nullptr);
  ASSERT_NE(rules->refusing("ann/codex", {"evil.test", 443}), nullptr);
  EXPECT_EQ(rules->refusing("ann/codex", {"a.example.com", 80})->id, "coders");
}

TEST(SandboxRules, ErrorsNameTheLine) {
  for (const char* const text :
       {"rules:\n  - {agent: a}\n", "rules:\n  - {id: a, read_write: [data]}\n",
        "rules:\n  - {id: a, limits: {pids: 0}}\n", "rules:\n  - {id: a, limits: {memory: 1MiB}}\n",
        "rules:\n  - {id: a, allow_hosts: [10.0.0.1]}\n", "rules:\n  - {id: a, hosts: []}\n"}) {
    const auto rules = policy::SandboxRules::parse(text, "sandbox.yaml");
    ASSERT_FALSE(rules) << text;
    EXPECT_THAT(rules.error().message, HasSubstr("sandbox.yaml:2")) << text;
  }
  EXPECT_FALSE(policy::SandboxRules::parse("rules: [{id: a}, {id: a}]", "sandbox.yaml"));
  EXPECT_FALSE(policy::SandboxRules::parse(std::string(13U << 10, '#'), "sandbox.yaml"));
}

TEST(SandboxRules, TravelAsHex) {
  const std::string text = "rules: [{id: a, reason: \"'\\\"\"}]\n\xff";
  EXPECT_EQ(policy::from_hex(policy::as_hex(text)), text);
  EXPECT_FALSE(policy::from_hex("abc"));
  EXPECT_FALSE(policy::from_hex("zz"));
}

}  // namespace
}  // namespace aispm::sandbox
