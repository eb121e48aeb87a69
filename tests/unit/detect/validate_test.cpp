// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/validate.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace aispm::detect {
namespace {

bool check(const char* name, std::string_view text) {
  const auto validator = parse_validator(name);
  EXPECT_TRUE(validator) << name;
  return validator && passes(*validator, text);
}

TEST(Validator, LuhnTakesCardsAndNothingElse) {
  for (const char* card : {"4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444",
                           "378282246310005", "6011111111111117"})
    EXPECT_TRUE(check("luhn", card)) << card;
  for (const char* other : {"4111111111111112", "0000000000000000", "79927398713", "", "abc"})
    EXPECT_FALSE(check("luhn", other)) << other;
}

TEST(Validator, IbanChecksCountryLengthAndRemainder) {
  for (const char* iban : {"DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19",
                           "FR1420041010050500013M02606", "NO9386011117947"})
    EXPECT_TRUE(check("iban", iban)) << iban;
  for (const char* other : {"DE89370400440532013001", "DE8937040044053201300",
                            "XX89370400440532013000", "DE89*70400440532013000", ""})
    EXPECT_FALSE(check("iban", other)) << other;
}

TEST(Validator, SsnRefusesNumbersThatAreNeverIssued) {
  EXPECT_TRUE(check("ssn", "536-90-4399"));
  for (const char* other : {"000-12-3456", "666-12-3456", "900-12-3456", "536-00-4399",
                            "536-90-0000", "078-05-1120", "536-90-439", "5536-90-4399"})
    EXPECT_FALSE(check("ssn", other)) << other;
}

TEST(Validator, GithubChecksumIsTheCrcInBase62) {
  const std::string body(30, 'a');
  constexpr std::string_view kDigits =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  // CRC-32 (IEEE) of thirty times "a", from an independent implementation (zlib).
  std::uint32_t crc = 0x6bc1d3c1U;
  std::string digits(6, '0');
  for (auto place = digits.rbegin(); place != digits.rend(); ++place, crc /= 62)
    *place = kDigits[crc % 62];
  const std::string token = "ghp_" + body + digits;
  EXPECT_TRUE(check("github_checksum", token));
  std::string wrong = token;
  wrong.back() = wrong.back() == 'A' ? 'B' : 'A';
  EXPECT_FALSE(check("github_checksum", wrong));
  EXPECT_FALSE(check("github_checksum", "ghp_short"));
  EXPECT_FALSE(check("github_checksum", "none"));
}

TEST(Validator, KnowsPlaceholders) {
  for (const char* text :
       {"your_api_key", "<token>", "${SECRET}", "changeme123", "xxxxxxxx", "EXAMPLEKEY"})
    EXPECT_FALSE(check("not_placeholder", text)) << text;
  EXPECT_TRUE(check("not_placeholder", "t7Rk92mZqW"));
}

TEST(Validator, MeasuresEntropy) {
  EXPECT_DOUBLE_EQ(entropy("aaaa"), 0);
  EXPECT_DOUBLE_EQ(entropy("abab"), 1);
  EXPECT_DOUBLE_EQ(entropy("abcd"), 2);
  EXPECT_DOUBLE_EQ(entropy(""), 0);
  EXPECT_TRUE(check("entropy>=1.5", "abcd"));
  EXPECT_FALSE(check("entropy>=2.5", "abcd"));
}

TEST(Validator, AwsKeyIdIsBase32OfManyLetters) {
  EXPECT_TRUE(check("aws_key_id", "AKIAIOSFODNN7EXAMPLE"));
  EXPECT_FALSE(check("aws_key_id", "AKIAAAAAAAAAAAAAAAAA"));
  EXPECT_FALSE(check("aws_key_id", "AKIA0189IOSFODNN7EXA"));
  EXPECT_FALSE(check("aws_key_id", "AKIA"));
}

TEST(Validator, RefusesUnknownNames) {
  for (const char* name :
       {"", "luhn!", "entropy", "entropy>=", "entropy>=x", "entropy>=0", "entropy>=9", "?"})
    EXPECT_FALSE(parse_validator(name)) << name;
  const auto advisory = parse_validator("github_checksum?");
  ASSERT_TRUE(advisory);
  EXPECT_FALSE(advisory->required);
}

TEST(Validation, AdvisoryFailureIsNoRefusal) {
  const Validator required = *parse_validator("mixed");
  const Validator advisory = *parse_validator("luhn?");
  EXPECT_EQ(validate({}, "a1"), Validation::kNone);
  EXPECT_EQ(validate(std::vector{required}, "a1"), Validation::kPassed);
  EXPECT_EQ(validate(std::vector{advisory, required}, "a1"), Validation::kAdvisoryFailed);
  EXPECT_EQ(validate(std::vector{advisory, required}, "aa"), Validation::kFailed);
}

}  // namespace
}  // namespace aispm::detect
