// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/init_facts.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {
namespace {

// GRD-009: by these a sensor knows the run's process 1.
TEST(InitFacts, AreThoseOfProc) {
  const std::string stat =
      "4711 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 250 20 21 22\n";
  EXPECT_EQ(start_of_stat(stat, 100), 2'500'000'000U);
  EXPECT_EQ(start_of_stat("4711 (a) S 1 2", 100), 0U);
  EXPECT_EQ(start_of_stat("", 100), 0U);
  const model::RunInit own = find_init(::getpid(), -1);
  EXPECT_EQ(own.pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_GT(own.start_boottime_ns, 0U);
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  ASSERT_TRUE(pidfd);
  EXPECT_EQ(find_init(-1, pidfd.get()).start_boottime_ns, own.start_boottime_ns);
  EXPECT_EQ(find_init(0, -1).pid, 0U);
}

}  // namespace
}  // namespace aispm::sandbox
