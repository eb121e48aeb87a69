// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/policy_shelf.hpp"

#include <gmock/gmock.h>

#include "gateway/collector/store/operator_log.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

using store::PolicyShelf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kDraft = pb::POLICY_STAGE_DRAFT;
constexpr auto kMonitor = pb::POLICY_STAGE_MONITOR;
constexpr auto kEnforced = pb::POLICY_STAGE_ENFORCED;
constexpr auto kDeprecated = pb::POLICY_STAGE_DEPRECATED;

class PolicyShelfTest : public ::testing::Test {
 protected:
  pb::Policy push(const std::string& content, const std::string& id = "p",
                  const std::string& signed_by = "") {
    pb::PushPolicyRequest request;
    request.set_policy_id(id);
    auto* const file = request.add_files();
    file->set_path("actions.yaml");
    file->set_content(content);
    return must(
        shelf.push(request, {"digest of " + content, signed_by, std::nullopt}, "alice", at(0)));
  }
  Result<pb::Policy> promote(pb::PolicyStage to, std::uint64_t version = 0, bool force = false) {
    pb::PromotePolicyRequest request;
    request.set_policy_id("p");
    request.set_stage(to);
    request.set_version(version);
    request.set_reason("because");
    request.set_force(force);
    return shelf.promote(request, followers, "bob", at(1));
  }
  // "id@version stage" of what a host is given.
  std::vector<std::string> given(const std::string& host = "h1") {
    std::vector<std::string> lines;
    const auto snapshot = must(shelf.snapshot_for(host));
    for (const auto& one : snapshot.policies())
      lines.push_back(one.policy_id() + "@" + std::to_string(one.version()) +
                      (one.stage() == kEnforced ? " enforced" : " monitor"));
    return lines;
  }
  void acknowledge(std::uint64_t version, const std::string& problem = "",
                   const std::string& host = "h1") {
    pb::AckPoliciesRequest request;
    auto* const state = request.add_states();
    state->set_policy_id("p");
    state->set_version(version);
    state->set_problem(problem);
    must(shelf.acknowledge(host, "gateway", request, at(2)));
  }

  Bench bench;
  PolicyShelf shelf{bench.database()};
  PolicyShelf::Followers followers;
};

TEST_F(PolicyShelfTest, ANewPolicyIsADraftAndNobodyGetsIt) {
  const auto policy = push("one");
  EXPECT_EQ(policy.stage(), kDraft);
  EXPECT_EQ(policy.version(), 1U);
  EXPECT_EQ(policy.created_by(), "alice");
  EXPECT_THAT(given(), ElementsAre());
}

// Also behind the thousand that are listed: what was in force when an event happened.
TEST_F(PolicyShelfTest, KnowsWhichVersionWasTheNewestAtATime) {
  must(bench.database().execute("PRAGMA synchronous=OFF"));
  constexpr int kVersions = 1003;
  for (int i = 1; i <= kVersions; ++i) {
    pb::PushPolicyRequest request;
    request.set_policy_id("p");
    auto* const file = request.add_files();
    file->set_path("actions.yaml");
    file->set_content(std::to_string(i));
    must(shelf.push(request, {"digest " + std::to_string(i), "", std::nullopt}, "alice", at(i)));
  }
  push("another", "q");
  EXPECT_EQ(must(shelf.version_at("p", at(1))).version(), 1U);
  EXPECT_EQ(must(shelf.version_at("p", at(2.5))).files(0).content(), "2");
  EXPECT_EQ(must(shelf.version_at("p", at(kVersions + 5))).version(), 1003U);
  for (const char* const id : {"p", "none"}) {
    const auto none = shelf.version_at(id, at(0.5));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::kNotFound);
  }
}

TEST_F(PolicyShelfTest, GoesFromDraftToMonitorToEnforcedToDeprecated) {  // POL-019
  push("one");
  EXPECT_EQ(must(promote(kMonitor)).stage(), kMonitor);
  EXPECT_THAT(given(), ElementsAre("p@1 monitor"));
  EXPECT_EQ(must(promote(kEnforced)).stage(), kEnforced);
  EXPECT_THAT(given(), ElementsAre("p@1 enforced"));
  EXPECT_EQ(must(promote(kMonitor)).stage(), kMonitor);  // back
  EXPECT_EQ(must(promote(kDraft)).stage(), kDraft);
  EXPECT_EQ(must(promote(kDeprecated)).stage(), kDeprecated);
  EXPECT_THAT(given(), ElementsAre());
}

