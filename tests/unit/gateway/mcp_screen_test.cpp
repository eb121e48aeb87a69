// SPDX-License-Identifier: Apache-2.0
// MCP-012: what servers say is read, whatever they call it.
#include "gateway/mcp/mcp_screen.hpp"

#include <gtest/gtest.h>

#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {
namespace {

ResultLook look(const std::string& result) {
  const ScanContext context = make_context();
  return look_at_result(context, codec::Surface::kToolResult, "t", result);
}

// A picture's bytes are no words; words that are called a picture's bytes are words.
TEST(McpScreen, WordsAreNoPictureWhateverTheServerCallsThem) {
  const std::string words = kSecret + " is the key";
  const auto as_text = look(R"({"structuredContent":{"text":")" + words + R"("}})");
  const auto as_media =
      look(R"({"structuredContent":{"mimeType":"image/png","data":")" + words + R"("}})");
  ASSERT_FALSE(as_text.detections.empty());
  ASSERT_EQ(as_media.detections.size(), as_text.detections.size());
  EXPECT_EQ(as_media.detections[0].surface, as_text.detections[0].surface);
  EXPECT_EQ(as_media.redactions, as_text.redactions);
}

// A number is data like a text that holds it, and the result is JSON also without it.
TEST(McpScreen, NumbersAreLookedAtLikeTexts) {
  const ScanContext context = make_context(
      "defaults: {mode: enforce, store_text: false, fail: closed}\n"
      "rules: [{id: numbers, match: {rule_id: secret.account_number}, outcome: redact}]\n");
  const ResultLook look = look_at_result(context, codec::Surface::kToolResult, "t",
                                         R"({"structuredContent":{"n":9900123456789012,"m":5}})");
  EXPECT_EQ(look.redactions, 1U);
  EXPECT_EQ(look.result,
            R"({"structuredContent":{"n":"[REDACTED:secret.account_number]","m":5}})");
}

}  // namespace
}  // namespace aispm::gateway
