// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <algorithm>

#include "sensor/decode/names_dns.hpp"
#include "tests/support/dns_message.hpp"

namespace aispm::sensor {
namespace {

using test::dns_answer;
using test::dns_name;
using test::dns_question;
using test::dns_record;
using testing::SizeIs;

const std::string kV4("\xc0\0\2\7", 4);

TEST(Dns, QuestionGivesItsName) {
  const auto message = parse_dns(dns_question("Api.DeepSeek.com"));
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->is_answer);
  EXPECT_EQ(message->name, "api.deepseek.com");
  EXPECT_EQ(message->type, 1);
}

TEST(Dns, AnswerGivesAddressesOfTheNameThatWasAskedForThroughAliases) {
  const std::string alias = dns_record(5, dns_name("edge.example.net"), 9);
  const auto message = parse_dns(dns_answer("api.deepseek.com", alias + dns_record(1, kV4), 2));
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->is_answer);
  EXPECT_EQ(message->name, "api.deepseek.com");
  ASSERT_THAT(message->addresses, SizeIs(1));
  EXPECT_EQ(message->addresses[0].bytes[0], 192);
  EXPECT_FALSE(message->addresses[0].is_v6);
  EXPECT_EQ(message->ttl_seconds, 9U);
}

TEST(Dns, V6AnswerGivesItsAddress) {
  const std::string v6("\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
  const auto message = parse_dns(dns_answer("a.example", dns_record(28, v6), 1, 28));
  ASSERT_TRUE(message);
  ASSERT_THAT(message->addresses, SizeIs(1));
  EXPECT_TRUE(message->addresses[0].is_v6);
}

TEST(Dns, AnswerWithoutRecordsHasNoAddresses) {
  const auto message = parse_dns(dns_answer("nothing.example", "", 0));
  ASSERT_TRUE(message);
  EXPECT_THAT(message->addresses, SizeIs(0));
  EXPECT_EQ(message->ttl_seconds, 0U);
}

TEST(Dns, CutAnywhereIsRefused) {
  const std::string whole = dns_answer("api.deepseek.com", dns_record(1, kV4), 1);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_dns(std::string_view(whole).substr(0, size))) << size;
}

TEST(Dns, PointersThatLeadForwardsOrToThemselvesAreRefused) {
  std::string loop = dns_question("a.example");
  loop.replace(12, 2, std::string("\xc0\x0c", 2));
  EXPECT_FALSE(parse_dns(loop));
  loop.replace(12, 2, std::string("\xc0\x10", 2));
  EXPECT_FALSE(parse_dns(loop));
}

TEST(Dns, NamesWithBytesThatNoHostHasAreRefused) {
  EXPECT_FALSE(parse_dns(dns_question("a b.example")));
}

}  // namespace
}  // namespace aispm::sensor
