// SPDX-License-Identifier: Apache-2.0
// What this gateway's own rules say of arguments that an agent asks about.
#include "gateway/proxy/decide/scan_arguments.hpp"

#include <gmock/gmock.h>

#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {
namespace {

const std::string kKey = "-----BEGIN RSA PRIVATE KEY-----";

TEST(ScanArguments, ObjectsToWhatARuleDenies) {
  const ScanContext context = make_context();
  EXPECT_FALSE(scan_arguments(context, R"({"a":1})").objection);
  const ArgumentScan scan = scan_arguments(context, R"({"a":")" + kKey + "\"}");
  ASSERT_TRUE(scan.objection);
  EXPECT_EQ(scan.objection->rule_id, "no-private-keys");
  EXPECT_EQ(scan.objection->reason, "private keys stop everything");
}

TEST(ScanArguments, ResolvesEscapes) {
  const ArgumentScan scan =
      scan_arguments(make_context(), R"({"a":"\u002d)" + kKey.substr(1) + "\"}");
  ASSERT_TRUE(scan.objection);
}

// What goes to a tool is JSON, whatever was cut out of it.
TEST(ScanArguments, CutsOutWhatARuleSays) {
  const ScanContext context = make_context();
  EXPECT_EQ(scan_arguments(context, R"({"a":1})").changed, "");
  const ArgumentScan scan = scan_arguments(context, R"({"a":"use )" + kSecret + R"(","b":1})");
  EXPECT_FALSE(scan.objection);
  EXPECT_EQ(scan.changed, R"({"a":"use )" + std::string(kRedacted) + R"(","b":1})");
  EXPECT_EQ(scan.findings.verdict.rule_id, "keys-out");
}

TEST(ScanArguments, ThatWereCutAreStillJson) {
  EXPECT_TRUE(is_still_json(R"({"a":"b"})", R"({"a":"[REDACTED:x]"})"));
  EXPECT_TRUE(is_still_json("no JSON", "none either"));
  EXPECT_FALSE(is_still_json(R"({"card":4111111111111111})", R"({"card":[REDACTED:x]})"));
  EXPECT_FALSE(is_still_json(R"({"a":1,"b":2})", R"({"[REDACTED:x]":1,"[REDACTED:x]":2})"));
}

std::chrono::steady_clock::time_point stepping_clock() {
  static std::chrono::steady_clock::time_point now;
  return now += std::chrono::milliseconds(40);
}

// What was not looked through is judged by the policy's `fail`, as in an exchange.
TEST(ScanArguments, FollowsTheFailModeWhereItsTimeIsUp) {
  const std::string arguments = R"({"a":")" + std::string(4000, 'x') + "\"}";
  for (const bool is_closed : {true, false}) {
    std::string policy = kPolicy;
    if (!is_closed) policy.replace(policy.find("fail: closed"), 12, "fail: open");
    ScanContext context = make_context(policy);
    context.inspect.now = &stepping_clock;
    context.inspect.total = std::chrono::milliseconds(60);
    const ArgumentScan scan = scan_arguments(context, arguments);
    EXPECT_GT(scan.findings.cut, 0U);
    EXPECT_TRUE(scan.is_unscannable);
    ASSERT_EQ(scan.objection.has_value(), is_closed);
    if (is_closed) {
      EXPECT_EQ(scan.objection->rule_id, "aispm.unscannable");
    }
  }
}

}  // namespace
}  // namespace aispm::gateway
