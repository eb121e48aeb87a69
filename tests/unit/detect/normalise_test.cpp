// SPDX-License-Identifier: Apache-2.0
// DET-001: normalisation with an offset map back to the original.
#include "sdk/core/detect/normalise.hpp"

#include <gtest/gtest.h>

namespace aispm::detect {
namespace {

std::string shadow_of(std::string_view text) {
  Shadow shadow;
  normalise(text, shadow);
  EXPECT_EQ(shadow.text.size(), shadow.origin.size());
  return shadow.text;
}

TEST(Normalise, SaysWhatAReaderSees) {
  EXPECT_EQ(shadow_of("plain"), "plain");
  EXPECT_EQ(shadow_of("caf\u00e9"), "cafe");
  EXPECT_EQ(shadow_of("e\u0301"), "e");                        // combining accent
  EXPECT_EQ(shadow_of("\uff29\uff47\uff4e"), "Ign");           // fullwidth
  EXPECT_EQ(shadow_of("\u0456gn\u043ere"), "ignore");          // Cyrillic
  EXPECT_EQ(shadow_of("\U0001d422\U0001d420"), "ig");          // mathematical bold
  EXPECT_EQ(shadow_of("ig\u200bno\u00adre\ufeff"), "ignore");  // zero width, soft hyphen
  EXPECT_EQ(shadow_of("\u202eab\u202c"), "ab");                // direction
  EXPECT_EQ(shadow_of("\ufb01le"), "file");                    // ligature
  EXPECT_EQ(shadow_of("\u201cx\u201d \u2013 \u2018y\u2019"), "\"x\" - 'y'");
  EXPECT_EQ(shadow_of("a\u00a0b\u3000c"), "a b c");    // spaces
  EXPECT_EQ(shadow_of("\u24d8\u24d6"), "ig");          // circled
  EXPECT_EQ(shadow_of("\U0001f170"), "A");             // squared
  EXPECT_EQ(shadow_of("\U000e0069\U000e0067"), "ig");  // tags
  EXPECT_EQ(shadow_of("\u0430\u03bf\u0585"), "aoo");   // Cyrillic, Greek, Armenian
}

TEST(Normalise, MakesOneByteOfAnyOtherCharacter) {
  EXPECT_EQ(shadow_of("\u5bc6\u7801"), std::string(2, kOther));
  EXPECT_EQ(shadow_of("\U0001f600"), std::string(1, kOther));
  EXPECT_EQ(shadow_of("\U0010ffff"), std::string(1, kOther));
}

TEST(Normalise, TakesInvalidBytesOneByOne) {
  EXPECT_EQ(shadow_of("a\xff\xc3"
                      "b"),
            std::string("a") + kOther + kOther + "b");
  EXPECT_EQ(shadow_of("\xed\xa0\x80"), std::string(3, kOther));  // surrogate
  EXPECT_EQ(shadow_of("\xc0\xaf"), std::string(2, kOther));      // overlong
  EXPECT_EQ(shadow_of("\xe2\x80"), std::string(2, kOther));      // cut off
}

TEST(Normalise, LeadsBackToTheOriginal) {
  Shadow shadow;
  normalise("x\u00e9\ufb01\u200by", shadow);
  ASSERT_EQ(shadow.text, "xefiy");
  const std::pair<unsigned, unsigned> expected[] = {{0, 1}, {1, 3}, {3, 6}, {3, 6}, {9, 10}};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(shadow.origin[i].begin, expected[i].first) << i;
    EXPECT_EQ(shadow.origin[i].end, expected[i].second) << i;
  }
}

TEST(Normalise, MapsEveryCodePointToAscii) {
  for (std::uint32_t code_point = 0; code_point <= 0x110000; ++code_point) {
    const Replacement& out = normalise_code_point(code_point);
    for (std::uint8_t i = 0; i < out.size; ++i)
      ASSERT_LT(static_cast<std::uint8_t>(out.bytes[i]), 0x80) << code_point;
    if (code_point < 0x80) {
      ASSERT_EQ(out.bytes[0], static_cast<char>(code_point));
    }
  }
}

TEST(DecodeUtf8, AsksForMoreOnlyWhenMoreCouldHelp) {
  EXPECT_EQ(decode_utf8("\xe2\x80", 0).size, 0);
  EXPECT_EQ(decode_utf8("\xe2\x41", 0).size, 1);
  EXPECT_EQ(decode_utf8("\x80", 0).code_point, kInvalidByte);
  EXPECT_EQ(decode_utf8("\xf0\x9f\x98\x80", 0).code_point, 0x1f600U);
  EXPECT_EQ(decode_utf8("\xf4\x90\x80\x80", 0).code_point, kInvalidByte);
}

TEST(IsAscii, LooksAtEveryByte) {
  for (std::size_t size = 0; size < 40; ++size) {
    std::string text(size, 'a');
    EXPECT_TRUE(is_ascii(text));
    for (std::size_t at = 0; at < size; ++at) {
      text[at] = '\x80';
      EXPECT_FALSE(is_ascii(text)) << size << " " << at;
      text[at] = 'a';
    }
  }
}

}  // namespace
}  // namespace aispm::detect
