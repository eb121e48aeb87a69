// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sdk/core/common/file.hpp"
#include "sensor/decode/names_quic.hpp"
#include "sensor/decode/names_tls.hpp"

namespace aispm::sensor {
namespace {

// What aioquic 1.x sends first: to api.openai.com in one datagram, to api.anthropic.com in two.
std::string datagram(const std::string& name) {
  const auto bytes =
      read_file(std::string(AISPM_SOURCE_DIR) + "/tests/fixtures/quic/" + name + ".bin", 2048);
  EXPECT_TRUE(bytes) << name;
  return bytes.value_or("");
}

std::string join(const std::vector<QuicCrypto::Part>& parts) {
  std::string bytes;
  for (const auto& part : parts) {
    bytes.resize(std::max<std::size_t>(bytes.size(), part.offset + part.bytes.size()));
    bytes.replace(part.offset, part.bytes.size(), part.bytes);
  }
  return bytes;
}

TEST(QuicInitial, GivesTheHelloOfARealClient) {
  const auto crypto = open_quic_initial(datagram("single"), "");
  ASSERT_TRUE(crypto) << crypto.error().message;
  const HelloParse hello = parse_client_hello(join(crypto->parts));
  EXPECT_EQ(hello.state, HelloParse::State::kWhole);
  EXPECT_EQ(hello.facts.server_name, "api.openai.com");
  EXPECT_EQ(hello.facts.alpn, "h3");
}

TEST(QuicInitial, TwoDatagramsMakeOneHello) {
  const auto first = open_quic_initial(datagram("split_0"), "");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(parse_client_hello(join(first->parts)).state, HelloParse::State::kPart);
  const auto second = open_quic_initial(datagram("split_1"), first->key_id);
  ASSERT_TRUE(second) << second.error().message;
  auto parts = first->parts;
  parts.insert(parts.end(), second->parts.begin(), second->parts.end());
  EXPECT_EQ(parse_client_hello(join(parts)).facts.server_name, "api.anthropic.com");
}

// Its first packet, that is: padding behind it is not protected.
TEST(QuicInitial, ChangedAnywhereIsNotOpened) {
  const std::string good = datagram("single");
  for (std::size_t at = 6; at < 400; at += 37) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(open_quic_initial(bad, "")) << at;
  }
}

TEST(QuicInitial, CutAnywhereIsRefused) {
  const std::string good = datagram("single");
  for (std::size_t size = 0; size < 500; size += 13)
    EXPECT_FALSE(open_quic_initial(std::string_view(good).substr(0, size), "")) << size;
}

TEST(QuicInitial, AnotherVersionIsUnsupported) {
  std::string other = datagram("single");
  other[4] = '\x7f';
  const auto crypto = open_quic_initial(other, "");
  ASSERT_FALSE(crypto);
  EXPECT_EQ(crypto.error().code, Errc::kUnsupported);
}

}  // namespace
}  // namespace aispm::sensor
