// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/proxy/egress/egress_request.hpp"
#include "gateway/proxy/egress/egress_table.hpp"
#include "tests/support/client_hello.hpp"

namespace aispm::gateway {
namespace {

using codec::http1::Head;
using codec::http1::HeadParser;
using testing::HasSubstr;
using testing::Not;

const HostPort kHost{"allowed.example", 80};

Result<> check(const std::string& request, const HostPort& host = kHost) {
  HeadParser parser(HeadParser::Role::kRequest);
  const auto head = parser.parse(request);
  if (!head || !*head) return fail(Errc::kInternal, "the test's request is no request");
  return check_request(**head, host);
}

TEST(EgressRequest, MustBeForTheAnnouncedHostThroughout) {
  const HostPort tls{"allowed.example", 443};
  EXPECT_TRUE(check("GET /x HTTP/1.1\r\nHost: allowed.example\r\n\r\n"));
  EXPECT_TRUE(check("GET http://Allowed.example/x HTTP/1.1\r\nHost: allowed.example\r\n\r\n"));
  EXPECT_TRUE(
      check("CONNECT allowed.example:443 HTTP/1.1\r\nHost: allowed.example:443\r\n\r\n", tls));
  for (const char* request :
       {"GET /x HTTP/1.1\r\nHost: other.example\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: allowed.example:81\r\n\r\n",
        "GET http://other.example/x HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
        "GET http://allowed.example/x HTTP/1.1\r\nHost: other.example\r\n\r\n",
        "GET http://allowed.example?x HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
        "GET /x#y HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
        "GET ftp://allowed.example/x HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
        "TRACE /x HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: allowed.example\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        "CONNECT allowed.example:443 HTTP/1.1\r\nHost: allowed.example:443\r\n\r\n"}) {
    const auto checked = check(request);
    ASSERT_FALSE(checked) << request;
    EXPECT_EQ(checked.error().code, Errc::kInvalid) << request;
  }
}

TEST(EgressRequest, IsForwardedWithoutWhatIsMeantForTheProxy) {
  HeadParser parser(HeadParser::Role::kRequest);
  const std::string request =
      "POST http://allowed.example/a?b=c HTTP/1.1\r\nHost: allowed.example\r\nConnection: X-Mine , "
      "close\r\nX-Mine: 1\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\nExpect: "
      "100-continue\r\nAccept: */*\r\nContent-Length: 3\r\n\r\n";
  const auto head = parser.parse(request);
  ASSERT_TRUE(head && *head);
  EXPECT_EQ(
      forward_head(**head, kHost),
      "POST /a?b=c HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\nAccept: */*\r\n");
  EXPECT_THAT(forward_head(**head, {"allowed.example", 8080}),
              HasSubstr("Host: allowed.example:8080\r\n"));
}

TEST(EgressHello, MustNameTheHostAndNobodyElse) {
  using State = HelloCheck::State;
  const std::string hello = test::make_client_hello("allowed.example");
  EXPECT_EQ(check_hello(hello, kHost).state, State::kGood);
  EXPECT_EQ(check_hello(hello.substr(0, 100), kHost).state, State::kMore);
  EXPECT_EQ(check_hello("", kHost).state, State::kMore);
  for (const std::string& other :
       {test::make_client_hello("other.example"), test::make_client_hello(""),
        std::string("GET / HTTP/1.1\r\n\r\n")})
    EXPECT_EQ(check_hello(other, kHost).state, State::kBad);
}

TEST(EgressRefusal, IsOneReplyWhateverTheReason) {
  const std::string denied = egress_refusal(403, kHost, "because\r\n\r\nGET", true);
  EXPECT_THAT(denied,
              testing::StartsWith("HTTP/1.1 403 AISPM gateway: allowed.example:80 is "
                                  "refused: because????GET\r\naispm-denied: because????GET"));
  EXPECT_THAT(egress_refusal(502, kHost, "dead", false), Not(HasSubstr("aispm-denied")));
}

TEST(EgressTable, CountsOpenConnectionsOfEachRun) {
  EgressTable table;
  auto first = table.take("a", 2);
  {
    const auto second = table.take("a", 2);
    EXPECT_TRUE(second);
    EXPECT_FALSE(table.take("a", 2));
    EXPECT_TRUE(table.take("b", 2));
  }
  EXPECT_TRUE(table.take("a", 2));
  first.reset();
  EXPECT_TRUE(table.take("a", 1));
}

}  // namespace
}  // namespace aispm::gateway
