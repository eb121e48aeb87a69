// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <algorithm>

#include "sdk/core/common/file.hpp"
#include "sensor/correlate/name_tracker.hpp"
#include "tests/support/client_hello.hpp"
#include "tests/support/dns_message.hpp"

namespace aispm::sensor {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

NameBytes make(NameBytesKind kind, std::string bytes, std::uint32_t offset = 0,
               std::uint64_t cookie = 7) {
  NameBytes record;
  record.kind = kind;
  record.bytes = std::move(bytes);
  record.offset = offset;
  record.socket.cookie = cookie;
  record.socket.destination.port = 443;
  record.actor.id = {42, {1}};
  return record;
}

class NameTrackerTest : public testing::Test {
 protected:
  void take(const NameBytes& bytes) {
    tracker_.take(bytes, [this](SeenName name) { names_.push_back(std::move(name)); });
  }
  NameTracker tracker_;
  std::vector<SeenName> names_;
};

TEST_F(NameTrackerTest, HelloInTwoSegmentsIsOneName) {
  const std::string hello = test::make_client_hello("api.anthropic.com");
  for (const std::size_t cut : {std::size_t{1}, std::size_t{5}, hello.size() / 2}) {
    names_.clear();
    take(make(NameBytesKind::kTlsHello, hello.substr(0, cut)));
    EXPECT_THAT(names_, IsEmpty());
    take(make(NameBytesKind::kTlsHello, hello.substr(cut), static_cast<std::uint32_t>(cut)));
    ASSERT_THAT(names_, SizeIs(1)) << cut;
    EXPECT_EQ(names_[0].name, "api.anthropic.com");
    EXPECT_EQ(names_[0].source, NameSource::kSni);
    EXPECT_EQ(names_[0].actor.id.pid, 42U);
  }
}

TEST_F(NameTrackerTest, SegmentSentAgainDoesNoHarm) {
  const std::string hello = test::make_client_hello("api.anthropic.com");
  take(make(NameBytesKind::kTlsHello, hello.substr(0, 50)));
  take(make(NameBytesKind::kTlsHello, hello.substr(20, 60), 20));
  take(make(NameBytesKind::kTlsHello, hello.substr(80), 80));
  EXPECT_THAT(names_, SizeIs(1));
}

TEST_F(NameTrackerTest, HoleInAHelloIsCountedAndNamesNobody) {
  const std::string hello = test::make_client_hello("api.anthropic.com");
  take(make(NameBytesKind::kTlsHello, hello.substr(0, 50)));
  take(make(NameBytesKind::kTlsHello, hello.substr(60), 60));
  EXPECT_THAT(names_, IsEmpty());
  EXPECT_EQ(tracker_.counters().hellos_cut, 1U);
}

TEST_F(NameTrackerTest, HellosOfTwoSocketsDoNotMix) {
  const std::string one = test::make_client_hello("one.example");
  const std::string two = test::make_client_hello("two.example");
  take(make(NameBytesKind::kTlsHello, one.substr(0, 60), 0, 1));
  take(make(NameBytesKind::kTlsHello, two.substr(0, 60), 0, 2));
  take(make(NameBytesKind::kTlsHello, one.substr(60), 60, 1));
  take(make(NameBytesKind::kTlsHello, two.substr(60), 60, 2));
  ASSERT_THAT(names_, SizeIs(2));
  EXPECT_EQ(names_[0].name, "one.example");
  EXPECT_EQ(names_[1].name, "two.example");
}

TEST_F(NameTrackerTest, ResolverOverHttpsIsTold) {
  take(make(NameBytesKind::kTlsHello, test::make_client_hello("dns.google")));
  ASSERT_THAT(names_, SizeIs(1));
  EXPECT_TRUE(names_[0].is_doh);
  NameBytes nameless = make(NameBytesKind::kTlsHello, test::make_client_hello(""));
  nameless.socket.destination.bytes = {1, 1, 1, 1};
  take(nameless);
  ASSERT_THAT(names_, SizeIs(2));
  EXPECT_TRUE(names_[1].is_doh);
  take(make(NameBytesKind::kTlsHello, test::make_client_hello("api.openai.com")));
  EXPECT_FALSE(names_[2].is_doh);
}

TEST_F(NameTrackerTest, QuicInTwoDatagramsIsOneName) {
  for (const char* part : {"split_0", "split_1"}) {
    const auto bytes =
        read_file(std::string(AISPM_SOURCE_DIR) + "/tests/fixtures/quic/" + part + ".bin", 2048);
    ASSERT_TRUE(bytes);
    take(make(NameBytesKind::kQuic, *bytes));
  }
  ASSERT_THAT(names_, SizeIs(1));
  EXPECT_EQ(names_[0].name, "api.anthropic.com");
  EXPECT_EQ(names_[0].source, NameSource::kQuic);
  EXPECT_EQ(names_[0].transport, Transport::kUdp);
}

TEST_F(NameTrackerTest, QuicOfAnUnknownVersionIsCounted) {
  take(make(NameBytesKind::kQuic, std::string("\xc0\x7f\0\0\1", 5) + std::string(100, 'x')));
  EXPECT_THAT(names_, IsEmpty());
  EXPECT_EQ(tracker_.counters().quic_unread, 1U);
}

// SEN-010: a question is a name, before and without an answer.
TEST_F(NameTrackerTest, DnsQuestionAndAnswerAreNames) {
  take(make(NameBytesKind::kDns, test::dns_question("api.deepseek.com")));
  ASSERT_THAT(names_, SizeIs(1));
  EXPECT_THAT(names_[0].addresses, IsEmpty());
  NameBytes answer = make(
      NameBytesKind::kDns,
      test::dns_answer("api.deepseek.com", test::dns_record(1, std::string("\xc0\0\2\7", 4)), 1));
  answer.direction = Direction::kRead;
  take(answer);
  ASSERT_THAT(names_, SizeIs(2));
  ASSERT_THAT(names_[1].addresses, SizeIs(1));
  EXPECT_EQ(names_[1].addresses[0].host_text(), "192.0.2.7");
  EXPECT_EQ(names_[1].ttl_seconds, 60U);
}

TEST_F(NameTrackerTest, DnsServersOwnSideIsNotTold) {
  NameBytes asked = make(NameBytesKind::kDns, test::dns_question("api.deepseek.com"));
  asked.direction = Direction::kRead;
  take(asked);
  EXPECT_THAT(names_, IsEmpty());
}

TEST_F(NameTrackerTest, HostLineIsAName) {
  take(make(NameBytesKind::kHttp,
            "POST /v1 HTTP/1.1\r\nAccept: */*\r\nhOsT: Models.Lan:8000\r\n\r\n"));
  ASSERT_THAT(names_, SizeIs(1));
  EXPECT_EQ(names_[0].name, "models.lan");
  take(make(NameBytesKind::kHttp, "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"));
  take(make(NameBytesKind::kHttp, "GET / HTTP/1.1\r\n\r\nHost: body.example\r\n"));
  take(make(NameBytesKind::kHttp, "GET / HTTP/1.1\r\nHost: [fe80::abcd]:8000\r\n\r\n"));
  EXPECT_THAT(names_, SizeIs(1));
}

TEST_F(NameTrackerTest, HostLineThatIsCutNamesNobody) {
  take(make(NameBytesKind::kHttp, "GET / HTTP/1.1\r\nAccept: */*\r\nHost: api.openai.co"));
  EXPECT_THAT(names_, IsEmpty());
}

TEST_F(NameTrackerTest, ANameSaysInWhichNetworkItWasSeen) {
  NameBytes asked = make(NameBytesKind::kDns, test::dns_question("api.deepseek.com"));
  asked.net_namespace = 4026531833;
  take(asked);
  ASSERT_THAT(names_, SizeIs(1));
  EXPECT_EQ(names_[0].net_namespace, 4026531833U);
}

TEST(NameNewsTest, SameNameOfAProcessIsToldOnceInTenMinutes) {
  NameNews news;
  SeenName name;
  name.name = "api.openai.com";
  name.actor.id = {1, {1}};
  EXPECT_TRUE(news.is_news(name));
  EXPECT_FALSE(news.is_news(name));
  name.actor.id.pid = 2;
  EXPECT_TRUE(news.is_news(name));
  name.time.nanoseconds = 601'000'000'000;
  EXPECT_TRUE(news.is_news(name));
  EXPECT_EQ(news.held_back(), 1U);
}

}  // namespace
}  // namespace aispm::sensor
