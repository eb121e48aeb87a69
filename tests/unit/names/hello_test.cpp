// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sensor/decode/names_tls.hpp"
#include "tests/support/client_hello.hpp"

namespace aispm::sensor {
namespace {

using State = HelloParse::State;

const std::string& hello() {
  static const std::string kHello =
      test::make_client_hello("API.OpenAI.com", std::string("\2h2\10http/1.1", 12));
  return kHello;
}

// The handshake message without its record header.
std::string message() { return hello().substr(5); }

TEST(ClientHello, GivesTheNameInLowerCaseAndTheFirstProtocol) {
  const HelloParse parse = parse_hello_records(hello());
  EXPECT_EQ(parse.state, State::kWhole);
  EXPECT_EQ(parse.facts.server_name, "api.openai.com");
  EXPECT_EQ(parse.facts.alpn, "h2");
  EXPECT_FALSE(parse.facts.encrypted_hello);
}

TEST(ClientHello, WithoutANameIsWholeAndNamesNobody) {
  const HelloParse parse = parse_hello_records(test::make_client_hello(""));
  EXPECT_EQ(parse.state, State::kWhole);
  EXPECT_EQ(parse.facts.server_name, "");
}

TEST(ClientHello, CutAnywhereAsksForMore) {
  for (std::size_t size = 0; size < hello().size(); ++size)
    EXPECT_EQ(parse_hello_records(hello().substr(0, size)).state, State::kPart) << size;
}

TEST(ClientHello, InTwoRecordsIsOne) {
  for (const std::size_t first : {std::size_t{1}, std::size_t{4}, std::size_t{100}}) {
    const auto record = [](const std::string& part) {
      return std::string("\x16\x03\x01", 3) + static_cast<char>(part.size() >> 8) +
             static_cast<char>(part.size()) + part;
    };
    const std::string both = record(message().substr(0, first)) + record(message().substr(first));
    EXPECT_EQ(parse_hello_records(both).facts.server_name, "api.openai.com") << first;
  }
}

TEST(ClientHello, OtherBytesAreNone) {
  EXPECT_EQ(parse_hello_records("GET / HTTP/1.1\r\n").state, State::kNone);
  EXPECT_EQ(parse_hello_records(std::string("\x16\x03\x03\x00\x04\x02\x00\x00\x00", 9)).state,
            State::kNone);  // a ServerHello
  EXPECT_EQ(parse_hello_records(std::string("\x16\x03\x01\xff\xff\x01", 6)).state, State::kNone);
}

TEST(ClientHello, EncryptedHelloIsTold) {
  // A hello with one extension of type 0xfe0d.
  std::string body = std::string("\3\3", 2) + std::string(32, 'r') + std::string("\0", 1) +
                     std::string("\0\2\x13\1", 4) + std::string("\1\0", 2) +
                     std::string("\0\5\xfe\x0d\0\1x", 7);
  const std::string hello = std::string("\1\0\0", 3) + static_cast<char>(body.size()) + body;
  const HelloParse parse = parse_client_hello(hello);
  EXPECT_EQ(parse.state, State::kWhole);
  EXPECT_TRUE(parse.facts.encrypted_hello);
}

TEST(HostName, IsLowerCaseWithoutFinalDot) {
  EXPECT_EQ(clean_name("Api.Example.COM."), "api.example.com");
  EXPECT_EQ(clean_name("a b"), "");
  EXPECT_EQ(clean_name(""), "");
  EXPECT_EQ(clean_name(std::string(254, 'a')), "");
}

}  // namespace
}  // namespace aispm::sensor
