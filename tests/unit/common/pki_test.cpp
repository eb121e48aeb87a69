// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/pki.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aispm::pki {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kSecond = 1'000'000'000;

Validity valid_for(std::int64_t seconds) {
  const std::int64_t now = wall_now().nanoseconds;
  return {{now - 60 * kSecond}, {now + seconds * kSecond}};
}

struct Ca {
  Secret key;
  std::string pem;
};

Ca make_test_ca() {
  Ca ca;
  ca.key = make_key().value();
  ca.pem = make_ca(ca.key, "test CA", valid_for(3600)).value();
  return ca;
}

std::string make_client(const Ca& ca, const Identity& identity, const Secret& key) {
  const std::string request = make_request(key, "whatever the client says").value();
  return sign_client_request(ca.key, ca.pem, request, identity, valid_for(60)).value();
}

TEST(Pki, MakesDistinctKeysAsPem) {
  const Secret first = make_key().value();
  const Secret second = make_key().value();
  EXPECT_THAT(std::string(first.expose()), HasSubstr("BEGIN PRIVATE KEY"));
  EXPECT_NE(first.expose(), second.expose());
}

TEST(Pki, SignsAClientRequestAndReadsTheIdentityBack) {
  const Ca ca = make_test_ca();
  const Secret key = make_key().value();
  const Identity identity{"default", "sensord", "host-1"};
  const std::string certificate = make_client(ca, identity, key);
  EXPECT_EQ(parse_identity(certificate).value(), identity);
  EXPECT_TRUE(key_fits(key, certificate));
}

TEST(Pki, TakesNoNameFromTheRequest) {
  const Ca ca = make_test_ca();
  const Secret key = make_key().value();
  const std::string certificate = make_client(ca, {"t", "gateway", "h"}, key);
  EXPECT_EQ(parse_identity(certificate).value().host_id, "h");
}

TEST(Pki, AKeyDoesNotFitAnotherCertificate) {
  const Ca ca = make_test_ca();
  const Secret key = make_key().value();
  EXPECT_FALSE(key_fits(make_key().value(), make_client(ca, {"t", "c", "h"}, key)));
}

TEST(Pki, RefusesIdentitiesWithASeparatorOrAnEmptyPart) {
  const Ca ca = make_test_ca();
  const std::string request = make_request(make_key().value(), "x").value();
  for (const Identity& identity :
       {Identity{"", "c", "h"}, Identity{"t", "a/b", "h"}, Identity{"t", "c", "h\n"},
        Identity{"t", "c", std::string(129, 'h')}, Identity{"t", "c", std::string(65, 'h')}}) {
    const auto signed_request =
        sign_client_request(ca.key, ca.pem, request, identity, valid_for(60));
    ASSERT_FALSE(signed_request);
    EXPECT_EQ(signed_request.error().code, Errc::kInvalid);
  }
}

TEST(Pki, RefusesATamperedRequest) {
  const Ca ca = make_test_ca();
  std::string request = make_request(make_key().value(), "x").value();
  // The last base64 characters are part of the signature.
  const std::size_t at = request.find("-----END") - 8;
  request[at] = request[at] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(sign_client_request(ca.key, ca.pem, request, {"t", "c", "h"}, valid_for(60)));
}

TEST(Pki, RefusesToSignWithAKeyThatIsNotTheCas) {
  const Ca ca = make_test_ca();
  const std::string request = make_request(make_key().value(), "x").value();
  const auto result =
      sign_client_request(make_key().value(), ca.pem, request, {"t", "c", "h"}, valid_for(60));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("does not belong"));
}

TEST(Pki, RefusesAnEndCertificateAsCa) {
  const Ca ca = make_test_ca();
  const Secret key = make_key().value();
  const std::string end = make_client(ca, {"t", "c", "h"}, key);
  const std::string request = make_request(make_key().value(), "x").value();
  const auto result = sign_client_request(key, end, request, {"t", "c", "h"}, valid_for(60));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("not one of a CA"));
}

TEST(Pki, AServerCertificateHoldsForEachOfItsNames) {
  const Ca ca = make_test_ca();
  const std::string server =
      make_server_certificate(ca.key, ca.pem, make_key().value(),
                              {"localhost", "127.0.0.1", "::1", "collector.example"}, valid_for(60))
          .value();
  for (const char* host : {"localhost", "127.0.0.1", "::1", "collector.example"})
    EXPECT_TRUE(verify_server(server, ca.pem, host)) << host;
}

