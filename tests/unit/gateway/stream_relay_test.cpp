// SPDX-License-Identifier: Apache-2.0
// GWY: a secret cut anywhere across a streamed reply never leaves, in either dialect.
#include "gateway/proxy/pipeline/stream_relay.hpp"

#include <gmock/gmock.h>

#include <map>

#include "sdk/core/common/keyed_hash.hpp"
#include "tests/unit/gateway/relayed.hpp"
#include "tests/unit/gateway/stream_words.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;
using codec::serialise_sse;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

struct Split {
  codec::Api api;
  std::string before;
  std::string (*text)(const std::string&);
  std::string after;
};

const Split kOpenAiSplit{codec::Api::kOpenAiChat, openai(R"({"role":"assistant","content":""})"),
                         openai_text, openai("{}", "\"stop\"") + "data: [DONE]\n\n"};
const Split kAnthropicSplit{codec::Api::kAnthropicMessages, kAnthropicStart + kTextBlock,
                            anthropic_text, kStop0 + kAnthropicEnd};

class EverySplit : public ::testing::TestWithParam<Split> {};

TEST_P(EverySplit, OfASecretIntoTwoDeltasIsRedactedAlike) {
  const Split& p = GetParam();
  const std::string text = "key " + kSecret + " works";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto result =
        relay(p.api, p.before + p.text(text.substr(0, cut)) + p.text(text.substr(cut)) + p.after);
    ASSERT_EQ(result.text, std::string("key ") + kRedacted + " works") << "cut at " << cut;
    ASSERT_EQ(result.state, StreamRelay::State::kEnded);
    ASSERT_THAT(result.out, Not(HasSubstr(kSecret.substr(0, 8))));
    ASSERT_EQ(result.findings.detections.size(), 1U);
    ASSERT_EQ(result.findings.verdict.rule_id, "keys-out");
  }
}

TEST_P(EverySplit, IntoOneByteDeltasLeaksNoByteOfTheSecret) {
  const Split& p = GetParam();
  std::string stream = p.before;
  for (const char c : "key " + kSecret + " works") stream += p.text(std::string(1, c));
  const auto result = relay(p.api, stream + p.after);
  EXPECT_EQ(result.text, std::string("key ") + kRedacted + " works");
}

TEST_P(EverySplit, OfTheWireByAProviderThatDiesIsNoDenial) {
  const Split& p = GetParam();
  const std::string whole = p.before + p.text("key ") + p.text(kSecret) + p.after;
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    for (const std::string_view why : {"", "read: connection reset"}) {
      const auto result =
          relay(p.api, whole.substr(0, cut), 1U << 20, false, std::nullopt, false, why);
      ASSERT_NE(result.state, StreamRelay::State::kBlocked) << "cut at " << cut << result.out;
      ASSERT_EQ(result.state == StreamRelay::State::kBroken,
                result.out.find("the upstream ended the stream early") != std::string::npos);
      ASSERT_THAT(result.out, Not(HasSubstr(kSecret.substr(0, 8))));
    }
  }
}

TEST_P(EverySplit, OfTheWireIntoReadsGivesTheSameBytes) {
  const Split& p = GetParam();
  const std::string stream = p.before + p.text("hi ") + p.text(kSecret) + p.text(".") + p.after;
  const auto whole = relay(p.api, stream);
  for (std::size_t step = 1; step < 40; ++step)
    ASSERT_EQ(relay(p.api, stream, step).out, whole.out) << step;
}

TEST_P(EverySplit, IsRecordedWithAKeyedHashOfTheSecret) {
  const Split& split = GetParam();
  for (std::size_t cut = 0; cut <= kSecret.size(); cut += 5) {
    const auto result =
        relay(split.api, split.before + split.text("it is " + kSecret.substr(0, cut)) +
                             split.text(kSecret.substr(cut) + " here") + split.after);
    ASSERT_EQ(result.findings.detections.size(), 1U);
    EXPECT_THAT(result.findings.detections.front().features,
                ElementsAre("value: " + keyed_hash(kHashKey, kSecret)));
  }
}

TEST_P(EverySplit, DeliversWhatIsHeldWhenTheStreamEndsRightAfterIt) {
  const Split& p = GetParam();
  const auto result = relay(p.api, p.before + p.text("only AKIA") + p.text("Z7") + p.after);
  EXPECT_EQ(result.text, "only AKIAZ7");
  EXPECT_EQ(result.state, StreamRelay::State::kEnded);
}

