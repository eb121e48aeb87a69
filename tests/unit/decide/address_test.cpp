// SPDX-License-Identifier: Apache-2.0
#include "sensor/decide/address.hpp"

#include <gtest/gtest.h>

namespace aispm::sensor {
namespace {

RuleMask mask_of(std::size_t rule) {
  RuleMask mask;
  mask.set(rule);
  return mask;
}

TEST(Prefix, ReadsAddressesOfBothFamilies) {
  EXPECT_EQ(parse_prefix("192.0.2.1")->bits, 32);
  EXPECT_EQ(parse_prefix("192.0.2.0/24")->bits, 24);
  EXPECT_TRUE(parse_prefix("2001:db8::/32")->is_v6);
  EXPECT_EQ(parse_prefix("::ffff:192.0.2.1").value(), parse_prefix("192.0.2.1").value());
  EXPECT_EQ(parse_prefix("0.0.0.0/0")->bits, 0);
}

TEST(Prefix, RefusesWhatIsNone) {
  for (const char* text : {"", "example.com", "192.0.2.1/33", "192.0.2.1/24", "192.0.2.0/",
                           "::/129", "192.0.2.0/-1", "192.0.2.0/ 8"})
    EXPECT_EQ(parse_prefix(text).error().code, Errc::kInvalid) << text;
}

TEST(Endpoint, ReadsPorts) {
  EXPECT_EQ(parse_endpoint("192.0.2.1:443")->port, 443);
  EXPECT_EQ(parse_endpoint("[2001:db8::1]:7443")->port, 7443);
  EXPECT_EQ(parse_endpoint("2001:db8::1")->port, 0);
  for (const char* text : {"192.0.2.1:", "192.0.2.1:65536", "[::1", "[::1]443", "host:1"})
    EXPECT_FALSE(parse_endpoint(text)) << text;
}

TEST(Accumulate, LongerPrefixesRepeatShorterOnes) {
  const auto all =
      accumulate(std::map<Prefix, RuleMask>{{parse_prefix("10.0.0.0/8").value(), mask_of(1)},
                                            {parse_prefix("10.1.0.0/16").value(), mask_of(2)},
                                            {parse_prefix("11.0.0.0/8").value(), mask_of(3)},
                                            {parse_prefix("0.0.0.0/0").value(), mask_of(200)}});
  const RuleMask inner = all.at(parse_prefix("10.1.0.0/16").value());
  EXPECT_TRUE(inner.has(1) && inner.has(2) && inner.has(200));
  EXPECT_FALSE(inner.has(3));
  EXPECT_FALSE(all.at(parse_prefix("10.0.0.0/8").value()).has(2));
}

TEST(Accumulate, LongerNamesRepeatTheirSuffixes) {
  const auto all = accumulate(std::map<std::string, RuleMask>{{"example.com", mask_of(1)},
                                                              {"api.example.com", mask_of(2)},
                                                              {"notexample.com", mask_of(3)}});
  EXPECT_TRUE(all.at("api.example.com").has(1));
  EXPECT_FALSE(all.at("notexample.com").has(1));
  EXPECT_FALSE(all.at("example.com").has(2));
}

TEST(Domain, IsComparedByLabels) {
  EXPECT_TRUE(is_below("api.example.com", "example.com"));
  EXPECT_TRUE(is_below("example.com", "example.com"));
  EXPECT_FALSE(is_below("notexample.com", "example.com"));
  EXPECT_EQ(normal_domain("*.Example.COM."), "example.com");
  for (const char* text : {"", "a b", ".x", "a..b", "x/y", "bedrock.*.aws"})
    EXPECT_EQ(normal_domain(text), "") << text;
  EXPECT_EQ(normal_domain(std::string(200, 'a')), "") << "longer than the kernel's key";
}

}  // namespace
}  // namespace aispm::sensor
