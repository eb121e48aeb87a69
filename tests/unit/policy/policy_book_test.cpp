// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/policy_book.hpp"

#include <gmock/gmock.h>

#include "sdk/core/common/ed25519.hpp"

namespace aispm::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

OfferedPolicy offer(const std::string& id, std::uint64_t version,
                    PolicyStage stage = PolicyStage::kEnforced, std::uint32_t priority = 0) {
  OfferedPolicy made;
  made.id = id;
  made.version = version;
  made.stage = stage;
  made.scope.priority = priority;
  made.files = {{"actions.yaml", "rules: [{id: " + id + std::to_string(version) +
                                     ", match: {tool: t}, outcome: allow}]\n"}};
  made.digest = bundle_digest(made.files);
  return made;
}

std::string chosen(const PolicyBook& book, std::string_view agent = "alice/codex",
                   std::string_view tenant = "") {
  const auto choice = book.choose(agent, tenant);
  return choice.enforced == nullptr
             ? ""
             : choice.enforced->id + "@" + std::to_string(choice.enforced->version);
}

std::vector<std::string> monitored(const PolicyBook& book) {
  std::vector<std::string> names;
  for (const AssignedPolicy* one : book.choose("alice/codex", "").monitored)
    names.push_back(one->id + "@" + std::to_string(one->version));
  return names;
}

PolicyUpdate update(const PolicyBook& before, std::vector<OfferedPolicy> offered,
                    const PolicyRules& rules = {}) {
  return update_book(before, std::move(offered), 1, rules);
}

TEST(PolicyBook, TheLowestNumberDecidesThenTheId) {  // POL-024
  const auto one =
      update({}, {offer("b", 1), offer("a", 1), offer("c", 1, PolicyStage::kEnforced, 5)});
  EXPECT_EQ(chosen(*one.book), "a@1");
  auto first = offer("z", 1);
  first.scope.priority = 0;
  first.scope.agents = {Glob("alice/*")};
  auto late = offer("y", 1, PolicyStage::kEnforced, 1);
  const auto two = update({}, {late, first});
  EXPECT_EQ(chosen(*two.book), "z@1");
  EXPECT_EQ(chosen(*two.book, "bob/codex"), "y@1");
}

TEST(PolicyBook, AScopeNamesAgentsAndTenants) {
  auto one = offer("a", 1);
  one.scope.tenants = {"acme"};
  const auto book = update({}, {one}).book;
  EXPECT_EQ(chosen(*book, "x", "acme"), "a@1");
  EXPECT_EQ(chosen(*book, "x", "other"), "");
  EXPECT_EQ(chosen(*book, "x", ""), "");
}

TEST(PolicyBook, WhatIsMonitoredNeverDecides) {  // POL-019
  const auto book = update({}, {offer("a", 1), offer("a", 2, PolicyStage::kMonitor),
                                offer("m", 7, PolicyStage::kMonitor)})
                        .book;
  EXPECT_EQ(chosen(*book), "a@1");
  EXPECT_THAT(monitored(*book), ElementsAre("a@2", "m@7"));
}

TEST(PolicyBook, WhatCannotBeCompiledLeavesTheOldOneInForce) {  // POL-008
  const auto before = update({}, {offer("a", 1)}).book;
  auto bad = offer("a", 2);
  bad.files[0].content = "rules:\n  - {id: x, outcome: perhaps}\n";
  bad.digest = bundle_digest(bad.files);
  const auto after = update(*before, {bad});
  EXPECT_EQ(chosen(*after.book), "a@1");
  ASSERT_EQ(after.states.size(), 1U);
  EXPECT_EQ(after.states[0].version, 2U);
  EXPECT_THAT(after.states[0].problem, HasSubstr("actions.yaml:2"));
}

TEST(PolicyBook, WithoutAnOldOneWhatCannotBeCompiledDenies) {
  auto bad = offer("a", 1);
  bad.files[0].content = "rules: 5";
  bad.digest = bundle_digest(bad.files);
  const auto book = update({}, {bad}).book;
  const auto choice = book->choose("x", "");
  ASSERT_NE(choice.enforced, nullptr);
  EXPECT_EQ(choice.enforced->bundle, nullptr);
  EXPECT_NE(choice.enforced->problem, "");
  bad.stage = PolicyStage::kMonitor;
  EXPECT_TRUE(update({}, {bad}).book->empty());
}