TEST_P(EverySplit, RedactsASecretAtTheVeryEnd) {
  const Split& p = GetParam();
  const auto result = relay(p.api, p.before + p.text("it is " + kSecret.substr(0, 9)) +
                                       p.text(kSecret.substr(9)) + p.after);
  EXPECT_EQ(result.text, std::string("it is ") + kRedacted);
}

TEST_P(EverySplit, PassesCleanEventsAsTheBytesReceived) {
  const Split& p = GetParam();
  const std::string stream = p.before + p.text("hello. ") + p.text("there. ") + p.after;
  EXPECT_EQ(relay(p.api, stream).out, stream);
}

TEST_P(EverySplit, EndsADeniedStreamWithANoticeThatReadsAsAWholeAnswer) {
  const Split& p = GetParam();
  const auto result = relay(p.api, p.before + p.text("look: -----BEGIN RSA PRI") +
                                       p.text("VATE KEY-----\nabc") + p.text("more") + p.after);
  EXPECT_EQ(result.state, StreamRelay::State::kBlocked);
  EXPECT_THAT(result.text, ::testing::StartsWith("look: "));
  EXPECT_THAT(result.text,
              HasSubstr("AISPM stopped this reply: rule no-private-keys, case case-1"));
  EXPECT_THAT(result.text, Not(HasSubstr("BEGIN")));
  EXPECT_THAT(result.text, Not(HasSubstr("more")));
  EXPECT_EQ(result.finish, p.api == codec::Api::kOpenAiChat ? "content_filter" : "end_turn");
  EXPECT_THAT(result.out,
              EndsWith(p.api == codec::Api::kOpenAiChat
                           ? "data: [DONE]\n\n"
                           : "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
}

TEST_P(EverySplit, FailsClosedOnAnEventItCannotRead) {
  const Split& p = GetParam();
  const auto result =
      relay(p.api, p.before + p.text("a. ") + "data: {\"x\": nonsense\n\n" + p.text("b") + p.after);
  EXPECT_EQ(result.state, StreamRelay::State::kBlocked);
  EXPECT_THAT(result.text, HasSubstr("could not be scanned"));
}

TEST_P(EverySplit, TellsTheClientWhenTheUpstreamEndsEarly) {
  const Split& p = GetParam();
  const auto result = relay(p.api, p.before + p.text("half"));
  EXPECT_EQ(result.state, StreamRelay::State::kBroken);
  EXPECT_THAT(result.out, HasSubstr("aispm_upstream_unavailable"));
}

TEST_P(EverySplit, DoesNotPassCommentsIdsAndStrangeNames) {
  const Split& p = GetParam();
  const auto quiet = relay(
      p.api, p.before + ": secret words\n\n" + "id: secret words\n" + p.text("x. ") + p.after);
  EXPECT_THAT(quiet.out, Not(HasSubstr("secret words")));
  EXPECT_EQ(quiet.text, "x. ");
  EXPECT_EQ(relay(p.api, p.before + "event: Secret Words\n" + openai_text("x") + p.after).state,
            StreamRelay::State::kBlocked);
}

INSTANTIATE_TEST_SUITE_P(Dialects, EverySplit, ::testing::Values(kOpenAiSplit, kAnthropicSplit),
                         [](const auto& row) {
                           return std::string(name_of(dialect_of(row.param.api)));
                         });

TEST(StreamedReply, LosesTheUsageChunkOnlyWhenTheClientDidNotAskForIt) {
  const std::string usage = serialise_sse(
      "",
      R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})");
  const std::string stream =
      openai_text("x. ") + openai("{}", "\"stop\"") + usage + "data: [DONE]\n\n";
  EXPECT_EQ(relay(codec::Api::kOpenAiChat, stream).out, stream);
  EXPECT_THAT(relay(codec::Api::kOpenAiChat, stream, 1U << 20, true).out,
              Not(HasSubstr("prompt_tokens")));
}

TEST(StreamedReply, KeepsInterleavedChoicesApart) {
  const auto choice = [](int index, const std::string& text) {
    return serialise_sse(
        "",
        R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":)" +
            std::to_string(index) + R"(,"delta":{"content":)" + json_string(text) +
            R"(},"finish_reason":null}]})");
  };
  const auto result =
      relay(codec::Api::kOpenAiChat, choice(0, "a " + kSecret.substr(0, 10)) + choice(1, "b. ") +
                                         choice(0, kSecret.substr(10) + " c") + "data: [DONE]\n\n");
  EXPECT_EQ(result.text, std::string("a ") + kRedacted + " c\nb. ");
}

// As it stands in the answers of vLLM, of OpenRouter and of OpenAI's own voices.
TEST(StreamedReply, RedactsEachOfTheTextsThatGrowSideBySide) {
  const std::string text = "key " + kSecret + " works";
  const std::string wanted = std::string("key ") + kRedacted + " works";
  const auto member = [](const std::string& piece, int kind) {
    const std::string said = json_string(piece);
    if (kind == 0) return R"("reasoning":)" + said + R"(,"reasoning_content":)" + said;
    if (kind == 1)
      return R"("reasoning":)" + said +
             R"(,"reasoning_details":[{"type":"reasoning.text","text":)" + said +
             R"(,"format":"unknown","index":0}])";
    return R"("audio":{"id":"a1","transcript":)" + said + "}";
  };
  for (int kind = 0; kind < 3; ++kind) {
    std::string stream = openai(R"({"role":"assistant"})");
    for (const char c : text) stream += openai("{" + member(std::string(1, c), kind) + "}");
    const auto result =
        relay(codec::Api::kOpenAiChat, stream + openai("{}", "\"stop\"") + "data: [DONE]\n\n");
    EXPECT_EQ(result.state, StreamRelay::State::kEnded) << kind;
    std::map<codec::Channel, std::string> got;
    codec::SseParser parser;
    codec::StreamReply client(codec::Api::kOpenAiChat);
    parser.feed(result.out);
    for (auto event = parser.next(); event && *event; event = parser.next()) {
      const auto read = client.read(**event);
      ASSERT_TRUE(read);
      for (const auto& delta : (*read)->deltas)
        if (delta.channel.kind != codec::ChannelKind::kOther) got[delta.channel] += delta.text;
    }
    EXPECT_EQ(got.size(), kind == 2 ? 1U : 2U);
    for (const auto& [channel, words] : got) EXPECT_EQ(words, wanted) << kind;
  }
}

TEST(StreamedReply, TakesLogprobsAwayFromAChangedText) {
  const std::string data =
      R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":")" +
      kSecret + R"("},"logprobs":{"content":[{"token":")" + kSecret +
      R"(","logprob":-1}]},"finish_reason":null}]})";
  const auto result =
      relay(codec::Api::kOpenAiChat,
            serialise_sse("", data) + openai("{}", "\"stop\"") + "data: [DONE]\n\n");
  EXPECT_THAT(result.out, Not(HasSubstr(kSecret)));
}

