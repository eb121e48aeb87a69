// SPDX-License-Identifier: Apache-2.0
// Bytes of heads that are looked at many at once: names, and values.
#include <gmock/gmock.h>

#include <string>

#include "sdk/core/codec/http1.hpp"

namespace aispm::codec::http1 {
namespace {

using Role = HeadParser::Role;
using ::testing::HasSubstr;

// Bytes are compared many at once: any two, anywhere in names of any size.
TEST(HttpHead, NamesAreEqualButForTheCaseOfTheirLetters) {
  const auto lower = [](int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
  const std::string base = "X-Aispm@Name`[{_0123456";
  for (const std::size_t size : {1U, 3U, 4U, 5U, 7U, 8U, 9U, 15U, 16U, 17U, 23U}) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string left = base.substr(0, size);
      std::string right = left;
      for (int a = 0; a < 256; ++a) {
        for (int b = 0; b < 256; ++b) {
          left[at] = static_cast<char>(a);
          right[at] = static_cast<char>(b);
          ASSERT_EQ(equal_name(left, right), lower(a) == lower(b)) << size << ' ' << a << ' ' << b;
        }
      }
    }
  }
  EXPECT_TRUE(equal_name("", ""));
  EXPECT_FALSE(equal_name("host", "hos"));
  EXPECT_TRUE(equal_name("CONTENT-type", "content-TYPE"));
}

// Lines are looked through in blocks, of which the last overlaps.
TEST(HttpHead, FindsAControlByteWhereverItStandsInAValue) {
  for (std::size_t size = 1; size < 50; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const char bad : {'\x01', '\x1f', '\x7f', '\0'}) {
        std::string value(size, 'v');
        HeadParser good(Role::kRequest);
        EXPECT_TRUE(good.parse("GET / HTTP/1.1\r\nHost: a\r\nX: " + value + "\r\n\r\n")) << size;
        value[at] = bad;
        HeadParser parser(Role::kRequest);
        const auto head = parser.parse("GET / HTTP/1.1\r\nHost: a\r\nX: " + value + "\r\n\r\n");
        ASSERT_FALSE(head) << size << ' ' << at;
        EXPECT_THAT(head.error().message, HasSubstr("control byte in a header value"));
      }
    }
  }
}

TEST(HttpHead, AcceptsObsTextAndTabsInValues) {
  HeadParser parser(Role::kRequest);
  const auto head = parser.parse(
      "GET / HTTP/1.1\r\nHost: a\r\nX-Name: J\xc3\xb6rg\tand a rather long value \xff\r\n\r\n");
  ASSERT_TRUE(head && *head);
  EXPECT_EQ((*head)->find("x-name"), "J\xc3\xb6rg\tand a rather long value \xff");
}

}  // namespace
}  // namespace aispm::codec::http1
