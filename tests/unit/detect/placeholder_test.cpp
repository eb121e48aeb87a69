// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/placeholder.hpp"

#include <gtest/gtest.h>

#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {
namespace {

using model::Outcome;

class PlaceholderTest : public testing::Test {
 protected:
  std::string redact_text(std::string_view text, Placeholders& placeholders) {
    const auto outcomes = all_rules(*engine_, Outcome::kRedact);
    std::string out;
    redact_with(engine_->rules(), text, scan(*engine_, text), *outcomes, placeholders, out);
    return out;
  }
  std::shared_ptr<const Engine> engine_ =
      engine_of(rule_line("pii.email", "[a-z]+@[a-z]+", "") +
                    rule_line("pii.phone_number", "[0-9]{5,}", "entity: PHONE"),
                "pii");
};

TEST_F(PlaceholderTest, NamesTheSameValueTheSameThroughoutASession) {
  Placeholders session(Secret("key"));
  EXPECT_EQ(redact_text("a@x and b@x and a@x, 12345", session),
            "<EMAIL_1> and <EMAIL_2> and <EMAIL_1>, <PHONE_1>");
  EXPECT_EQ(redact_text("b@x again", session), "<EMAIL_2> again");
  Placeholders other(Secret("other"));
  EXPECT_EQ(redact_text("b@x", other), "<EMAIL_1>");
}

TEST_F(PlaceholderTest, RestoresNothingWithoutAVault) {
  Placeholders session(Secret("key"));
  const std::string hidden = redact_text("mail a@x", session);
  std::string out;
  EXPECT_EQ(session.restore(hidden, out), 0U);
  EXPECT_EQ(out, hidden);
}

TEST_F(PlaceholderTest, RestoresFromAVaultUntilItIsClosed) {
  Placeholders session(Secret("key"), Placeholders::Vault::kKept);
  const std::string hidden = redact_text("mail a@x or b@y", session);
  std::string out;
  EXPECT_EQ(session.restore(hidden + " <EMAIL_9> <b> <EMAIL_1", out), 2U);
  EXPECT_EQ(out, "mail a@x or b@y <EMAIL_9> <b> <EMAIL_1");
  session.close_vault();
  out.clear();
  EXPECT_EQ(session.restore(hidden, out), 0U);
  EXPECT_EQ(redact_text("a@x", session), "<EMAIL_1>");
}

TEST_F(PlaceholderTest, KeepsNothingThatOnlyAReplySaid) {
  Placeholders session(Secret("key"), Placeholders::Vault::kKept);
  const Rule& rule = engine_->rules()[0];
  std::string shown;
  session.append(rule, "a@x", shown, Placeholders::Source::kReply);
  EXPECT_EQ(shown, "<EMAIL_1>");
  std::string out;
  EXPECT_EQ(session.restore(shown, out), 0U);
  EXPECT_EQ(out, shown);
  // Known by then, but the client's own now.
  EXPECT_EQ(redact_text("a@x", session), "<EMAIL_1>");
  out.clear();
  EXPECT_EQ(session.restore(shown, out), 1U);
  EXPECT_EQ(out, "a@x");
}

TEST_F(PlaceholderTest, StaysBoundedAndCountsWhatItCannotName) {
  Placeholders session(Secret("key"), Placeholders::Vault::kKept);
  const Rule& rule = engine_->rules()[1];
  std::string out;
  for (std::size_t i = 0; i < Placeholders::kMaxValues + 5; ++i)
    session.append(rule, std::to_string(100'000 + i), out);
  EXPECT_EQ(session.size(), Placeholders::kMaxValues);
  EXPECT_EQ(session.overflow(), 5U);
  EXPECT_TRUE(out.ends_with("<PHONE>"));
}

TEST_F(PlaceholderTest, TypesOverlappingMatchesByTheOneAboutData) {
  auto rules =
      parse_rules("pack: t\ncategory: secret\nrules:\n" +
                      rule_line("injection.word", "tell [0-9]+", "category: prompt_injection") +
                      rule_line("secret.number", "[0-9]{4}"),
                  "t.yaml");
  ASSERT_TRUE(rules);
  const auto engine = Engine::compile(std::move(*rules));
  ASSERT_TRUE(engine);
  const auto outcomes = all_rules(**engine, Outcome::kRedact);
  Placeholders session(Secret("key"));
  std::string out;
  EXPECT_EQ(redact_with((*engine)->rules(), "x tell 1234 y", scan(**engine, "x tell 1234 y"),
                        *outcomes, session, out),
            1U);
  EXPECT_EQ(out, "x <NUMBER_1> y");
}

}  // namespace
}  // namespace aispm::detect
