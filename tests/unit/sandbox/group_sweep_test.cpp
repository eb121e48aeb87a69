// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/group_sweep.hpp"

#include <gtest/gtest.h>

namespace aispm::sandbox {
namespace {

using Kind = GroupOwner::Kind;

TEST(GroupOwner, IsReadFromTheNamesThatWeGive) {
  const auto is = [](const char* name, Kind kind, unsigned number) {
    const GroupOwner owner = owner_of_group(name);
    EXPECT_EQ(owner.kind, kind) << name;
    EXPECT_TRUE(kind == Kind::kNone || owner.number == number) << name;
  };
  is("aispm-run-0", Kind::kSlot, 0);
  is("aispm-run-65535", Kind::kSlot, 65535);
  is("aispm-run-4711.scope", Kind::kProcess, 4711);
  is("aispm-pool-12-3", Kind::kProcess, 12);
  is("aispm-pool-12-3.scope", Kind::kProcess, 12);
}

TEST(GroupOwner, OthersAreNobodys) {
  for (const char* name :
       {"", ".", "..", "aispm.slice", "aispm-run-", "aispm-run-x", "aispm-run--1", "aispm-run-1x",
        "aispm-run-1.scope.d", "aispm-run-99999999999", "aispm-pool-1", "aispm-pool-1-",
        "aispm-pool-1-2.service", "aispm-pool-1.2", "xaispm-run-1", "memory.max"})
    EXPECT_EQ(owner_of_group(name).kind, Kind::kNone) << name;
}

TEST(SweepGroups, AFolderThatIsNotThereIsNoMatter) {
  EXPECT_EQ(sweep_groups({"/nonexistent/aispm"}), 0U);
}

}  // namespace
}  // namespace aispm::sandbox