TEST_F(PolicyShelfTest, WhatAWithdrawnKeySignedStaysADraft) {  // POL-006
  push("one", "p", "k1");
  pb::PromotePolicyRequest request;
  request.set_policy_id("p");
  request.set_stage(kMonitor);
  request.set_reason("because");
  const auto promote_with = [&](const std::vector<std::string>& signers) {
    return PolicyShelf(bench.database(), &signers).promote(request, followers, "bob", at(1));
  };
  EXPECT_THAT(promote_with({"k2"}).error().message, HasSubstr("k1"));
  EXPECT_EQ(must(promote_with({"k2", "k1"})).stage(), kMonitor);
  push("two");
  request.set_version(2);
  EXPECT_THAT(promote_with({"k1"}).error().message, HasSubstr("not signed"));
}

TEST_F(PolicyShelfTest, ALongScopeIsStillAnEvent) {
  push("one");
  pb::SetPolicyScopeRequest request;
  request.set_policy_id("p");
  request.set_reason("all of them");
  for (int i = 0; i < 256; ++i) {
    std::string name = std::to_string(i);
    while (name.size() + 2 <= 256) name += "\u00e4";
    request.mutable_scope()->add_agents(name);
    request.mutable_scope()->add_tenants(name);
  }
  must(shelf.set_scope(request, "bob", at(1)));
  must(shelf.set_scope(request, "bob", at(2)));
  const auto noted = must(store::waiting_actions(bench.database(), 16));
  ASSERT_FALSE(noted.empty());
  for (const store::NotedAction& action : noted) EXPECT_LT(action.event.size(), 20'000U);
  pb::Event last;
  ASSERT_TRUE(last.ParseFromString(noted.back().event));
  EXPECT_THAT(last.operator_action().after(), HasSubstr("sha256"));
}

TEST_F(PolicyShelfTest, OtherWaysAreRefused) {  // POL-019
  push("one");
  EXPECT_EQ(promote(kEnforced).error().code, Errc::kExists);
  EXPECT_EQ(promote(kEnforced, 0, true).error().code, Errc::kExists);  // force does not skip stages
  must(promote(kMonitor));
  EXPECT_EQ(promote(kMonitor).error().code, Errc::kExists);
  EXPECT_EQ(promote(kMonitor, 9).error().code, Errc::kNotFound);
  must(promote(kEnforced));
  EXPECT_EQ(promote(kDraft).error().code, Errc::kExists);
  EXPECT_EQ(promote(kEnforced).error().code, Errc::kExists);
  EXPECT_EQ(promote(pb::POLICY_STAGE_UNSPECIFIED).error().code, Errc::kInvalid);
  must(promote(kDeprecated));
  for (const auto stage : {kDraft, kMonitor, kEnforced, kDeprecated})
    EXPECT_EQ(promote(stage).error().code, Errc::kExists);
  pb::PromotePolicyRequest unexplained;
  unexplained.set_policy_id("p");
  unexplained.set_stage(kMonitor);
  EXPECT_EQ(shelf.promote(unexplained, {}, "bob", at(1)).error().code, Errc::kInvalid);
}

TEST_F(PolicyShelfTest, IsEnforcedOnlyOnceEveryFollowerHasIt) {  // POL-019
  push("one");
  must(promote(kMonitor));
  followers = {{"h1", "gateway"}, {"h2", "gateway"}};
  acknowledge(1);
  EXPECT_THAT(promote(kEnforced).error().message, HasSubstr("h2"));
  acknowledge(1, "actions.yaml:3: bad", "h2");
  EXPECT_THAT(promote(kEnforced).error().message, HasSubstr("actions.yaml:3: bad"));
  EXPECT_EQ(must(shelf.get("p")).states_size(), 2);
  acknowledge(1, "", "h2");
  EXPECT_EQ(must(promote(kEnforced)).stage(), kEnforced);
}

TEST_F(PolicyShelfTest, ForceDoesNotWait) {
  push("one");
  must(promote(kMonitor));
  followers = {{"h1", "gateway"}};
  EXPECT_FALSE(promote(kEnforced));
  EXPECT_EQ(must(promote(kEnforced, 0, true)).stage(), kEnforced);
}

TEST_F(PolicyShelfTest, ANewVersionIsMonitoredBesideTheEnforcedOne) {
  push("one");
  must(promote(kMonitor));
  must(promote(kEnforced));
  EXPECT_EQ(push("two").version(), 1U);
  EXPECT_THAT(given(), ElementsAre("p@1 enforced"));
  EXPECT_EQ(promote(kEnforced, 2).error().code, Errc::kExists);  // not monitored yet
  EXPECT_EQ(must(promote(kMonitor, 2)).candidate_version(), 2U);
  EXPECT_THAT(given(), ElementsAre("p@1 enforced", "p@2 monitor"));
  followers = {{"h1", "gateway"}};
  acknowledge(1);
  EXPECT_FALSE(promote(kEnforced));
  acknowledge(2);
  EXPECT_EQ(must(promote(kEnforced)).version(), 2U);
  EXPECT_THAT(given(), ElementsAre("p@2 enforced"));
}

TEST_F(PolicyShelfTest, ARestoreIsANewVersionWithTheSameFiles) {  // POL-020
  push("one");
  push("two");
  pb::RestorePolicyRequest request;
  request.set_policy_id("p");
  request.set_version(1);
  request.set_reason("two was wrong");
  EXPECT_EQ(must(shelf.restore(request, "bob", at(3))).newest_version(), 3U);
  const auto first = must(shelf.version("p", 1));
  const auto third = must(shelf.version("p", 0));
  EXPECT_EQ(third.version(), 3U);
  EXPECT_EQ(third.restored_from(), 1U);
  EXPECT_EQ(third.digest(), first.digest());
  EXPECT_EQ(third.created_by(), "bob");
  ASSERT_EQ(third.files_size(), 1);
  EXPECT_EQ(third.files(0).SerializeAsString(), first.files(0).SerializeAsString());
  EXPECT_EQ(must(shelf.versions("p")).versions_size(), 3);
}

TEST_F(PolicyShelfTest, TheSameFilesTwiceAreNoVersion) {
  push("one");
  pb::PushPolicyRequest request;
  request.set_policy_id("p");
  request.add_files()->set_path("actions.yaml");
  EXPECT_EQ(shelf.push(request, {"digest of one", "", {}}, "alice", at(0)).error().code,
            Errc::kExists);
}

// POL-006: a signature is no part of the digest, and the collector need not know its key.
TEST_F(PolicyShelfTest, TheSameFilesWithASignatureAreAVersion) {
  push("one");
  pb::PushPolicyRequest request;
  request.set_policy_id("p");
  request.add_files()->set_path("actions.yaml");
  auto* const signature = request.add_files();
  signature->set_path("bundle.sig");
  signature->set_content("of alice");
  const PolicyShelf::Checked same{"digest of one", "", {}};
  EXPECT_EQ(must(shelf.push(request, same, "alice", at(0))).newest_version(), 2U);
  EXPECT_EQ(shelf.push(request, same, "alice", at(0)).error().code, Errc::kExists);
}

TEST_F(PolicyShelfTest, AScopeSaysWhoGetsIt) {  // POL-024
  push("one");
  must(promote(kMonitor));
  pb::SetPolicyScopeRequest request;
  request.set_policy_id("p");
  request.set_reason("only there");
  request.mutable_scope()->add_hosts("h1");
  request.mutable_scope()->add_agents("alice/*");
  must(shelf.set_scope(request, "bob", at(1)));
  EXPECT_THAT(given("h1"), ElementsAre("p@1 monitor"));
  EXPECT_THAT(given("h2"), ElementsAre());
  pb::ListPoliciesRequest of_agent;
  of_agent.set_agent_id("alice/codex");
  EXPECT_EQ(must(shelf.list(of_agent)).policies_size(), 1);
  of_agent.set_agent_id("bob/codex");
  EXPECT_EQ(must(shelf.list(of_agent)).policies_size(), 0);
  request.mutable_scope()->set_priority(1001);
  EXPECT_EQ(shelf.set_scope(request, "bob", at(1)).error().code, Errc::kInvalid);
}

TEST_F(PolicyShelfTest, EveryChangeIsNotedWithWhoAndWhy) {  // POL-020
  push("one");
  must(promote(kMonitor));
  must(promote(kEnforced));
  std::vector<std::string> lines;
  for (const auto& noted : must(store::waiting_actions(bench.database(), 100))) {
    pb::Event event;
    ASSERT_TRUE(event.ParseFromString(noted.event));
    const auto& done = event.operator_action();
    lines.push_back(done.who() + " " + done.action() + " " + done.target() + ": " + done.before() +
                    " -> " + done.after());
  }
  EXPECT_THAT(lines, ElementsAre("alice policy.push p: draft@0 -> version 1",
                                 "bob policy.monitor p: draft@1 -> monitor@1",
                                 "bob policy.enforce p: monitor@1 -> enforced@1"));
}

TEST_F(PolicyShelfTest, LimitsAreNamed) {
  pb::PushPolicyRequest request;
  request.set_policy_id("Bad Name");
  request.add_files()->set_path("actions.yaml");
  EXPECT_EQ(shelf.push(request, {}, "alice", at(0)).error().code, Errc::kInvalid);
  request.set_policy_id("p");
  request.mutable_files(0)->set_content(std::string(PolicyShelf::kMaxBundleBytes, 'x'));
  EXPECT_EQ(shelf.push(request, {}, "alice", at(0)).error().code, Errc::kTooLarge);
  request.clear_files();
  EXPECT_EQ(shelf.push(request, {}, "alice", at(0)).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace aispm::collector::test