TEST(Pki, AServerCertificateDoesNotHoldForOtherNames) {
  const Ca ca = make_test_ca();
  const std::string server = make_server_certificate(ca.key, ca.pem, make_key().value(),
                                                     {"localhost", "127.0.0.1"}, valid_for(60))
                                 .value();
  for (const char* host : {"evil.example", "127.0.0.2", "::1", ""}) {
    const auto verified = verify_server(server, ca.pem, host);
    ASSERT_FALSE(verified) << host;
    EXPECT_EQ(verified.error().code, Errc::kUnauthenticated) << host;
  }
}

TEST(Pki, AServerCertificateOfAnotherCaOfTheSameNameIsRefused) {
  const Ca ca = make_test_ca();
  const Ca other = make_test_ca();
  const std::string server = make_server_certificate(other.key, other.pem, make_key().value(),
                                                     {"localhost"}, valid_for(60))
                                 .value();
  EXPECT_FALSE(verify_server(server, ca.pem, "localhost"));
}

TEST(Pki, AnExpiredServerCertificateIsRefused) {
  const Ca ca = make_test_ca();
  const std::string server =
      make_server_certificate(ca.key, ca.pem, make_key().value(), {"localhost"}, valid_for(-30))
          .value();
  const auto verified = verify_server(server, ca.pem, "localhost");
  ASSERT_FALSE(verified);
  EXPECT_THAT(verified.error().message, HasSubstr("expired"));
}

TEST(Pki, AClientCertificateIsNotAServer) {
  const Ca ca = make_test_ca();
  EXPECT_FALSE(verify_server(make_client(ca, {"t", "c", "localhost"}, make_key().value()), ca.pem,
                             "localhost"));
}

TEST(Pki, RefusesAServerCertificateWithoutOrWithBadNames) {
  const Ca ca = make_test_ca();
  const Secret key = make_key().value();
  EXPECT_FALSE(make_server_certificate(ca.key, ca.pem, key, {}, valid_for(60)));
  EXPECT_FALSE(make_server_certificate(ca.key, ca.pem, key, {"a,DNS:evil.example"}, valid_for(60)));
  EXPECT_FALSE(make_server_certificate(ca.key, ca.pem, key, {""}, valid_for(60)));
}

TEST(Pki, RefusesAValidityThatEndsBeforeItBegins) {
  const Secret key = make_key().value();
  EXPECT_FALSE(make_ca(key, "x", {{10 * kSecond}, {5 * kSecond}}));
}

TEST(Pki, ExpiryIsTheEndOfValidityInSeconds) {
  const Secret key = make_key().value();
  const std::string pem =
      make_ca(key, "x", {{1'000 * kSecond}, {2'000'000'000 * kSecond + 5}}).value();
  EXPECT_EQ(expiry(pem).value(), (WallTime{2'000'000'000 * kSecond}));
}

TEST(Pki, FingerprintIsStableAndDistinct) {
  const Ca ca = make_test_ca();
  const std::string print = fingerprint(ca.pem).value();
  EXPECT_EQ(print.size(), 64U);
  EXPECT_EQ(fingerprint("text before\n" + ca.pem).value(), print);
  EXPECT_NE(fingerprint(make_test_ca().pem).value(), print);
}

TEST(Pki, SplitsAChainInOrder) {
  const Ca ca = make_test_ca();
  const std::string leaf = make_client(ca, {"t", "c", "h"}, make_key().value());
  const auto chain = split_chain(leaf + ca.pem).value();
  ASSERT_EQ(chain.size(), 2U);
  EXPECT_EQ(chain[0], leaf);
  EXPECT_EQ(chain[1], ca.pem);
}

TEST(Pki, RefusesTextThatIsNoCertificate) {
  for (const std::string& text :
       {std::string(), std::string("hello"),
        std::string("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}) {
    EXPECT_FALSE(split_chain(text));
    EXPECT_FALSE(parse_identity(text));
    EXPECT_FALSE(fingerprint(text));
    EXPECT_FALSE(expiry(text));
    EXPECT_FALSE(key_fits(make_key().value(), text));
  }
}

TEST(Pki, RefusesTooMuchText) {
  const auto result = fingerprint(std::string(kMaxPemBytes + 1, 'x'));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kTooLarge);
}

TEST(Pki, ACertificateWithoutIdentityHasNone) {
  const Ca ca = make_test_ca();
  const auto result = parse_identity(ca.pem);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("subject alternative name"));
}

}  // namespace
}  // namespace aispm::pki