std::string others(codec::Api api, const std::string& out) {
  std::string got;
  codec::SseParser parser;
  codec::StreamReply client(api);
  parser.feed(out);
  for (auto event = parser.next(); event && *event; event = parser.next()) {
    const auto read = client.read(**event);
    EXPECT_TRUE(read);
    if (!read) break;
    for (const auto& delta : (*read)->deltas)
      if (delta.channel.kind == codec::ChannelKind::kOther) got += delta.text;
  }
  return got;
}

// A member or a delta that we do not know may grow like a text.
TEST(StreamedReply, EndsBeforeASecretIsWholeInPiecesOfAnUnknownField) {
  const auto in_chat = [](const std::string& piece) {
    return openai(R"({"novel":[{"kind":"words","said":)" + json_string(piece) + "}]}");
  };
  const auto in_messages = [](const std::string& piece) {
    return anthropic_delta(0, R"({"type":"novel_delta","said":)" + json_string(piece) + "}");
  };
  for (const std::size_t step : {1U, 3U, 7U}) {
    std::string chat = openai(R"({"role":"assistant"})");
    std::string messages = kAnthropicStart + kTextBlock;
    const std::string text = "key " + kSecret + " works";
    for (std::size_t at = 0; at < text.size(); at += step) {
      chat += in_chat(text.substr(at, step));
      messages += in_messages(text.substr(at, step));
    }
    chat += openai("{}", "\"stop\"") + "data: [DONE]\n\n";
    const auto of_chat = relay(codec::Api::kOpenAiChat, chat);
    EXPECT_EQ(of_chat.state, StreamRelay::State::kBlocked) << step;
    std::string said = others(codec::Api::kOpenAiChat, of_chat.out);
    for (auto at = said.find("words"); at != std::string::npos; at = said.find("words"))
      said.erase(at, 5);
    EXPECT_THAT(said, Not(HasSubstr(kSecret))) << step;
    const auto of_messages =
        relay(codec::Api::kAnthropicMessages, messages + kStop0 + kAnthropicEnd);
    EXPECT_EQ(of_messages.state, StreamRelay::State::kBlocked) << step;
    EXPECT_THAT(others(codec::Api::kAnthropicMessages, of_messages.out), Not(HasSubstr(kSecret)));
  }
}

