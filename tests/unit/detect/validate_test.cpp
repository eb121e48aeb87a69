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

TEST(Validator, DummiesAreNoSecrets) {
  for (const char* text : {"ghp_xxxxxxxxxxxxxxxx", "glsa_00000000", "YOUR-TOKEN", "${KEY}", "<key>",
                           "sk-your-key", "[REDACTED]"})
    EXPECT_FALSE(check("not_dummy", text)) << text;
  for (const char* text : {"t7Rk92mZqW", "AKIAZQKVCZGQD4LHFV52", "abcdef1234567890"})
    EXPECT_TRUE(check("not_dummy", text)) << text;
}

TEST(Validator, KeysThatTheirVendorPublishesAreNoSecrets) {
  for (const char* text :
       {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/"
        "KBHBeksoGMGw=="})
    EXPECT_FALSE(check("not_dummy", text)) << text;
  EXPECT_TRUE(check("not_dummy", "AKIAIOSFODNN7EXAMPLX"));
}

TEST(Validator, PiecesOfTheAlphabetAreNoTokensByThemselves) {
  for (const char* text :
       {"sk-ant-api03-abc123xyz-456de-klMnopqrstuvwx-3456yza789bcde-1234fghijklmnopAA",
        "AIzaSyabcdefghijklmnopqrstuvwxyz1234567"}) {
    EXPECT_FALSE(check("not_alphabet", text)) << text;
    EXPECT_TRUE(check("not_dummy", text)) << text;  // beside a telling name they count
  }
  for (const char* text : {"12345678-ABCD-ABCD-ABCD-1234567890AB",
                           "sqa_91f2ABCDE77Q0cc8d1e5a4b3f2d7c6b5a4", "abcdefgh"})
    EXPECT_TRUE(check("not_alphabet", text)) << text;
  EXPECT_FALSE(check("not_dummy", "ops_eyJzaWduSW5BZGRyZXNzIjoi..."));
}

TEST(Validator, StrongPasswordsHaveThreeKindsOfCharacters) {
  for (const char* text : {"mQv4Tr9x", "HarborLight27", "kRt81Qzz!", "wq8#kd02lm"})
    EXPECT_TRUE(check("strong_password", text)) << text;
  for (const char* text : {"mQv4Tr9", "harborlight", "harbor27light", "HARBOR27LIGHT", "P@ssw0rd1",
                           "$DB_PASSWORD1a", "$DbPassword1", "20241103T1015"})
    EXPECT_FALSE(check("strong_password", text)) << text;
}

TEST(Validator, MembersOfObjectsAreNoPasswords) {
  EXPECT_FALSE(check("password", "@user.password"));
  EXPECT_FALSE(check("password", "string!"));
  EXPECT_TRUE(check("password", "@User.Pass7"));
  EXPECT_FALSE(check("random", "semconv.NetSockPeerAddrKey"));
  EXPECT_TRUE(check("random", "QxRtZbVkLmWpYsHg"));
}

TEST(Validator, ReferencesAreNoSecrets) {
  for (const char* text : {"os.environ[x]", "process.env.KEY", "secrets.TOKEN", "self.token2"})
    EXPECT_FALSE(check("not_reference", text)) << text;
  EXPECT_TRUE(check("not_reference", "t7Rk92mZqW"));
}

TEST(Validator, RandomIsWhatNobodyWritesAsAName) {
  for (const char* text :
       {"b7L4f9hQ8r3kN5l8m1G2cE", "3b7e4567-e89b-12d3-a456-426614174c0e",
        "9c1185a5c5e9fc54612808977ee8f548b2258d31", "kYdzQGlA0Zq9ksqSgPD1zrLWCwcMxMKUGZpveJWu"})
    EXPECT_TRUE(check("random", text)) << text;
  for (const char* text : {"user_settings_2024_v2", "getOAuth2TokenForUser", "2026-11-21",
                           "projects/myproject/secrets/database", "10.0.41863.13", ""})
    EXPECT_FALSE(check("random", text)) << text;
}

TEST(Validator, PasswordsHaveTwoKindsOfCharacters) {
  for (const char* text : {"t7Rk!92mZq", "super$ecret", "hunter2"})
    EXPECT_TRUE(check("password", text)) << text;
  for (const char* text : {"hunter", "password", "string", "username", ""})
    EXPECT_FALSE(check("password", text)) << text;
  EXPECT_FALSE(check("not_password_word", "Password"));
  EXPECT_FALSE(check("not_password_word", "password@"));
  EXPECT_FALSE(check("not_password_word", "chPassword"));
  EXPECT_TRUE(check("not_password_word", "x7password"));
  EXPECT_TRUE(check("not_password_word", "whiteduke"));
}

