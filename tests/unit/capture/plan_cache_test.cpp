// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/plan_cache.hpp"

#include <gtest/gtest.h>

#include "tests/support/temp_folder.hpp"

namespace aispm::sensor {
namespace {

std::vector<ProbePlan> sample() {
  ProbePlan found{"boringssl", 4, "error codes", {}, ""};
  found.points.push_back({TlsHook::kWrite, 0x12345678, true, "SSL_write", 7});
  found.points.push_back({TlsHook::kRead, 0x23456789, false, "SSL_read", 0});
  return {found, {"rustls-ring", 0, "", {}, "no fingerprint"}};
}

void expect_same(const std::vector<ProbePlan>& got, const std::vector<ProbePlan>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].library, wanted[i].library);
    EXPECT_EQ(got[i].library_id, wanted[i].library_id);
    EXPECT_EQ(got[i].method, wanted[i].method);
    EXPECT_EQ(got[i].reason, wanted[i].reason);
    ASSERT_EQ(got[i].points.size(), wanted[i].points.size());
    for (std::size_t k = 0; k < got[i].points.size(); ++k) {
      EXPECT_EQ(got[i].points[k].hook, wanted[i].points[k].hook);
      EXPECT_EQ(got[i].points[k].address, wanted[i].points[k].address);
      EXPECT_EQ(got[i].points[k].is_emulated, wanted[i].points[k].is_emulated);
      EXPECT_EQ(got[i].points[k].function, wanted[i].points[k].function);
      EXPECT_EQ(got[i].points[k].cookie, wanted[i].points[k].cookie);
    }
  }
}

TEST(PlanCache, GivesBackWhatWasKept) {
  const testing::TempFolder folder;
  ASSERT_TRUE(save_plans(folder / "1-2", "key", sample()));
  const auto plans = load_plans(folder / "1-2", "key");
  ASSERT_TRUE(plans) << plans.error().message;
  expect_same(*plans, sample());
}

TEST(PlanCache, KeepsThatNothingWasFound) {
  const auto plans = parse_plans(format_plans("key", {}), "key");
  ASSERT_TRUE(plans);
  EXPECT_TRUE(plans->empty());
}

TEST(PlanCache, RefusesPlansOfAnotherFileOrPlanner) {
  EXPECT_FALSE(parse_plans(format_plans("key", sample()), "other"));
}

TEST(PlanCache, RefusesACutFile) {
  const std::string text = format_plans("key", sample());
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(parse_plans(text.substr(0, size), "key")) << size;
}

TEST(PlanCache, RefusesDamagedLines) {
  const std::string head = "aispm probe plans 1\nkey\n";
  for (const char* body : {"point\t1\t2\t0\t0\tf\nend\n", "plan\topenssl\tx\tm\t\nend\n",
                           "plan\to\t1\tm\t\npoint\t1\t2\t2\t0\tf\nend\n",
                           "plan\to\t1\tm\t\npoint\t999\t2\t1\t0\tf\nend\n", "end\nmore\n"})
    EXPECT_FALSE(parse_plans(head + body, "key")) << body;
}

TEST(PlanCache, TextsCannotBreakTheFormat) {
  std::vector<ProbePlan> plans = sample();
  plans[1].reason = "a\nplan\tb";
  const auto back = parse_plans(format_plans("key", plans), "key");
  ASSERT_TRUE(back);
  EXPECT_EQ((*back)[1].reason, "a plan b");
}

}  // namespace
}  // namespace aispm::sensor
