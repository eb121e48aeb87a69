// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/address_guard.hpp"

#include <gtest/gtest.h>

#include "gateway/net/dial.hpp"
#include "gateway/net/listen.hpp"

namespace aispm::net {
namespace {

bool is_public(const char* text) { return is_public_address(boost::asio::ip::make_address(text)); }

class PrivateAddress : public ::testing::TestWithParam<const char*> {};
TEST_P(PrivateAddress, IsNotPublic) { EXPECT_FALSE(is_public(GetParam())); }
INSTANTIATE_TEST_SUITE_P(
    Table, PrivateAddress,
    ::testing::Values("0.0.0.0", "10.1.2.3", "100.100.100.200", "127.0.0.1", "127.255.255.255",
                      "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.1.1", "192.0.2.1",
                      "198.19.0.1", "203.0.113.9", "224.0.0.1", "255.255.255.255", "::", "::1",
                      "fe80::1", "fd00:ec2::254", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
                      "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
                      "2001:0:4136:e378::", "3fff:1::1"));

class PublicAddress : public ::testing::TestWithParam<const char*> {};
TEST_P(PublicAddress, IsPublic) { EXPECT_TRUE(is_public(GetParam())); }
INSTANTIATE_TEST_SUITE_P(Table, PublicAddress,
                         ::testing::Values("1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255",
                                           "100.128.0.1", "126.0.0.1", "128.0.0.1", "169.253.1.1",
                                           "172.15.0.1", "172.32.0.1", "192.167.1.1", "198.17.0.1",
                                           "198.20.0.1", "223.255.255.255", "2606:4700::1111",
                                           "2001:4860:4860::8888"));

TEST(ParseOrigin, TakesSchemeHostAndPort) {
  const auto origin = parse_origin("https://api.openai.com");
  ASSERT_TRUE(origin);
  EXPECT_TRUE(origin->tls);
  EXPECT_EQ(origin->authority(), "api.openai.com");
  EXPECT_EQ(parse_origin("http://[::1]:8080/")->authority(), "[::1]:8080");
  EXPECT_EQ(parse_origin("http://localhost")->port, 80);
}

class BadOrigin : public ::testing::TestWithParam<const char*> {};
TEST_P(BadOrigin, IsRefused) { EXPECT_FALSE(parse_origin(GetParam())); }
INSTANTIATE_TEST_SUITE_P(Table, BadOrigin,
                         ::testing::Values("", "api.openai.com", "ftp://a", "https://",
                                           "https://a/v1", "https://a?x", "https://u@a",
                                           "https://a:0", "https://a:99999", "https://a:1x",
                                           "https://[::1", "https://:443", "https://a b",
                                           "https://a:"));

TEST(ParseEndpoint, TakesAddressAndPort) {
  EXPECT_EQ(parse_endpoint("127.0.0.1:8088")->port, 8088);
  EXPECT_EQ(parse_endpoint("[::1]:1")->address, "::1");
  EXPECT_FALSE(parse_endpoint("localhost:80"));
  EXPECT_FALSE(parse_endpoint("127.0.0.1"));
  EXPECT_FALSE(parse_endpoint("127.0.0.1:x"));
}

TEST(ListenTcp, SharesOneFreePortAmongWorkersAndNobodyElse) {
  const auto sockets = listen_tcp({.address = "127.0.0.1", .port = 0}, 3);
  ASSERT_TRUE(sockets) << sockets.error().message;
  ASSERT_EQ(sockets->size(), 3U);
  const std::uint16_t port = local_port(sockets->front());
  EXPECT_EQ(local_port(sockets->back()), port);
  EXPECT_FALSE(listen_tcp({.address = "127.0.0.1", .port = port}, 3));
}

TEST(ListenUnix, ReplacesADeadSocketButNotALiveOne) {
  const std::string path = ::testing::TempDir() + "aispm-" + std::to_string(::getpid()) + ".sock";
  {
    const auto first = listen_unix(path);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_FALSE(listen_unix(path));
  }
  EXPECT_TRUE(listen_unix(path));
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace aispm::net
