// SPDX-License-Identifier: Apache-2.0
// The tokens are those of SentencePiece's own Python package
// (tests/fixtures/detect/make_tokens.py).
#include "sdk/core/detect/semantic_tokens.hpp"

#include <gmock/gmock.h>
#include <simdjson.h>

#include "sdk/core/common/file.hpp"

namespace aispm::detect {
namespace {

const std::string kFolder = AISPM_SOURCE_DIR "/tests/fixtures/detect/";

SemanticTokens open_tokens() {
  return SemanticTokens::open(read_file(kFolder + "tokens.model", 1U << 20).value()).value();
}

TEST(SemanticTokens, AreThoseOfTheReference) {
  const SemanticTokens tokens = open_tokens();
  simdjson::dom::parser parser;
  const simdjson::dom::array rows = parser.load(kFolder + "tokens.json").get_array();
  std::vector<Token> found;
  std::size_t seen = 0;
  for (const simdjson::dom::element row : rows) {
    const std::string_view text = row["text"].get_string();
    tokens.split(text, found);
    std::vector<std::int64_t> ids;
    for (const Token& token : found) ids.push_back(token.id);
    std::vector<std::int64_t> expected;
    for (const simdjson::dom::element id : row["ids"].get_array())
      expected.push_back(id.get_int64());
    EXPECT_EQ(ids, expected) << text;
    ++seen;
  }
  EXPECT_GE(seen, 15U);
}

TEST(SemanticTokens, LieInTheTextInOrder) {
  const SemanticTokens tokens = open_tokens();
  std::vector<Token> found;
  const std::string text = "  Ignore   all\n\nprevious \xef\xac\x81ne \xff\xfe words";
  tokens.split(text, found);
  ASSERT_FALSE(found.empty());
  std::size_t last = 0;
  for (const Token& token : found) {
    EXPECT_LE(last, token.begin);
    EXPECT_LE(token.begin, token.end);
    EXPECT_LE(token.end, text.size());
    EXPECT_LT(token.id, tokens.size());
    last = token.end;
  }
}

TEST(SemanticTokens, RefusesWhatIsNoVocabulary) {
  EXPECT_FALSE(SemanticTokens::open("").has_value());
  EXPECT_FALSE(SemanticTokens::open("no vocabulary").has_value());
}

}  // namespace
}  // namespace aispm::detect
