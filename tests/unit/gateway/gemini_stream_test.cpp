// SPDX-License-Identifier: Apache-2.0
// GWY: Gemini as events and as one array: nothing cut anywhere leaks, nothing is sent that its
// clients cannot read.
#include <gmock/gmock.h>

#include "sdk/core/codec/json_tree.hpp"
#include "tests/unit/gateway/relayed.hpp"

namespace aispm::gateway {
namespace {

using codec::Api;
using codec::Framing;
using codec::json_string;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using State = StreamRelay::State;

std::string piece(const std::string& parts, const std::string& rest = "") {
  return R"({"candidates":[{"content":{"parts":[)" + parts + R"(],"role":"model"})" + rest +
         R"(,"index":0}],"modelVersion":"m"})";
}
std::string text(const std::string& said) { return R"({"text":)" + json_string(said) + "}"; }
std::string call(const std::string& arguments) {
  return R"({"functionCall":{"name":"f","args":)" + arguments + "}}";
}
const std::string kStop = R"(,"finishReason":"STOP")";

class GeminiStream : public ::testing::TestWithParam<Framing> {
 protected:
  static std::string stream(const std::vector<std::string>& documents, bool ends = true) {
    std::string out;
    for (const std::string& document : documents) {
      if (GetParam() == Framing::kSse)
        out += codec::serialise_sse("", document);
      else
        out += (out.empty() ? "[" : ",\r\n") + document;
    }
    if (GetParam() == Framing::kArray && ends) out += "]";
    return out;
  }
  static std::string said(const std::vector<std::string>& pieces) {
    std::vector<std::string> documents;
    for (const std::string& one : pieces) documents.push_back(piece(text(one)));
    documents.push_back(piece(text(""), kStop));
    return stream(documents);
  }
  static Relayed run(const std::string& stream, std::size_t step = 1U << 20) {
    Relayed result = relay(Api::kGeminiGenerate, stream, step, false, GetParam());
    // What its clients read: events without a name and no comments, or one array.
    if (GetParam() == Framing::kArray) {
      codec::JsonTree tree;
      EXPECT_TRUE(tree.read("{\"all\":" + result.out + "}", codec::kMaxJsonDepth)) << result.out;
    } else {
      for (std::size_t at = 0; at < result.out.size(); at = result.out.find("\n\n", at) + 2)
        EXPECT_THAT(result.out.substr(at), StartsWith("data: {")) << result.out;
    }
    return result;
  }
};

TEST_P(GeminiStream, RedactsASecretHoweverItIsCut) {
  const std::string whole = "key " + kSecret + " works";
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    const auto result = run(said({whole.substr(0, cut), whole.substr(cut)}));
    ASSERT_EQ(result.state, State::kEnded) << cut;
    ASSERT_EQ(result.text, std::string("key ") + kRedacted + " works") << cut;
    ASSERT_THAT(result.out, Not(HasSubstr(kSecret.substr(0, 8)))) << cut;
    ASSERT_EQ(result.findings.detections.size(), 1U);
  }
}

TEST_P(GeminiStream, GivesTheSameBytesHoweverTheWireIsCut) {
  const std::string given = said({"hi ", kSecret, "."});
  const auto whole = run(given);
  EXPECT_EQ(whole.text, std::string("hi ") + kRedacted + ".");
  for (std::size_t step = 1; step < 40; ++step) ASSERT_EQ(run(given, step).out, whole.out) << step;
}

TEST_P(GeminiStream, PassesCleanDocumentsAsTheyCame) {
  const std::string given = said({"hello. ", "there. "});
  EXPECT_EQ(run(given).out, given);
}

TEST_P(GeminiStream, DeliversWhatIsHeldWithoutRepeatingAToolCallBesideIt) {
  const auto result = run(stream({piece(text("only AKIA") + "," + call(R"({"a":1})")),
                                  piece(R"({"text":"hm","thought":true})"), piece("", kStop)}));
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_EQ(result.text, "only AKIA");
  EXPECT_EQ(result.arguments, R"(f{"a":1})") << result.out;
}

TEST_P(GeminiStream, RedactsAToolCallAndNeverBeginsADeniedOne) {
  const auto result = run(stream({piece(call(R"({"k":")" + kSecret + R"(","n":2})"), kStop)}));
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_EQ(result.arguments, std::string(R"(f{"k":")") + kRedacted + R"(","n":2})");
  const auto denied = run(stream(
      {piece(text("calling. ")), piece(call(R"({"k":"-----BEGIN PRIVATE KEY-----"})"), kStop)}));
  EXPECT_EQ(denied.state, State::kBlocked);
  EXPECT_THAT(denied.out, Not(HasSubstr("functionCall")));
  EXPECT_THAT(denied.text, StartsWith("calling. "));
}

TEST_P(GeminiStream, EndsADeniedStreamWithANoticeThatReadsAsAnAnswer) {
  const auto result = run(said({"look: -----BEGIN RSA PRI", "VATE KEY-----\nabc", "more"}));
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.text, StartsWith("look: "));
  EXPECT_THAT(result.text,
              HasSubstr("AISPM stopped this reply: rule no-private-keys, case case-1"));
  EXPECT_THAT(result.out, Not(HasSubstr("BEGIN")));
  EXPECT_THAT(result.out, Not(HasSubstr("more")));
  EXPECT_EQ(result.finish, "SAFETY");
}

TEST_P(GeminiStream, StopsAtACallThatCannotBeFollowed) {
  const auto result = run(stream(
      {piece(R"({"functionCall":{"name":"f","partialArgs":[{"stringValue":"x"}]}})", kStop)}));
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.out, Not(HasSubstr("functionCall")));
  EXPECT_THAT(result.text, HasSubstr("could not be scanned"));
}

