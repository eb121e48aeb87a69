// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/secret_finder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aispm::sensor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// In two parts, so that scanners of repositories do not take it for a live one.
const std::string kKey = std::string("AKIA") + "Q7NT3KZ5XWPLMB2D";

class SecretFinderTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto opened = SecretFinder::open(Secret("host one"));
    ASSERT_TRUE(opened) << opened.error().message;
    finder_ = new SecretFinder(std::move(*opened));
  }
  static void TearDownTestSuite() {
    delete finder_;
    finder_ = nullptr;
  }
  static SecretFinder* finder_;
};
SecretFinder* SecretFinderTest::finder_ = nullptr;

std::string block_of(std::initializer_list<std::string> variables) {
  std::string block;
  for (const std::string& variable : variables) block.append(variable).push_back('\0');
  return block;
}

// SEN-027
TEST_F(SecretFinderTest, ASecretInTheEnvironmentIsToldByNameAndHashAlone) {
  const auto found = finder_->find(block_of({"HOME=/root", "AWS_ACCESS_KEY_ID=" + kKey}));
  ASSERT_THAT(found, Not(IsEmpty()));
  EXPECT_EQ(found[0].rule_id, "secret.aws_access_key");
  EXPECT_EQ(found[0].surface, "environment");
  EXPECT_THAT(found[0].evidence, HasSubstr("AWS_ACCESS_KEY_ID: keyed hash "));
  for (const auto& one : found) {
    EXPECT_THAT(one.evidence, Not(HasSubstr(kKey.substr(4, 8))));
    EXPECT_THAT(one.message, Not(HasSubstr(kKey.substr(4, 8))));
  }
}

TEST_F(SecretFinderTest, AnOrdinaryEnvironmentHoldsNone) {
  EXPECT_THAT(finder_->find(block_of({"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "SHLVL=1",
                                      "SSH_AUTH_SOCK=/run/user/1000/keyring/ssh", "TERM=xterm"})),
              IsEmpty());
  EXPECT_THAT(finder_->find(""), IsEmpty());
}

TEST_F(SecretFinderTest, TakesSecretsOutOfArguments) {
  std::vector<std::string> arguments{"curl", "-H", "X-Key: " + kKey, "https://example.com"};
  const auto found = finder_->redact(arguments);
  ASSERT_THAT(found, Not(IsEmpty()));
  EXPECT_EQ(found[0].surface, "argv");
  EXPECT_THAT(found[0].evidence, HasSubstr("argument 2: keyed hash "));
  EXPECT_THAT(arguments, ElementsAre("curl", "-H", HasSubstr("[secret]"), "https://example.com"));
  EXPECT_THAT(arguments[2], Not(HasSubstr(kKey)));
}

TEST_F(SecretFinderTest, LeavesOrdinaryArgumentsAlone) {
  const std::vector<std::string> before{"python3", "-m", "http.server", "--bind", "127.0.0.1"};
  std::vector<std::string> arguments = before;
  EXPECT_THAT(finder_->redact(arguments), IsEmpty());
  EXPECT_EQ(arguments, before);
}

TEST_F(SecretFinderTest, TwoSecretsInOneArgumentBothGo) {
  std::vector<std::string> arguments{"x=" + kKey + " y=" + kKey};
  finder_->redact(arguments);
  EXPECT_THAT(arguments[0], Not(HasSubstr(kKey)));
}

TEST_F(SecretFinderTest, TheSameSecretHasTheSameHashOnOneHostOnly) {
  auto other = SecretFinder::open(Secret("host two"));
  ASSERT_TRUE(other);
  const std::string block = block_of({"K=" + kKey});
  const auto here = finder_->find(block);
  const auto again = finder_->find(block);
  const auto there = other->find(block);
  ASSERT_THAT(here, Not(IsEmpty()));
  EXPECT_EQ(here[0].evidence, again[0].evidence);
  EXPECT_NE(here[0].evidence, there[0].evidence);
}

TEST_F(SecretFinderTest, AnEndlessEnvironmentIsCut) {
  std::string block(SecretFinder::kMaxEnvironmentBytes, 'x');
  block += '\0';
  block += "K=" + kKey;
  EXPECT_THAT(finder_->find(block), IsEmpty());
}

}  // namespace
}  // namespace aispm::sensor
