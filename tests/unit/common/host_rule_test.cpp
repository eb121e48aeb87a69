// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/host_rule.hpp"

#include <gtest/gtest.h>

namespace aispm {
namespace {

TEST(HostRule, ReadsNamesPortsAndWildcards) {
  EXPECT_EQ(to_text(*parse_host_rule("api.example.com")), "api.example.com:443");
  EXPECT_EQ(to_text(*parse_host_rule("API.Example.COM:8443")), "api.example.com:8443");
  EXPECT_EQ(to_text(*parse_host_rule("*.example.com:80")), "*.example.com:80");
}

TEST(HostRule, RefusesWhatIsNoHostName) {
  for (const char* bad : {"",
                          "*",
                          "*.",
                          "*.com",
                          "com",
                          "localhost",
                          "example.com.",
                          ".example.com",
                          "exa mple.com",
                          "example..com",
                          "-a.example",
                          "a-.example",
                          "127.0.0.1",
                          "2130706433",
                          "0x7f.1",
                          "0x7f000001",
                          "127.1",
                          "0177.0.0.1",
                          "[::1]",
                          "[::1]:443",
                          "::1",
                          "user@example.com",
                          "example.com:0",
                          "example.com:",
                          "example.com:65536",
                          "example.com:0443",
                          "example.com:+1",
                          "example.com:443:443",
                          "a.*.example.com",
                          "ex%61mple.com",
                          "ex\tample.com",
                          "b\xc3\xbc.de",
                          "example.com/path",
                          "https://example.com",
                          "a,b.example"})
    EXPECT_FALSE(parse_host_rule(bad)) << bad;
  EXPECT_FALSE(parse_host_rule(std::string("a\0.example.com", 14)));
  EXPECT_FALSE(parse_host_rule(std::string(64, 'a') + ".example"));
  std::string long_name;
  for (int i = 0; i < 64; ++i) long_name += "abc.";
  EXPECT_FALSE(parse_host_rule(long_name + "example"));
}

TEST(HostRule, MatchesWholeNamesAndLabelsOnly) {
  const HostRule exact = *parse_host_rule("allowed.com");
  EXPECT_TRUE(matches(exact, {"allowed.com", 443}));
  EXPECT_FALSE(matches(exact, {"allowed.com", 80}));
  EXPECT_FALSE(matches(exact, {"evil-allowed.com", 443}));
  EXPECT_FALSE(matches(exact, {"allowed.com.evil.org", 443}));
  EXPECT_FALSE(matches(exact, {"www.allowed.com", 443}));
  const HostRule below = *parse_host_rule("*.allowed.com");
  EXPECT_TRUE(matches(below, {"www.allowed.com", 443}));
  EXPECT_TRUE(matches(below, {"a.b.allowed.com", 443}));
  EXPECT_FALSE(matches(below, {"allowed.com", 443}));
  EXPECT_FALSE(matches(below, {"evil-allowed.com", 443}));
  EXPECT_FALSE(matches(below, {".allowed.com", 443}));
}

TEST(HostRule, IsCoveredByTheSameOrAWiderOne) {
  const std::vector<HostRule> wide = {*parse_host_rule("*.example.com"),
                                      *parse_host_rule("one.org:80")};
  const auto covered = [&](const char* text) { return is_covered(wide, *parse_host_rule(text)); };
  EXPECT_TRUE(covered("a.example.com"));
  EXPECT_TRUE(covered("*.example.com"));
  EXPECT_TRUE(covered("*.b.example.com"));
  EXPECT_TRUE(covered("one.org:80"));
  EXPECT_FALSE(covered("example.com"));
  EXPECT_FALSE(covered("a.example.com:80"));
  EXPECT_FALSE(covered("one.org"));
  EXPECT_FALSE(covered("*.one.org:80"));
  EXPECT_FALSE(covered("*.xample.com"));
}

TEST(Authority, NeedsAPortUnlessADefaultIsGiven) {
  EXPECT_EQ(*parse_authority("A.example", 80), (HostPort{"a.example", 80}));
  EXPECT_EQ(*parse_authority("a.example:8080", 80), (HostPort{"a.example", 8080}));
  EXPECT_FALSE(parse_authority("a.example", 0));
}

}  // namespace
}  // namespace aispm