TEST(PolicyBook, AFlippedByteIsRejected) {  // POL-006
  const auto before = update({}, {offer("a", 1)}).book;
  auto bad = offer("a", 2);
  bad.files[0].content[20] ^= 1;
  const auto after = update(*before, {bad});
  EXPECT_EQ(chosen(*after.book), "a@1");
  EXPECT_THAT(after.states[0].problem, HasSubstr("digest"));
}

TEST(PolicyBook, ASignatureIsDemandedHere) {  // POL-006
  const auto keys = ed25519::make_keys().value();
  PolicyRules rules;
  rules.bundle = {{keys.public_pem}, true};
  auto one = offer("a", 1);
  EXPECT_THAT(update({}, {one}, rules).states[0].problem, HasSubstr("not signed"));
  one.files.push_back({Bundle::kSignatureFile, sign_bundle(one.files, keys.secret_pem).value()});
  const auto signed_one = update({}, {one}, rules);
  EXPECT_EQ(signed_one.states[0].problem, "");
  EXPECT_EQ(chosen(*signed_one.book), "a@1");
  // Whoever rules the collector cannot put another one in its place.
  const auto after = update(*signed_one.book, {offer("a", 2)}, rules);
  EXPECT_EQ(chosen(*after.book), "a@1");
}

TEST(PolicyBook, ARequiredPolicyCannotBeTakenAwayOrNarrowed) {
  PolicyRules rules;
  rules.required = {"a"};
  const auto never = update({}, {}, rules).book;
  ASSERT_NE(never->choose("x", "").enforced, nullptr);
  EXPECT_EQ(never->choose("x", "").enforced->bundle, nullptr);
  auto narrow = offer("a", 1);
  narrow.scope.agents = {Glob("nobody")};
  const auto book = update(*never, {narrow}, rules).book;
  EXPECT_EQ(chosen(*book), "a@1");
  EXPECT_EQ(chosen(*update(*book, {}, rules).book), "a@1");
  EXPECT_EQ(chosen(*update(*book, {offer("a", 1, PolicyStage::kMonitor)}, rules).book), "a@1");
}

TEST(PolicyBook, NothingComesBeforeARequiredPolicy) {
  PolicyRules rules;
  rules.required = {"tools"};
  auto lax = offer("aaa", 1);
  auto own = offer("tools", 1);
  own.scope.priority = 7;
  const auto book = update({}, {lax, own}, rules).book;
  EXPECT_EQ(chosen(*book), "tools@1");
  // Also when it is not offered any more, or was never there.
  EXPECT_EQ(chosen(*update(*book, {lax}, rules).book), "tools@1");
  const auto never = update({}, {lax}, rules).book;
  ASSERT_NE(never->choose("x", "").enforced, nullptr);
  EXPECT_EQ(never->choose("x", "").enforced->bundle, nullptr);
}

TEST(PolicyBook, TakesOverWhatItHas) {
  const auto before = update({}, {offer("a", 1)}).book;
  const auto after = update(*before, {offer("a", 1), offer("b", 1)});
  EXPECT_EQ(after.book->policies()[0].bundle.get(), before->policies()[0].bundle.get());
  EXPECT_THAT(after.states[0].problem, IsEmpty());
}

TEST(PolicyBook, ClosedDeniesEverybody) {
  const auto book = closed_book("damaged");
  const auto choice = book->choose("x", "");
  ASSERT_NE(choice.enforced, nullptr);
  EXPECT_EQ(choice.enforced->bundle, nullptr);
  EXPECT_EQ(choice.enforced->problem, "damaged");
}

TEST(PolicyBook, WhatDetectionDoesNotTakeLeavesTheOldVersionInForce) {
  std::string seen;
  PolicyRules rules;
  rules.bundle.take_detect = [&](const std::shared_ptr<const DetectPart>& part) -> Result<> {
    seen = part->text;
    if (part->text.empty()) return fail(Errc::kInvalid, part->path + ":1: `x` stands twice");
    return {};
  };
  const auto with_detect = [](std::uint64_t version, const std::string& text) {
    OfferedPolicy made = offer("a", version);
    made.files.push_back({"detect.yaml", text});
    made.digest = bundle_digest(made.files);
    return made;
  };
  const auto first = update({}, {with_detect(1, "packs: []")}, rules);
  EXPECT_EQ(seen, "packs: []");
  const auto second = update(*first.book, {with_detect(2, "")}, rules);
  EXPECT_EQ(chosen(*second.book), "a@1");
  ASSERT_EQ(second.states.size(), 1U);
  EXPECT_EQ(second.states[0].problem, "detect.yaml:1: `x` stands twice");
}

}  // namespace
}  // namespace aispm::policy