TEST(Validator, WalletAddressesHaveChecksums) {
  EXPECT_TRUE(check("base58_check", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"));
  EXPECT_FALSE(check("base58_check", "1BoatSLRHtKNngkdXEeobR76b53LETtpyX"));
  EXPECT_FALSE(check("base58_check", "0OIl"));
  EXPECT_FALSE(check("base58_check", std::string(200, 'z')));
  EXPECT_FALSE(check("base58_check", std::string(128, '1')));
  EXPECT_FALSE(check("base58_check", ""));
  EXPECT_TRUE(check("bech32", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"));
  EXPECT_FALSE(check("bech32", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"));
  EXPECT_FALSE(check("bech32", "1"));
}

TEST(Validator, Ipv6IsOneWholeAddress) {
  for (const char* text : {"2001:db8::8a2e:370:7334", "6e40:4041:c617:e898:c11:40d2:c669:2eb4"})
    EXPECT_TRUE(check("ipv6", text)) << text;
  for (const char* text : {"::", "::1", "12:30:45", "2001:db8", "g::1", ""})
    EXPECT_FALSE(check("ipv6", text)) << text;
}

// Published test numbers; each must fail when its last digit or letter changes.
TEST(Validator, NationalNumbersHaveCheckDigits) {
  const std::pair<const char*, std::string> cases[] = {{"aba_routing", "021000021"},
                                                       {"npi", "1234567893"},
                                                       {"dea", "AP5836727"},
                                                       {"uk_nhs", "943 476 5919"},
                                                       {"de_tax_id", "86 095 742 719"},
                                                       {"de_id_card", "T220001293"},
                                                       {"fr_nir", "2 55 08 14 168 025 38"},
                                                       {"es_dni", "12345678Z"},
                                                       {"es_dni", "X1234567L"},
                                                       {"it_fiscal_code", "RSSMRA85T10A562S"},
                                                       {"nl_bsn", "111222333"},
                                                       {"be_national", "85.07.30-033.28"},
                                                       {"pt_nif", "123456789"},
                                                       {"ch_ahv", "756.9217.0769.85"},
                                                       {"pl_pesel", "44051401359"},
                                                       {"se_personal", "811228-9874"},
                                                       {"fi_personal", "131052-308T"},
                                                       {"no_birth", "01010750160"},
                                                       {"ro_cnp", "1800101221144"},
                                                       {"bg_egn", "7523169263"},
                                                       {"gr_afm", "094259216"},
                                                       {"gr_amka", "01013099997"},
                                                       {"hu_taj", "111 111 110"},
                                                       {"cz_birth", "710319/2745"},
                                                       {"ua_tax", "1759013776"},
                                                       {"in_aadhaar", "2341 2341 2346"},
                                                       {"br_cpf", "111.444.777-35"},
                                                       {"br_cnpj", "11.222.333/0001-81"},
                                                       {"au_tfn", "123 456 782"},
                                                       {"au_abn", "51 824 753 556"},
                                                       {"ca_sin", "130 692 544"},
                                                       {"cn_resident", "11010519491231002X"},
                                                       {"kr_resident", "920404-1234560"},
                                                       {"jp_my_number", "123456789018"},
                                                       {"sg_nric", "S1234567D"},
                                                       {"za_id", "8001015009087"},
                                                       {"tr_national", "10000000146"},
                                                       {"il_id", "123456782"},
                                                       {"mx_curp", "BOXW310820HNERXN09"},
                                                       {"cl_rut", "12.345.678-5"},
                                                       {"ar_cuit", "20-12345678-6"}};
  for (const auto& [name, number] : cases) {
    EXPECT_TRUE(check(name, number)) << name << " " << number;
    std::string wrong = number;
    wrong.back() = wrong.back() == '9' ? '0' : static_cast<char>(wrong.back() + 1);
    EXPECT_FALSE(check(name, wrong)) << name << " " << wrong;
    EXPECT_FALSE(check(name, number.substr(0, number.size() - 1))) << name;
    EXPECT_FALSE(check(name, number + "1234567890123")) << name;
    EXPECT_FALSE(check(name, "")) << name;
    EXPECT_FALSE(check(name, "000000000")) << name;
  }
}

TEST(Validator, NationalNumbersWithoutCheckDigitHaveRanges) {
  EXPECT_TRUE(check("uk_nino", "AB 12 34 56 C"));
  EXPECT_FALSE(check("uk_nino", "GB123456A"));
  EXPECT_FALSE(check("uk_nino", "QQ123456C"));
  EXPECT_TRUE(check("us_itin", "912-70-1234"));
  EXPECT_FALSE(check("us_itin", "912-40-1234"));
  EXPECT_TRUE(check("in_pan", "ABCPE1234F"));
  EXPECT_FALSE(check("in_pan", "ABCXE1234F"));
  EXPECT_TRUE(check("dk_cpr", "070761-4285"));
  EXPECT_FALSE(check("dk_cpr", "071361-4285"));
  EXPECT_TRUE(check("at_social", "1237010180"));
  EXPECT_FALSE(check("at_social", "1238010180"));
  EXPECT_TRUE(check("au_medicare", "2123 45670 1"));
  EXPECT_FALSE(check("au_medicare", "2123 45671 1"));
  // Corsica
  EXPECT_FALSE(check("fr_nir", "1 80 01 2C 001 001 01"));
}

TEST(Validator, ItsWordsAreAllUnderstood) {
  const std::string words = validator_words();
  std::size_t begin = 0;
  std::size_t count = 0;
  for (std::size_t end = words.find(", "); end != std::string::npos;
       begin = end + 2, end = words.find(", ", begin), ++count)
    EXPECT_TRUE(parse_validator(words.substr(begin, end - begin)));
  EXPECT_GT(count, 40U);
}

TEST(Validator, RandomValuesMayStandInGroups) {
  for (const char* value :
       {"2FTJTA1C-BXO0DV4J-HGTP9E62-QHQSILY1", "{acme AQAAABAAA k3v9q2xw8t7b5n1m4c6z0r9d}"})
    EXPECT_TRUE(check("random", value)) << value;
  for (const char* name : {"us-east-1-production-cluster", "my-service-account-name",
                           "projects/main/secrets/database", "release-2024-01-15-final"})
    EXPECT_FALSE(check("random", name)) << name;
}

TEST(Validator, SolidValuesAreOfOneKindWithoutABreak) {
  for (const char* value : {"48201957364820195736", "abcdefabcdefabcdefab", "QWERTZUIOPASDFGHJKLY",
                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"})
    EXPECT_TRUE(check("solid", value)) << value;
  for (const char* name : {"get_api_key_from_environment", "someVeryLongVariableName", "12345678",
                           "ACCESS_CONTROL_ALLOW_ORIGIN"})
    EXPECT_FALSE(check("solid", name)) << name;
}

TEST(Validator, PhrasesAreWordsButNotThoseOfManuals) {
  for (const char* word : {"whiteduke", "open-sesame", "team10\"", "thisismypassword"})
    EXPECT_TRUE(check("phrase", word)) << word;
  for (const char* other : {"required", "new_password", "$DB_PASSWORD", "getPassword()", "base64",
                            "password", "12345", "${X}", ""})
    EXPECT_FALSE(check("phrase", other)) << other;
}

TEST(Validator, PhoneNumbersHaveSevenToFifteenDigitsAndAreNoDates) {
  for (const char* phone : {"+44 7124 542112", "(591)341-7776x41586", "030 1234567", "9469 9966"})
    EXPECT_TRUE(check("phone", phone)) << phone;
  for (const char* other : {"09/28", "05-12-2024", "2024-05-12", "020-47-6386", "811228-9874",
                            "0123456789012345", "", "call me"})
    EXPECT_FALSE(check("phone", other)) << other;
}

TEST(Validator, DummiesAreWhatEverybodyHasOrCanRead) {
  for (const char* dummy :
       {"xoxp-1234-1234-1234-4ddbc191d40ee098cbaae6f3523ada2d",  // groups over and over
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",                  // the header of a token, no token
        "dGhlIHNhbXBsZSBub25jZQ==", "YmVkcm9jay5hbWF6b25hd3MuY29t",  // words in Base64
        "2YotnFZFEjr1zCsicMWpAA", "AKIAXXXXXXXXXXXXXXXX", "4b1dXXXXXXXXXXXXXXXXXXXXXXXXXX"})
    EXPECT_FALSE(check("not_dummy", dummy)) << dummy;
  for (const char* secret : {"xoxa-2-511111111-31111111111-3111111111111-e039d02840a0b9379c",
                             "dXNlcjpwYXNzd29yZA==", "12345678-ABCD-ABCD-ABCD-1234567890AB",
                             "eyJrIjoiT0tTcG1pUlY2RnVKZTFVaDFsNFZXdE9ZWmNrMkZYbk"})
    EXPECT_TRUE(check("not_dummy", secret)) << secret;
}

TEST(Validator, PasswordsOfManualsAreNone) {
  for (const char* demo : {"P@ssw0rd1!", "B0bP4ssw0rd", "secret2", "Test1234"})
    EXPECT_FALSE(check("password", demo)) << demo;
  for (const char* secret : {"Wq8#kd02Lm", "s3cr3tPw9", "test1234x"})
    EXPECT_TRUE(check("password", secret)) << secret;
  EXPECT_TRUE(check("not_password_word", "P@ssw0rd$1"));
}

TEST(Validator, PhoneRefusesNumbersOfArticlesAndBuilds) {
  for (const char* other : {"006-77-006", "0119.0119.04"})
    EXPECT_FALSE(check("phone", other)) << other;
  for (const char* phone : {"434 14 557", "35 2958-5048"})
    EXPECT_TRUE(check("phone", phone)) << phone;
}

}  // namespace
}  // namespace aispm::detect
