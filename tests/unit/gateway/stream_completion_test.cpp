// SPDX-License-Identifier: Apache-2.0
// GWY: streamed completions of texts (/v1/completions): nothing cut anywhere leaks, whichever
// choice it is of.
#include <gmock/gmock.h>

#include "tests/unit/gateway/relayed.hpp"
#include "tests/unit/gateway/stream_words.hpp"

namespace aispm::gateway {
namespace {

using codec::Api;
using codec::json_string;
using codec::serialise_sse;
using ::testing::HasSubstr;
using ::testing::Not;
using State = StreamRelay::State;

constexpr Api kCompletions = Api::kOpenAiCompletions;

std::string piece(const std::string& text, int choice = 0, const std::string& finish = "null",
                  const std::string& more = R"(,"logprobs":null)") {
  return serialise_sse(
      "",
      R"({"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"text":)" +
          json_string(text) + R"(,"index":)" + std::to_string(choice) + more +
          R"(,"finish_reason":)" + finish + "}]}");
}
std::string stop(int choice = 0) { return piece("", choice, "\"stop\""); }
const std::string kDone = "data: [DONE]\n\n";

TEST(StreamedCompletion, PassesAsItCame) {
  const std::string stream = piece("one. ") + piece("two. ") + stop() + kDone;
  const auto result = relay(kCompletions, stream);
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_EQ(result.out, stream);
  EXPECT_EQ(relay(kCompletions, piece("all", 0, "\"stop\"")).state, State::kEnded);
  EXPECT_EQ(relay(kCompletions, piece("cut o")).state, State::kBroken);
}

TEST(StreamedCompletion, IsRedactedWhereverItIsCut) {
  const std::string text = "the key " + kSecret + " works";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto result =
        relay(kCompletions, piece(text.substr(0, cut)) + piece(text.substr(cut)) + stop() + kDone);
    ASSERT_EQ(result.text, std::string("the key ") + kRedacted + " works") << cut;
    ASSERT_EQ(result.finish, "stop");
  }
}

// Each choice ends by itself, and what the others hold stays theirs.
TEST(StreamedCompletion, KeepsChoicesApartToTheirEnds) {
  const std::string half = kSecret.substr(0, 10);
  const auto result =
      relay(kCompletions, piece(half, 1) + piece("one ", 0) + piece(half, 0) + stop(0) +
                              piece(kSecret.substr(10), 1) + stop(1) + kDone);
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_EQ(result.text, "one " + half + "\n" + kRedacted);
}

TEST(StreamedCompletion, LosesTheTokensOfChangedTexts) {
  const std::string said =
      R"(,"logprobs":{"tokens":[)" + json_string(kSecret) + R"(]},"token_ids":[7])";
  const auto redacted =
      relay(kCompletions, piece("x " + kSecret + " y", 0, "null", said) + stop() + kDone);
  EXPECT_THAT(redacted.out, Not(HasSubstr(kSecret)));
  EXPECT_THAT(redacted.out, HasSubstr(R"("logprobs":null,"token_ids":null)"));
  const std::string plain = piece("Paris", 0, "null", R"(,"logprobs":{"tokens":["Paris"]})");
  EXPECT_THAT(relay(kCompletions, plain + stop() + kDone).out, HasSubstr(plain));
}

TEST(StreamedCompletion, EndsWithANoticeInItsOwnFormWhenDenied) {
  const auto result =
      relay(kCompletions, piece("Here: ") + piece("-----BEGIN RSA PRIVATE KEY-----\n") +
                              piece("more") + stop() + kDone);
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.text, HasSubstr("Here: "));
  EXPECT_THAT(result.text, HasSubstr("AISPM stopped this reply"));
  EXPECT_THAT(result.text, Not(HasSubstr("BEGIN")));
  EXPECT_EQ(result.finish, "content_filter");
  EXPECT_THAT(result.out, HasSubstr(R"("object":"text_completion")"));
  EXPECT_THAT(result.out, Not(HasSubstr("delta")));
}

TEST(StreamedCompletion, LosesTheUsageChunkOnlyWhenTheClientDidNotAskForIt) {
  const std::string usage = serialise_sse(
      "", R"({"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[],)"
          R"("usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})");
  const std::string stream = piece("x. ") + stop() + usage + kDone;
  EXPECT_EQ(relay(kCompletions, stream).out, stream);
  EXPECT_THAT(relay(kCompletions, stream, 1U << 20, true).out, Not(HasSubstr("prompt_tokens")));
}

}  // namespace
}  // namespace aispm::gateway
