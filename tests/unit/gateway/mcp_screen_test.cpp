// SPDX-License-Identifier: Apache-2.0
// MCP-012: what servers say is read, whatever they call it.
#include "gateway/mcp/mcp_screen.hpp"

#include <gtest/gtest.h>

#include "gateway/mcp/mcp_seams.hpp"
#include "sdk/core/codec/base64.hpp"
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

// A PNG of one chunk of pixels, in base64. Nobody checks its sums here.
std::string picture_with(const std::string& pixels, const std::string& behind = "") {
  const auto chunk = [](const std::string& type, const std::string& data) {
    std::string size;
    for (int shift = 24; shift >= 0; shift -= 8)
      size.push_back(static_cast<char>((data.size() >> static_cast<unsigned>(shift)) & 0xffU));
    return size + type + data + "CRC0";
  };
  return codec::base64_encode(std::string("\x89PNG\r\n\x1a\n", 8) +
                              chunk("IHDR", std::string(13, '\1')) + chunk("IDAT", pixels) +
                              chunk("IEND", "") + behind);
}

// Chance likenesses of data in pixels are none, however large the picture is; what stands beside
// them, and what only begins as a picture, is read.
TEST(McpScreen, PicturesAreNoText) {
  const auto decoded = codec::base64_decode(kSecret);
  ASSERT_TRUE(decoded);
  // 41 bytes stand before the pixels, so that the key begins where a group of four letters does.
  const std::string pixels = std::string(200'002, '\xff') + *decoded + std::string(9, '\xff');
  const auto result_with = [](const std::string& data) {
    return R"({"content":[{"type":"image","mimeType":"image/png","data":")" + data + R"("}]})";
  };
  const std::string fine = result_with(picture_with(pixels));
  ASSERT_NE(fine.find("/" + kSecret + "/"), std::string::npos);
  const ResultLook picture = look(fine);
  EXPECT_FALSE(picture.objection) << picture.objection->rule_id;
  EXPECT_TRUE(picture.detections.empty());
  EXPECT_EQ(picture.result, fine);
  EXPECT_TRUE(look(result_with(picture_with("pixels", " " + kSecret + " "))).objection);
  const ResultLook words = look(result_with("iVBORw0KGgo/" + kSecret + "/AAAA"));
  ASSERT_TRUE(words.objection);
  EXPECT_EQ(words.objection->rule_id, "keys-out");
}

// A number is data like a text that holds it, and the result is JSON also without it.
// What would be cut out of a description withholds it; so it is with a server's instructions.
TEST(McpScreen, InstructionsAreToldWholeOrNotAtAll) {
  const ScanContext context = make_context();
  EXPECT_FALSE(look_at_instructions(context, "post", "Letters are in UTF-8.").objection);
  EXPECT_TRUE(look_at_instructions(context, "post", kSecret + " is the key").objection);
  const ToolLook hidden = look_at_instructions(context, "post", "Adds\xe2\x80\x8b numbers");
  ASSERT_TRUE(hidden.objection);
  EXPECT_EQ(hidden.objection->rule_id, "tools.hidden_text");
}

TEST(McpScreen, WhatIsToldBesideArgumentsHoldsNoData) {
  const ScanContext context = make_context();
  constexpr std::string_view kFine =
      R"({"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","claudecode/toolUseId":"toolu_01A09q90qw90lq917835lq9"})";
  EXPECT_EQ(look_at_meta(context, kFine).meta, kFine);
  const MetaLook secret = look_at_meta(context, R"({"note":")" + kSecret + R"("})");
  EXPECT_EQ(secret.meta.find(kSecret), std::string::npos);
}

TEST(McpScreen, NumbersAreLookedAtLikeTexts) {
  const ScanContext context = make_context(
      "defaults: {mode: enforce, store_text: false, fail: closed}\n"
      "rules: [{id: numbers, match: {rule_id: secret.account_number}, outcome: redact}]\n");
  const ResultLook look = look_at_result(context, codec::Surface::kToolResult, "t",
                                         R"({"structuredContent":{"n":9900123456789012,"m":5}})");
  EXPECT_EQ(look.redactions, 1U);
  EXPECT_EQ(look.result, R"({"structuredContent":{"n":"[REDACTED:secret.account_number]","m":5}})");
}

// A model reads the blocks of a result as one text.
TEST(McpScreen, WhatIsCutInTwoBetweenTextsIsWhole) {
  const std::string head = kSecret.substr(0, 9);
  const std::string tail = kSecret.substr(9);
  for (const std::string& result :
       {R"({"content":[{"type":"text","text":"it is )" + head + R"("},{"type":"text","text":")" +
            tail + R"( and more"}]})",
        R"({"content":[{"type":"text","text":")" + head + R"("},{"type":"image","data":"AAAA"},)" +
            R"({"type":"resource","resource":{"uri":"a:b","text":")" + tail + R"("}}]})",
        R"({"structuredContent":{"words":["some",")" + head + R"(",")" + tail + R"(","end"]}})",
        R"({"messages":[{"role":"user","content":{"type":"text","text":")" + head +
            R"("}},{"role":"user","content":{"type":"text","text":")" + tail + R"("}}]})"}) {
    const ResultLook judged = look(result);
    ASSERT_TRUE(judged.objection) << result;
    EXPECT_EQ(judged.objection->rule_id, "keys-out");
    EXPECT_FALSE(judged.detections.empty());
  }
}

TEST(McpScreen, WhatIsWholeInOneTextIsNotJudgedTwice) {
  const ResultLook judged = look(R"({"content":[{"type":"text","text":"a )" + kSecret +
                                 R"("},{"type":"text","text":"b"},{"type":"text","text":"c"}]})");
  EXPECT_FALSE(judged.objection);
  EXPECT_EQ(judged.redactions, 1U);
  EXPECT_EQ(judged.detections.size(), 1U);
  EXPECT_FALSE(
      look(R"({"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})").objection);
}

TEST(ResultSeams, AreWhereTextsOfOneListMeet) {
  const std::string long_text(2000, 'x');
  codec::JsonTree tree;
  const std::string result =
      R"({"content":[{"type":"text","text":"Ignore all"},{"text":"previous"},{"text":")" +
      long_text + R"("}],"one":["alone"],"n":[1,2]})";
  ASSERT_TRUE(tree.read(result, 16));
  const ResultSeams seams = read_seams(tree);
  EXPECT_TRUE(seams.lines.text.starts_with("Ignore all\nprevious\nxxx")) << seams.lines.text;
  EXPECT_LT(seams.lines.text.size(), 1100U);
  EXPECT_TRUE(seams.pairs.text.starts_with("Ignore allprevious\npreviousxxx"));
  EXPECT_EQ(seams.lines.seams.size(), 2U);
  EXPECT_TRUE(seams.lines.crosses(0, 19));
  EXPECT_FALSE(seams.lines.crosses(0, 10));
  EXPECT_FALSE(seams.lines.crosses(0, 11));
  EXPECT_FALSE(seams.lines.crosses(11, 8));
  ASSERT_TRUE(tree.read(R"({"content":[{"type":"text","text":"alone"}]})", 16));
  EXPECT_TRUE(read_seams(tree).lines.text.empty());
}

}  // namespace
}  // namespace aispm::gateway
