// SPDX-License-Identifier: Apache-2.0
// MCP-017, REG-009, POL-028: what people decided in the collector, beside a bundle's own files.
#include "sdk/core/policy/registry_part.hpp"

#include <gmock/gmock.h>

#include "sdk/core/policy/bundle.hpp"
#include "sdk/core/policy/policy_book.hpp"

namespace aispm::policy {
namespace {

using testing::HasSubstr;

const std::string kOne(64, 'a');
const std::string kTwo(64, 'b');
constexpr WallTime kNow{1'800'000'000'000'000'000};

std::shared_ptr<const RegistryPart> part(const std::string& text) {
  auto parsed = RegistryPart::parse(text, kRegistryFile);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return parsed ? *parsed : nullptr;
}

std::shared_ptr<const Bundle> bundle(const std::vector<FolderFile>& files,
                                     const std::string& registry,
                                     const AgentRegistry* host = nullptr) {
  BundleOptions options;
  if (!registry.empty()) options.registry = part(registry);
  options.host_agents = host;
  auto compiled = Bundle::compile(files, options);
  EXPECT_TRUE(compiled) << (compiled ? "" : compiled.error().message);
  return compiled ? *compiled : nullptr;
}

std::string rule_of(const Bundle& bundle, std::string_view tool, std::string_view provider,
                    std::string_view description) {
  return std::string(
      bundle.tools()->judge_sight(tool, provider, {.description = description}).rule_id);
}

std::string pinned(const std::string& tool, const std::string& hash) {
  return "tools:\n  - {\"name\": \"" + tool + "\", \"pins\": [{\"description\": \"" + hash +
         "\"}]}\n";
}

TEST(Registry, AnApprovalUnblocksADefinitionThatAPinOfTheBundleDoesNotName) {
  const std::vector<FolderFile> files = {
      {"tools.yaml", "tools: [{name: send, pins: [{description: " + kOne + "}]}]\n"}};
  EXPECT_EQ(rule_of(*bundle(files, ""), "send", "mail", kTwo), "tools.changed");
  const auto approved = bundle(files, pinned("send", kTwo));
  EXPECT_EQ(rule_of(*approved, "send", "mail", kTwo), "");
  EXPECT_EQ(rule_of(*approved, "send", "mail", kOne), "");
  EXPECT_EQ(rule_of(*approved, "send", "mail", std::string(64, 'c')), "tools.changed");
}

TEST(Registry, ABlockHoldsWhateverTheBundleSays) {
  const std::string blocked = "tools: [{name: send, blocked: true, reason: It lies}]\n";
  const std::vector<FolderFile> with_file = {{"tools.yaml", "tools: [{name: 'se*'}]\n"}};
  for (const auto& files :
       {with_file, std::vector<FolderFile>{{"actions.yaml", "defaults: {outcome: allow}\n"}}})
    EXPECT_EQ(rule_of(*bundle(files, blocked), "send", "mail", ""), "tools.blocked");
}

TEST(Registry, DoesNotUndoABlockOfTheBundle) {
  const std::vector<FolderFile> files = {{"tools.yaml", "tools: [{name: send, blocked: true}]\n"}};
  EXPECT_EQ(rule_of(*bundle(files, pinned("send", kOne)), "send", "", kOne), "tools.blocked");
}

TEST(Registry, RegistersToolsForABundleThatDemandsIt) {
  const std::vector<FolderFile> files = {{"tools.yaml", "tools: []\n"}};
  EXPECT_EQ(rule_of(*bundle(files, ""), "send", "mail", ""), "tools.unregistered");
  EXPECT_EQ(rule_of(*bundle(files, "tools: [{name: send, provider: mail}]\n"), "send", "mail", ""),
            "");
  EXPECT_EQ(rule_of(*bundle(files, "tools: [{name: send, provider: mail}]\n"), "send", "other", ""),
            "tools.unregistered");
}

TEST(Registry, ToolsThatNobodyDecidedAboutAreNotAskedAboutWithoutToolsYaml) {
  const auto made =
      bundle({{"actions.yaml", "defaults: {outcome: allow}\n"}}, pinned("send", kOne));
  EXPECT_EQ(rule_of(*made, "other", "", kTwo), "");
  EXPECT_EQ(rule_of(*made, "send", "", kTwo), "tools.changed");
}

TEST(Registry, AToolCalledStarIsNotAllTools) {
  const std::vector<FolderFile> files = {{"tools.yaml", "tools: []\n"}};
  const auto made = bundle(files, "tools: [{name: '*', provider: 'm?'}]\n");
  EXPECT_EQ(rule_of(*made, "send", "ma", ""), "tools.unregistered");
  EXPECT_EQ(rule_of(*made, "*", "m?", ""), "");
}

TEST(Registry, WhatTheBundleSaysOfAToolStands) {
  const std::vector<FolderFile> files = {
      {"tools.yaml", "tools: [{name: send, scope: mail, posture_below: 0.3}]\n"}};
  const auto made = bundle(files, "tools: [{name: send, scope: any, posture_below: 0.9}]\n");
  const Tool* const tool = made->tools()->registry().find("send", "");
  EXPECT_EQ(tool->scope, "mail");
  EXPECT_DOUBLE_EQ(tool->posture_below, 0.3);
}

TEST(Registry, AgentsOfTheRegistryGoBeforeThoseOfTheBundle) {
  const std::vector<FolderFile> files = {
      {"agents.yaml", "agents: [{agent: 'alice/*', roles: [admin], trust: privileged}]\n"}};
  const auto made = bundle(files, "agents: [{agent: alice/x, roles: [viewer], trust: basic}]\n");
  EXPECT_EQ(made->agents()->find("alice/x")->facts.roles, std::vector<std::string>{"viewer"});
  EXPECT_EQ(made->agents()->find("alice/y")->facts.trust, TrustLevel::kPrivileged);
}

TEST(Registry, ABlockAloneLeavesTheRightsOfOtherFilesAndRefuses) {
  const std::vector<FolderFile> files = {
      {"agents.yaml", "agents: [{agent: 'alice/*', roles: [admin], trust: privileged}]\n"}};
  const auto made =
      bundle(files, "agents: [{agent: alice/x, blocked: true, reason: SEC-7}, {agent: 'bob/*'}]\n");
  const RegisteredAgent* const blocked = made->agents()->find("alice/x");
  EXPECT_EQ(blocked->facts.trust, TrustLevel::kPrivileged);
  EXPECT_EQ(blocked->refused_by(kNow), "agent.blocked");
  EXPECT_EQ(refusal_of(*blocked, kNow), "SEC-7");
  EXPECT_EQ(made->agents()->find("alice/y")->refused_by(kNow), "");
  EXPECT_EQ(made->agents()->find("bob/z"), nullptr) << "names of the registry are no globs";
}

TEST(Registry, ARegistrationExpires) {  // REG-009
  const auto made =
      bundle({}, "agents: [{agent: a, trust: basic, expires_at: 2027-01-21T00:00:00Z}]\n");
  const RegisteredAgent* const agent = made->agents()->find("a");
  EXPECT_EQ(agent->refused_by({agent->expires->nanoseconds - 1}), "");
  EXPECT_EQ(agent->refused_by(*agent->expires), "agent.expired");
}

TEST(Registry, AgentsOfTheHostCountForBundlesWithoutAgentsYaml) {
  const auto host = AgentRegistry::parse("agents: [{agent: h, roles: [r]}]\n", "gateway.yaml");
  const auto made = bundle({}, "agents: [{agent: a, trust: basic}]\n", &*host);
  EXPECT_NE(made->agents()->find("h"), nullptr);
  EXPECT_FALSE(made->has_agents_file());
  EXPECT_EQ(bundle({}, pinned("t", kOne), &*host)->agents(), nullptr) << "asked of the host itself";
}

TEST(Registry, IsOneOfABundle) {
  BundleOptions options;
  options.registry = part("tools: []\n");
  const auto twice = Bundle::compile({{kRegistryFile, "tools: []\n"}}, options);
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, HasSubstr("registry.yaml"));
  EXPECT_THAT(RegistryPart::parse("tool: []\n", "registry.yaml").error().message,
              HasSubstr("tool"));
}

// --- in the book of a host

OfferedPolicy offer(const std::string& id, std::uint64_t version, const FolderFile& file) {
  OfferedPolicy made;
  made.id = id;
  made.version = version;
  made.stage = PolicyStage::kEnforced;
  made.files = {file};
  made.digest = bundle_digest(made.files);
  return made;
}
OfferedPolicy registry(std::uint64_t version, const std::string& text) {
  return offer(kRegistryPolicy, version, {kRegistryFile, text});
}
const FolderFile kRules{"actions.yaml", "defaults: {outcome: allow}\n"};
constexpr const char* kBlocked = "tools: [{name: send, blocked: true}]\n";

TEST(RegistryInTheBook, IsPartOfEveryPolicyAndDecidesWhereThereIsNone) {
  auto scoped = offer("p", 1, kRules);
  scoped.scope.agents = {Glob("alice/*")};
  const auto book = update_book({}, {scoped, registry(3, kBlocked)}, 1, {}).book;
  const auto* const alice = book->choose("alice/x", "").enforced;
  EXPECT_EQ(alice->id, "p");
  EXPECT_EQ(rule_of(*alice->bundle, "send", "", ""), "tools.blocked");
  EXPECT_EQ(alice->bundle->version(), scoped.digest) << "the policy itself did not change";
  const auto* const bob = book->choose("bob/x", "").enforced;
  EXPECT_EQ(bob->id, kRegistryPolicy);
  EXPECT_EQ(rule_of(*bob->bundle, "send", "", ""), "tools.blocked");
}

TEST(RegistryInTheBook, ANewVersionReachesPoliciesThatDidNotChange) {
  const auto before = update_book({}, {offer("p", 1, kRules), registry(1, kBlocked)}, 1, {}).book;
  const auto same =
      update_book(*before, {offer("p", 1, kRules), registry(1, kBlocked)}, 2, {}).book;
  EXPECT_EQ(same->choose("a", "").enforced->bundle, before->choose("a", "").enforced->bundle);
  const auto after =
      update_book(*before, {offer("p", 1, kRules), registry(2, "tools: [{name: send}]\n")}, 3, {});
  EXPECT_EQ(rule_of(*after.book->choose("a", "").enforced->bundle, "send", "", ""), "");
  for (const PolicyState& state : after.states) EXPECT_EQ(state.problem, "") << state.id;
}

TEST(RegistryInTheBook, OneThatCannotBeReadLeavesTheOldOneInForce) {
  const auto before = update_book({}, {offer("p", 1, kRules), registry(1, kBlocked)}, 1, {}).book;
  const auto after =
      update_book(*before, {offer("p", 1, kRules), registry(2, "tools: {}\n")}, 2, {});
  EXPECT_EQ(rule_of(*after.book->choose("a", "").enforced->bundle, "send", "", ""),
            "tools.blocked");
  EXPECT_THAT(after.states.front().problem, HasSubstr("registry.yaml"));
}

TEST(RegistryInTheBook, WithoutAnOlderOneEverybodyIsDenied) {
  PolicyRules signed_only;
  signed_only.bundle.must_be_signed = true;
  const auto update = update_book({}, {registry(1, kBlocked)}, 1, signed_only);
  const auto* const enforced = update.book->choose("anybody", "").enforced;
  ASSERT_NE(enforced, nullptr);
  EXPECT_EQ(enforced->bundle, nullptr);
  EXPECT_THAT(update.states.front().problem, HasSubstr("not signed"));
}

}  // namespace
}  // namespace aispm::policy