TEST(StreamedReply, EndsBeforeASecretIsWholeInTwoBlocks) {
  const auto block = [](int index, const std::vector<std::string>& texts) {
    std::string events =
        anthropic("content_block_start", R"(,"index":)" + std::to_string(index) +
                                             R"(,"content_block":{"type":"text","text":""})");
    for (const std::string& text : texts)
      events += anthropic_delta(index, R"({"type":"text_delta","text":")" + text + R"("})");
    return events + anthropic("content_block_stop", R"(,"index":)" + std::to_string(index));
  };
  const auto relayed = [&](const std::vector<std::string>& one,
                           const std::vector<std::string>& other) {
    return relay(codec::Api::kAnthropicMessages,
                 kAnthropicStart + block(0, one) + block(1, other) + kAnthropicEnd);
  };
  const auto cut =
      relayed({"key " + kSecret.substr(0, 9)}, {kSecret.substr(9, 5), kSecret.substr(14), " b"});
  EXPECT_EQ(cut.state, StreamRelay::State::kBlocked);
  EXPECT_THAT(cut.out, Not(HasSubstr(kSecret.substr(14))));
  const auto clean = relayed({"key " + kSecret.substr(0, 9)}, {" and ", kSecret.substr(9)});
  EXPECT_EQ(clean.state, StreamRelay::State::kEnded);
  const auto whole = relayed({"a " + kSecret}, {kSecret, " b"});
  EXPECT_EQ(whole.state, StreamRelay::State::kEnded);
  EXPECT_EQ(whole.findings.redactions, 2U);
}

TEST(StreamedReply, PassesStringsThatOnlyStandInTheSamePlace) {
  std::string stream = openai(R"({"role":"assistant","content":""})");
  for (int i = 0; i < 40; ++i)
    stream +=
        openai(R"({"content":"word. ","vendor":"AKIA","step":"s)" + std::to_string(i) + "\"}");
  stream += openai("{}", "\"stop\"") + "data: [DONE]\n\n";
  EXPECT_EQ(relay(codec::Api::kOpenAiChat, stream).out, stream);
  // What was cut out of one event is no beginning of what the next one says.
  std::string cut = openai(R"({"role":"assistant","content":""})");
  for (int i = 0; i < 3; ++i) cut += openai(R"({"novel":")" + kSecret + "\"}");
  const auto result =
      relay(codec::Api::kOpenAiChat, cut + openai("{}", "\"stop\"") + "data: [DONE]\n\n");
  EXPECT_EQ(result.state, StreamRelay::State::kEnded);
  EXPECT_THAT(result.out, Not(HasSubstr(kSecret)));
}

// Servers that cut texts between UTF-16 units send half a character.
TEST(StreamedReply, WithHalfACharacterGoesOn) {
  const auto result = relay(codec::Api::kOpenAiChat,
                            openai(R"({"content":"cut \ud83d"})") + openai_text(" and on") +
                                openai("{}", "\"stop\"") + "data: [DONE]\n\n");
  EXPECT_EQ(result.state, StreamRelay::State::kEnded);
  EXPECT_EQ(result.text, "cut \xEF\xBF\xBD and on");
}

TEST(StreamedThinking, IsDeniedRatherThanEditedBecauseItIsSigned) {
  const std::string block =
      anthropic("content_block_start",
                R"(,"index":0,"content_block":{"type":"thinking","thinking":"","signature":""})");
  const auto thought =
      anthropic_delta(0, R"({"type":"thinking_delta","thinking":")" + kSecret + R"( "})");
  const auto result = relay(codec::Api::kAnthropicMessages,
                            kAnthropicStart + block + thought + kStop0 + kAnthropicEnd);
  EXPECT_EQ(result.state, StreamRelay::State::kBlocked);
  EXPECT_THAT(result.out, Not(HasSubstr(kSecret)));
}

}  // namespace
}  // namespace aispm::gateway
