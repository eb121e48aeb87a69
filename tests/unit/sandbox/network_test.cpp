// SPDX-License-Identifier: Apache-2.0
// Names, and what the doors to the gateway let through (SBX-021).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/supervise/dns.hpp"
#include "sandbox/supervise/door.hpp"
#include "sandbox/supervise/names.hpp"
#include "tests/support/client_hello.hpp"

namespace aispm::sandbox {
namespace {

using Ask = Knock::Ask;
using testing::HasSubstr;
using namespace std::string_literals;

TEST(NameTable, GivesEachNameOneAddressOfEachFamily) {
  NameTable names;
  const std::uint32_t first = names.remember("a.example");
  EXPECT_NE(first, names.remember("b.example"));
  EXPECT_EQ(first, names.remember("a.example"));
  EXPECT_EQ(number_in(synthetic_ip4(first)), first);
  EXPECT_EQ(number_in(synthetic_ip6(first)), first);
  EXPECT_EQ(names.find_target("198.18.0.1:443"), "a.example");
  EXPECT_EQ(names.find_target("[fd61:6973:706d::2]:80"), "b.example");
  EXPECT_EQ(names.find_target("93.184.216.34:443"), "");
  EXPECT_EQ(names.find_target("[2001:db8::1]:443"), "");
  EXPECT_EQ(names.find_target("198.18.9.9:443"), "");
}

TEST(NameTable, StaysInItsRangeAndForgetsTheOldest) {
  NameTable names;
  const std::uint32_t kept = names.remember("kept.example");
  for (int i = 0; i < 200'000; ++i) {
    const std::uint32_t number = names.remember(std::to_string(i) + ".example");
    ASSERT_EQ(number_in(synthetic_ip4(number)), number);
    if (i % 1000 == 0) {
      ASSERT_EQ(names.remember("kept.example"), kept);
    }
  }
  EXPECT_EQ(names.size(), NameTable::kMaxNames);
  EXPECT_EQ(names.find(kept), "kept.example");
  EXPECT_EQ(names.remember("kept.example"), kept);
}

TEST(NameTable, KnowsOnlySyntheticAddresses) {
  EXPECT_FALSE(number_in(Ip4{198, 18, 0, 0}));
  EXPECT_FALSE(number_in(Ip4{198, 17, 255, 255}));
  EXPECT_FALSE(number_in(Ip4{198, 19, 255, 255}));
  EXPECT_TRUE(number_in(Ip4{198, 19, 255, 254}));
  Ip6 other = synthetic_ip6(7);
  other[9] = 1;
  EXPECT_FALSE(number_in(other));
}

std::vector<std::uint8_t> query(std::uint8_t type, std::uint8_t klass = 1) {
  return {0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 2, 'd', 'e', 0, 0, type, 0, klass};
}

TEST(Dns, AnswersWithTheAddressOfTheFamilyAsked) {
  const auto asked = parse_dns_query(query(1));
  ASSERT_TRUE(asked);
  EXPECT_TRUE(asked->is_standard);
  const auto reply = answer_dns(*asked, DnsCode::kNoError, synthetic_ip4(258));
  const std::vector<std::uint8_t> record(reply.end() - 16, reply.end());
  EXPECT_THAT(record, testing::ElementsAre(0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 18, 1, 2));
  EXPECT_EQ(reply[3], 0x80);
  EXPECT_EQ(reply[7], 1);
  EXPECT_EQ(answer_dns(*parse_dns_query(query(28)), DnsCode::kNoError, synthetic_ip6(1)).size(),
            query(28).size() + 28);
}

TEST(Dns, OtherClassesAndOperationsAreNoStandardQueries) {
  EXPECT_FALSE(parse_dns_query(query(1, 3))->is_standard);
  auto update = query(1);
  update[2] = 5 << 3;
  EXPECT_FALSE(parse_dns_query(update)->is_standard);
}

DoorPolicy policy() {
  DoorPolicy policy;
  policy.is_online = true;
  policy.allow = {*parse_host_rule("allowed.example"), *parse_host_rule("allowed.example:80"),
                  *parse_host_rule("*.wild.example")};
  policy.gateway_hosts = {"api.openai.com"};
  policy.profile = "test";
  return policy;
}

struct ProxyCase {
  std::string request;
  Ask ask;
  int status;  // of a refusal
};

// One request, and what two parsers could read differently (HTTP desync) is 400.
const ProxyCase kProxyCases[] = {
    {"GET /v1/models HTTP/1.1\r\n", Ask::kGateway, 0},
    {"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n", Ask::kGateway, 0},
    {"OPTIONS * HTTP/1.1\r\n", Ask::kGateway, 0},
    {"GET", Ask::kMore, 0},
    {"CONNECT allowed.example:443 HTTP/1.1\r\nHost: allo", Ask::kMore, 0},
    {"CONNECT allowed.example:443 HTTP/1.1\r\nHost: allowed.example:443\r\n\r\n", Ask::kHost, 0},
    {"CONNECT allowed.example:443 HTTP/1.0\r\n\r\n", Ask::kHost, 0},
    {"CONNECT ALLOWED.example:443 HTTP/1.1\r\nHost: allowed.example:443\r\n\r\n", Ask::kHost, 0},
    {"CONNECT a.b.wild.example:443 HTTP/1.1\r\nHost: a.b.wild.example:443\r\n\r\n", Ask::kHost, 0},
    {"GET http://allowed.example/x HTTP/1.1\r\nHost: allowed.example\r\n\r\n", Ask::kHost, 0},
    {"GET http://127.0.0.1:61088/v1/models HTTP/1.1\r\nHost: 127.0.0.1:61088\r\n\r\n",
     Ask::kGateway, 0},
    {"POST http://api.openai.com/v1/x HTTP/1.1\r\nHost: api.openai.com\r\n\r\n", Ask::kGateway, 0},
    // not allowed
    {"CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com:443\r\n\r\n", Ask::kRefused, 403},
    {"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n", Ask::kRefused, 403},
    {"CONNECT allowed.example:22 HTTP/1.1\r\nHost: allowed.example:22\r\n\r\n", Ask::kRefused, 403},
    {"CONNECT evil-allowed.example:443 HTTP/1.1\r\nHost: evil-allowed.example:443\r\n\r\n",
     Ask::kRefused, 403},
    {"CONNECT allowed.example.evil.org:443 HTTP/1.1\r\nHost: allowed.example.evil.org:443\r\n\r\n",
     Ask::kRefused, 403},
    {"CONNECT wild.example:443 HTTP/1.1\r\nHost: wild.example:443\r\n\r\n", Ask::kRefused, 403},
    {"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\n\r\n", Ask::kRefused, 403},
    {"CONNECT 2130706433:443 HTTP/1.1\r\nHost: 2130706433:443\r\n\r\n", Ask::kRefused, 403},
    {"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", Ask::kRefused, 403},
    {"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n", Ask::kRefused, 403},
    {"CONNECT allowed.example.:443 HTTP/1.1\r\nHost: allowed.example.:443\r\n\r\n", Ask::kRefused,
     403},
    {"CONNECT user@allowed.example:443 HTTP/1.1\r\nHost: allowed.example:443\r\n\r\n",
     Ask::kRefused, 403},
    {"CONNECT allowed.example HTTP/1.1\r\nHost: allowed.example\r\n\r\n", Ask::kRefused, 403},
    {"CONNECT allowed%2eexample:443 HTTP/1.1\r\nHost: allowed.example:443\r\n\r\n", Ask::kRefused,
     403},
    {"GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n", Ask::kRefused, 403},
    {"GET http://allowed.example:8080/ HTTP/1.1\r\nHost: allowed.example:8080\r\n\r\n",
     Ask::kRefused, 403},
    {"GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
     Ask::kRefused, 403},
    {"GET http://allowed.example@evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
     Ask::kRefused, 403},
    // ambiguous
    {"CONNECT allowed.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n", Ask::kRefused, 400},
    {"CONNECT allowed.example:443 HTTP/1.1\r\nHost: allowed.example:443\r\nContent-Length: "
     "3\r\n\r\nabc",
     Ask::kRefused, 400},
    {"GET http://allowed.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n", Ask::kRefused, 400},
    {"GET http://allowed.example/ HTTP/1.1\r\n\r\n", Ask::kRefused, 400},
    {"GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nHost: "
     "other.example\r\n\r\n",
     Ask::kRefused, 400},
    {"GET https://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n", Ask::kRefused, 400},
    {"GET ftp://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n", Ask::kRefused, 400},
    {"GET http://allowed.example/ HTTP/1.1\nHost: allowed.example\n\n", Ask::kRefused, 400},
    {"GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\n X: folded\r\n\r\n",
     Ask::kRefused, 400},
    {"GET http://allowed.example/ HTTP/1.1\r\nHost : allowed.example\r\n\r\n", Ask::kRefused, 400},
    {"GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nX: a\rb\r\n\r\n",
     Ask::kRefused, 400},
    {"GET http://allowed.example/\r\n\r\n", Ask::kRefused, 400},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Ask::kGateway, 0},  // the gateway's 400
    {"POST http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: "
     "4\r\nTransfer-Encoding: chunked\r\n\r\n",
     Ask::kRefused, 400},
    {"POST http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: "
     "4\r\nContent-Length: 5\r\n\r\n",
     Ask::kRefused, 400},
    {"POST http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: "
     "-1\r\n\r\n",
     Ask::kRefused, 400},
    {"POST http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: "
     "+4\r\n\r\n",
     Ask::kRefused, 400},
    {"POST http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: "
     "xchunked\r\n\r\n",
     Ask::kRefused, 400},
    {"POST http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: "
     "chunked, chunked\r\n\r\n",
     Ask::kRefused, 400},
    {"POST http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: "
     "chunked\r\nTransfer-Encoding: x\r\n\r\n",
     Ask::kRefused, 400},
    {"POST http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding:\x0b"
     "chunked\r\n\r\n",
     Ask::kRefused, 400},
    {"GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nX\0: 1\r\n\r\n"s,
     Ask::kRefused, 400},
};

TEST(Door, OfTheProxyAsksOnlyForWhatIsAllowedAndUnambiguous) {
  for (const auto& [request, ask, status] : kProxyCases) {
    const Knock knock = decide(Door::kProxy, "", request, policy());
    EXPECT_EQ(static_cast<int>(knock.ask), static_cast<int>(ask)) << request << knock.reason;
    if (ask == Ask::kRefused) {
      EXPECT_EQ(knock.status, status) << request << knock.reason;
      EXPECT_FALSE(knock.reason.empty()) << request;
    }
  }
}

TEST(Door, OfTheProxyIsDecidedAlikeHoweverTheBytesArrive) {
  for (const auto& [request, ask, status] : kProxyCases) {
    if (ask == Ask::kMore) continue;
    for (std::size_t size = 1; size < request.size(); ++size) {
      const Knock knock = decide(Door::kProxy, "", request.substr(0, size), policy());
      if (knock.ask == Ask::kMore) continue;
      EXPECT_EQ(static_cast<int>(knock.ask), static_cast<int>(ask)) << request.substr(0, size);
      break;
    }
  }
}

TEST(Door, OfPort80WantsTheHostThatWasConnectedTo) {
  const auto ask = [](const std::string& name, const std::string& request) {
    return decide(Door::kPlain, name, request, policy());
  };
  EXPECT_EQ(ask("allowed.example", "GET /x HTTP/1.1\r\nHost: allowed.example\r\n\r\n").host,
            (HostPort{"allowed.example", 80}));
  EXPECT_EQ(ask("api.openai.com", "POST /v1/x HTTP/1.1\r\nHost: api.openai.com\r\n\r\n").ask,
            Ask::kGateway);
  EXPECT_EQ(ask("other.example", "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n").status, 403);
  for (const char* request :
       {"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: allowed.example:81\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
        "GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n", "GET /\r\n\r\n",
        "\x16\x03\x01\x02\x00", "SSH-2.0-x\r\n\r\n"}) {
    const Knock knock = ask("allowed.example", request);
    EXPECT_EQ(knock.ask, Ask::kRefused) << request;
    EXPECT_EQ(knock.status, 400) << request;
  }
}

TEST(Door, OfPort443WantsTheNameThatWasConnectedTo) {
  const auto ask = [](const std::string& name, const std::string& bytes) {
    return decide(Door::kTls, name, bytes, policy());
  };
  const std::string hello = test::make_client_hello("allowed.example");
  EXPECT_EQ(ask("allowed.example", hello).host, (HostPort{"allowed.example", 443}));
  EXPECT_EQ(ask("allowed.example", hello.substr(0, hello.size() - 1)).ask, Ask::kMore);
  EXPECT_THAT(ask("other.example", hello).reason, HasSubstr("names allowed.example"));
  EXPECT_THAT(ask("other.example", test::make_client_hello("other.example")).reason,
              HasSubstr("not an allowed host"));
  EXPECT_THAT(ask("allowed.example", test::make_client_hello("")).reason,
              HasSubstr("no server name"));
  EXPECT_THAT(ask("allowed.example", "GET / HTTP/1.1\r\n\r\n").reason, HasSubstr("not a TLS"));
  EXPECT_THAT(ask("api.openai.com", test::make_client_hello("api.openai.com")).reason,
              HasSubstr("base URL"));
}

TEST(Door, OfflineAllowsNothing) {
  DoorPolicy offline;
  const Knock knock =
      decide(Door::kPlain, "a.example", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", offline);
  EXPECT_EQ(knock.ask, Ask::kRefused);
  EXPECT_THAT(knock.reason, HasSubstr("no network"));
}

TEST(Refusal, SaysWhyInEachDoorsOwnWords) {
  const Knock knock{Ask::kRefused, {"a.example", 80}, 403, "because\r\nX-Evil: 1"};
  const std::string http = refusal_bytes(Door::kPlain, knock);
  EXPECT_THAT(http, testing::StartsWith(
                        "HTTP/1.1 403 AISPM sandbox: a.example:80 is refused: because??X-Evil"));
  EXPECT_THAT(http, HasSubstr("\r\nAISPM-Denied: because??X-Evil: 1\r\n"));
  EXPECT_THAT(http, HasSubstr(R"("host":"a.example","port":80)"));
  EXPECT_EQ(refusal_bytes(Door::kTls, knock), "\x15\x03\x03\x00\x02\x02\x31"s);
}

TEST(ReplyHead, ReadsStatusAndReason) {
  const ReplyHead reply = read_reply_head("HTTP/1.1 403 No\r\naispm-denied: private\r\n");
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.denied, "private");
  EXPECT_EQ(read_reply_head("HTTP/1.1 200 OK\r\n").denied, "");
  EXPECT_EQ(read_reply_head("nonsense").status, 0);
}

}  // namespace
}  // namespace aispm::sandbox
