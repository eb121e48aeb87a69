// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/freeze_book.hpp"

#include <gtest/gtest.h>

namespace aispm::policy {
namespace {

constexpr WallTime kNow{1'000};

Freeze freeze(FreezeScope scope, const std::string& value, bool kills = false) {
  Freeze made;
  made.id = std::string(name_of(scope)) + ":" + value;
  made.scope = scope;
  made.value = Glob(value);
  made.kills = kills;
  return made;
}

std::string found(const FreezeBook& book, const FreezeSubject& subject, WallTime now = kNow) {
  const Freeze* const one = book.find(subject, now);
  return one == nullptr ? "" : one->id;
}

struct Case {
  FreezeScope scope;
  const char* value;
  FreezeSubject subject;
  bool fits;
};

TEST(FreezeBook, FitsWhoItNamesAndNobodyElse) {  // GRD-009 POL-031
  const Case cases[] = {
      {FreezeScope::kAgent, "alice/codex", {.agent = "alice/codex"}, true},
      {FreezeScope::kAgent, "alice/*", {.agent = "alice/codex"}, true},
      {FreezeScope::kAgent, "alice/*", {.agent = "bob/codex"}, false},
      {FreezeScope::kAgent, "*", {}, false},  // an agent that nobody knows is none of them
      {FreezeScope::kSession, "s1", {.session = "s1"}, true},
      {FreezeScope::kSession, "*", {.session = "s1"}, false},
      {FreezeScope::kSession, "s1", {}, false},
      {FreezeScope::kUser, "alice", {.user = "alice"}, true},
      {FreezeScope::kUser, "ali*", {.user = "alice"}, false},
      {FreezeScope::kUser, "alice", {.agent = "alice"}, false},
      {FreezeScope::kModel, "gpt-4*", {.model = "gpt-4o"}, true},
      {FreezeScope::kModel, "gpt-4*", {.model = "claude"}, false},
      {FreezeScope::kTenant, "acme", {.tenant = "acme"}, true},
      {FreezeScope::kTenant, "acme", {.tenant = "other"}, false},
      {FreezeScope::kTenant, "own", {}, true},  // who names no tenant is of the book's
      {FreezeScope::kAll, "", {}, true},
      {FreezeScope::kAll, "", {.agent = "a", .model = "m"}, true},
  };
  for (const Case& one : cases) {
    const FreezeBook book({freeze(one.scope, one.value)}, "own");
    EXPECT_EQ(book.find(one.subject, kNow) != nullptr, one.fits)
        << name_of(one.scope) << " " << one.value;
  }
}

TEST(FreezeBook, EndsByItself) {  // GRD-009
  Freeze ends = freeze(FreezeScope::kAll, "");
  ends.expires = WallTime{kNow.nanoseconds + 5};
  const FreezeBook book({ends});
  EXPECT_NE(found(book, {}), "");
  EXPECT_NE(found(book, {}, {kNow.nanoseconds + 4}), "");
  EXPECT_EQ(found(book, {}, {kNow.nanoseconds + 5}), "");
}

TEST(FreezeBook, TheKillSwitchGoesFirst) {  // GRD-007
  const FreezeBook book(
      {freeze(FreezeScope::kAll, ""), freeze(FreezeScope::kAgent, "alice/*", true)});
  EXPECT_EQ(found(book, {.agent = "alice/codex"}), "agent:alice/*");
  EXPECT_EQ(found(book, {.agent = "bob/codex"}), "all:");
}

TEST(FreezeBook, ClosedFreezesEverybody) {
  const auto book = FreezeBook::closed("damaged");
  const Freeze* const one = book->find({}, kNow);
  ASSERT_NE(one, nullptr);
  EXPECT_FALSE(one->kills);
  EXPECT_EQ(one->reason, "damaged");
}

TEST(FreezeBook, AnAgentsUserStandsBeforeTheSlash) {
  EXPECT_EQ(user_of_agent("alice/codex/x"), "alice");
  EXPECT_EQ(user_of_agent("codex"), "");
  EXPECT_EQ(user_of_agent(""), "");
}

}  // namespace
}  // namespace aispm::policy