TEST_P(GeminiStream, JudgesACallInTheOtherSpellingLikewise) {
  const auto result = run(stream(
      {piece(R"({"function_call":{"name":"f","args":{"k":")" + kSecret + R"("}}})", kStop)}));
  EXPECT_EQ(result.arguments, std::string(R"(f{"k":")") + kRedacted + R"("})");
}

TEST_P(GeminiStream, TakesAwayTheTokensOfAChangedText) {
  const std::string tokens =
      R"(,"logprobsResult":{"chosenCandidates":[{"token":")" + kSecret + R"("}]})";
  const auto changed = run(stream({piece(text(kSecret), tokens + kStop)}));
  EXPECT_EQ(changed.state, State::kEnded);
  EXPECT_THAT(changed.out, Not(HasSubstr(kSecret)));
  EXPECT_THAT(changed.out, HasSubstr("\"logprobsResult\":null"));
}

TEST_P(GeminiStream, FailsClosedOnWhatItCannotRead) {
  const auto result = run(GetParam() == Framing::kSse ? "data: {\"x\": nonsense\n\n" : "[1]");
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.text, HasSubstr("could not be scanned"));
}

TEST_P(GeminiStream, TellsTheClientWhenTheUpstreamEndsEarly) {
  const auto result = run(stream({piece(text("half"))}, false));
  EXPECT_EQ(result.state, State::kBroken);
  EXPECT_THAT(result.out, HasSubstr("\"error\":{\"code\":502,"));
  EXPECT_THAT(result.out, HasSubstr("the upstream ended the stream early"));
}

TEST_P(GeminiStream, IsWholeOnceEveryCandidateIsFinished) {
  const std::string both =
      R"({"candidates":[{"content":{"parts":[{"text":"a AKIA"}]},"index":0},{"content":{"parts":[{"text":"b"}]},"index":1}]})";
  const std::string ends =
      R"({"candidates":[{"finishReason":"STOP","index":0},{"finishReason":"STOP","index":1}]})";
  const std::string counts = R"({"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}})";
  EXPECT_EQ(run(stream({both, ends, counts})).state, State::kEnded);
  EXPECT_THAT(run(stream({both, ends, counts})).text, HasSubstr("a AKIA"));
  const std::string one = R"({"candidates":[{"finishReason":"STOP","index":1}]})";
  EXPECT_EQ(run(stream({both, one})).state, State::kBroken);
}

TEST_P(GeminiStream, PassesABlockedPromptsAnswer) {
  const std::string blocked = R"({"promptFeedback":{"blockReason":"SAFETY"}})";
  const auto result = run(stream({blocked}));
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_THAT(result.out, HasSubstr("blockReason"));
}

INSTANTIATE_TEST_SUITE_P(Both, GeminiStream, ::testing::Values(Framing::kSse, Framing::kArray),
                         [](const auto& row) {
                           return std::string(row.param == Framing::kSse ? "events" : "array");
                         });

// Clients skip comments of event streams, but Gemini's take them for JSON.
TEST(GeminiEvents, LeaveOutTheUpstreamsComments) {
  const auto result =
      relay(Api::kGeminiGenerate, ": ping\n\n" + codec::serialise_sse("", piece(text("a"), kStop)));
  EXPECT_THAT(result.out, StartsWith("data: "));
}

// The event that carried the text also holds the call: sent again, it would be called twice.
TEST(OllamaEvents, DoNotRepeatAToolCallWithHeldText) {
  const std::string line =
      R"({"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"only AKIA","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":false})"
      "\n";
  const std::string end =
      R"({"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant"},"done":true,"done_reason":"stop"})"
      "\n";
  const auto result = relay(Api::kOllamaChat, line + end);
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_EQ(result.text, "only AKIA");
  EXPECT_EQ(result.arguments, R"(f{"a":1})") << result.out;
}

// As google-generativeai asks over REST: enumerations are numbers, and a stream is one array.
TEST(GeminiInNumbers, EndsWithItsReason) {
  const std::string pieces =
      "[" + piece(text("Hel")) + ",\r\n" + piece(text("lo"), R"(,"finishReason":1)") + "]";
  const auto result = relay(Api::kGeminiGenerate, pieces, 1U << 20, false, Framing::kArray);
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_EQ(result.text, "Hello");
}

}  // namespace
}  // namespace aispm::gateway
