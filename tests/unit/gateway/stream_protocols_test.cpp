// SPDX-License-Identifier: Apache-2.0
// GWY: OpenAI's Responses and Ollama as streams: nothing cut anywhere leaks, in no copy.
#include <gmock/gmock.h>

#include "tests/unit/gateway/relayed.hpp"
#include "tests/unit/gateway/responses_stream.hpp"

namespace aispm::gateway {
namespace {

using codec::Api;
using codec::json_string;
using ::testing::Each;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using State = StreamRelay::State;

std::string chat_line(const std::string& text, const std::string& rest = "") {
  return R"({"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":)" +
         json_string(text) + rest + R"(},"done":false})" + "\n";
}
const std::string kChatEnd =
    R"({"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":4,"eval_count":2})"
    "\n";
std::string generate_line(const std::string& text) {
  return R"({"model":"m","created_at":"2026-01-01T00:00:00Z","response":)" + json_string(text) +
         R"(,"done":false})" + "\n";
}
const std::string kGenerateEnd =
    R"({"model":"m","created_at":"2026-01-01T00:00:00Z","response":"","done":true,"done_reason":"stop","context":[7,8,9],"eval_count":2})"
    "\n";

struct Protocol {
  const char* name;
  Api api;
  std::string (*stream)(const std::vector<std::string>& pieces);
  std::string (*cut_off)(const std::string& piece);  // without its end
};

std::string responses_stream(const std::vector<std::string>& pieces) {
  return ResponsesStream().message(pieces).end();
}
std::string responses_cut(const std::string& piece) {
  return ResponsesStream()
      .raw("response.output_text.delta",
           R"("output_index":0,"content_index":0,"delta":)" + json_string(piece))
      .so_far();
}
std::string chat_stream(const std::vector<std::string>& pieces) {
  std::string out;
  for (const std::string& piece : pieces) out += chat_line(piece);
  return out + kChatEnd;
}
std::string generate_stream(const std::vector<std::string>& pieces) {
  std::string out;
  for (const std::string& piece : pieces) out += generate_line(piece);
  return out + kGenerateEnd;
}

class EveryProtocol : public ::testing::TestWithParam<Protocol> {};

TEST_P(EveryProtocol, RedactsASecretHoweverItIsCutAndInEveryCopy) {
  const Protocol& p = GetParam();
  const std::string text = "key " + kSecret + " works";
  const std::string clean = std::string("key ") + kRedacted + " works";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto result = relay(p.api, p.stream({text.substr(0, cut), text.substr(cut)}));
    ASSERT_EQ(result.state, State::kEnded) << cut;
    ASSERT_EQ(result.text, clean) << cut;
    ASSERT_THAT(result.repeats, Each(clean));
    ASSERT_THAT(result.repeats, SizeIs(p.api == Api::kOpenAiResponses ? 4 : 0));
    ASSERT_THAT(result.out, Not(HasSubstr(kSecret.substr(0, 8)))) << cut;
    ASSERT_EQ(result.findings.detections.size(), 1U);
  }
}

TEST_P(EveryProtocol, LeaksNoByteOfASecretInOneByteDeltas) {
  const Protocol& p = GetParam();
  std::vector<std::string> pieces;
  for (const char c : "it is " + kSecret) pieces.emplace_back(1, c);
  const auto result = relay(p.api, p.stream(pieces));
  EXPECT_EQ(result.text, std::string("it is ") + kRedacted);
  EXPECT_THAT(result.repeats, Each(result.text));
}

TEST_P(EveryProtocol, GivesTheSameBytesHoweverTheWireIsCut) {
  const Protocol& p = GetParam();
  const std::string stream = p.stream({"hi ", kSecret, "."});
  const auto whole = relay(p.api, stream);
  for (std::size_t step = 1; step < 40; ++step)
    ASSERT_EQ(relay(p.api, stream, step).out, whole.out) << step;
}

TEST_P(EveryProtocol, PassesCleanEventsAsTheBytesReceived) {
  const Protocol& p = GetParam();
  const std::string stream = p.stream({"hello. ", "there. "});
  EXPECT_EQ(relay(p.api, stream).out, stream);
}

TEST_P(EveryProtocol, DeliversWhatIsHeldBeforeTheEnd) {
  const Protocol& p = GetParam();
  const auto result = relay(p.api, p.stream({"only AKIA", "Z7"}));
  EXPECT_EQ(result.text, "only AKIAZ7");
  EXPECT_EQ(result.state, State::kEnded);
}

TEST_P(EveryProtocol, EndsADeniedStreamWithANoticeThatReadsAsAnAnswer) {
  const Protocol& p = GetParam();
  const auto result =
      relay(p.api, p.stream({"look: -----BEGIN RSA PRI", "VATE KEY-----\nabc", "more"}));
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.text, ::testing::StartsWith("look: "));
  EXPECT_THAT(result.text,
              HasSubstr("AISPM stopped this reply: rule no-private-keys, case case-1"));
  EXPECT_THAT(result.out, Not(HasSubstr("BEGIN")));
  EXPECT_THAT(result.out, Not(HasSubstr("more")));
  EXPECT_THAT(result.repeats, Each(result.text));
  EXPECT_EQ(result.finish, p.api == Api::kOpenAiResponses ? "content_filter" : "stop");
}

TEST_P(EveryProtocol, FailsClosedOnWhatItCannotRead) {
  const Protocol& p = GetParam();
  const std::string nonsense = framing_of(p.api) == codec::Framing::kLines
                                   ? "{\"x\": nonsense\n"
                                   : "data: {\"x\": nonsense\n\n";
  const auto result = relay(p.api, nonsense + p.stream({"b"}));
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.text, HasSubstr("could not be scanned"));
}

TEST_P(EveryProtocol, TellsTheClientWhenTheUpstreamEndsEarly) {
  const Protocol& p = GetParam();
  const auto result = relay(p.api, p.cut_off("half"));
  EXPECT_EQ(result.state, State::kBroken);
  EXPECT_THAT(result.out, HasSubstr("\"error\":"));
  EXPECT_THAT(result.out, HasSubstr("the upstream ended the stream early"));
}

TEST_P(EveryProtocol, TakesNoProviderThatDiesWithinAnEventForADenial) {
  const Protocol& p = GetParam();
  const std::string whole = p.stream({"half", " of it"});
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const auto result = relay(p.api, whole.substr(0, cut));
    ASSERT_NE(result.state, State::kBlocked) << "cut at " << cut << result.out;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, EveryProtocol,
    ::testing::Values(Protocol{"responses", Api::kOpenAiResponses, responses_stream, responses_cut},
                      Protocol{"ollama_chat", Api::kOllamaChat, chat_stream,
                               [](const std::string& piece) { return chat_line(piece); }},
                      Protocol{"ollama_generate", Api::kOllamaGenerate, generate_stream,
                               generate_line}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ResponsesStream, IsRenumberedWhereAnEventIsAdded) {
  const auto result =
      relay(Api::kOpenAiResponses, ResponsesStream().message({"only AKIA", "Z7"}).end());
  for (int number = 0; number < 11; ++number)
    ASSERT_THAT(result.out, HasSubstr("\"sequence_number\":" + std::to_string(number) + ","))
        << result.out;
}

TEST(ResponsesStream, WithholdsAToolCallUntilItIsWholeAndRedactsEveryCopy) {
  const std::string arguments = R"({"key":")" + kSecret + R"("})";
  for (std::size_t cut = 0; cut <= arguments.size(); ++cut) {
    const auto result =
        relay(Api::kOpenAiResponses, ResponsesStream()
                                         .message({"calling. "})
                                         .call({arguments.substr(0, cut), arguments.substr(cut)})
                                         .end());
    ASSERT_EQ(result.state, State::kEnded) << cut << result.out;
    ASSERT_EQ(result.arguments, std::string(R"(f{"key":")") + kRedacted + R"("})") << cut;
    ASSERT_THAT(result.out, Not(HasSubstr(kSecret.substr(0, 8))));
  }
}

TEST(ResponsesStream, NeverBeginsADeniedToolCall) {
  const auto result =
      relay(Api::kOpenAiResponses, ResponsesStream()
                                       .message({"calling. "})
                                       .call({R"({"k":"-----BEGIN RSA PRI)", R"(VATE KEY-----"})"})
                                       .end());
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.out, Not(HasSubstr("function_call")));
  EXPECT_THAT(result.text, HasSubstr("calling. "));
  EXPECT_THAT(result.out, HasSubstr("\"incomplete_details\":{\"reason\":\"content_filter\"}"));
}

TEST(ResponsesStream, EndsAsACompleteAnswerForAClientThatWouldAskAgain) {
  const std::string denied =
      ResponsesStream().message({"look: -----BEGIN RSA PRI", "VATE KEY-----"}).end();
  const auto result = relay(Api::kOpenAiResponses, denied, 1U << 20, false, {}, true);
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.text, HasSubstr("look: \n[AISPM stopped this reply"));
  EXPECT_THAT(result.repeats, Each(result.text));
  EXPECT_THAT(result.out, HasSubstr("event: response.completed\n"));
  EXPECT_THAT(result.out, HasSubstr("\"incomplete_details\":null"));
  EXPECT_THAT(result.out, Not(HasSubstr("\"incomplete\"")));
}

// Some servers begin a part with its first text.
TEST(ResponsesStream, SaysAgainWhatWasShownOfAPartThatNobodyAnnounced) {
  ResponsesStream stream;
  stream.raw("response.output_item.added",
             R"("output_index":0,"item":{"id":"m","type":"message","content":[]})");
  for (const char* const piece : {"look: ", "-----BEGIN RSA PRIVATE KEY-----"})
    stream.raw("response.output_text.delta",
               R"("output_index":0,"item_id":"m","content_index":0,"delta":)" + json_string(piece));
  const auto result = relay(Api::kOpenAiResponses, stream.end());
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.text, HasSubstr("look: \n[AISPM stopped this reply"));
  EXPECT_THAT(result.repeats, Each(result.text));
}

TEST(ResponsesStream, EndsWhenAToolCallIsSaidAgainInOtherWords) {
  for (const auto& stream : {ResponsesStream().call({R"({"a":1})"}, R"({"a":2})").end(),
                             ResponsesStream().call({R"({"a":1})"}, "", "g").end()}) {
    const auto result = relay(Api::kOpenAiResponses, stream);
    EXPECT_EQ(result.state, State::kBlocked);
    EXPECT_THAT(result.text, HasSubstr("could not be scanned"));
  }
}

TEST(ResponsesStream, ScansWhatOnlyTheLastEventSays) {
  ResponsesStream stream;
  stream.raw(
      "response.output_item.done",
      R"("output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[{"type":"output_text","text":")" +
          kSecret + R"("}]})");
  const auto result = relay(Api::kOpenAiResponses, stream.end());
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_THAT(result.out, Not(HasSubstr(kSecret)));
  EXPECT_THAT(result.out, HasSubstr(kRedacted));
}

TEST(ResponsesStream, ScansEventsAndFieldsThatNobodyKnowsYet) {
  const auto redacted =
      relay(Api::kOpenAiResponses,
            ResponsesStream().raw("response.aside.told", R"("aside":")" + kSecret + "\"").end());
  EXPECT_EQ(redacted.state, State::kEnded);
  EXPECT_THAT(redacted.out, Not(HasSubstr(kSecret)));
  const auto denied =
      relay(Api::kOpenAiResponses,
            ResponsesStream()
                .raw("response.aside.told", R"("aside":"-----BEGIN PRIVATE KEY-----")")
                .end());
  EXPECT_EQ(denied.state, State::kBlocked);
  EXPECT_THAT(denied.out, Not(HasSubstr("BEGIN")));
}

TEST(ResponsesStream, RedactsReasoningAndTheCallsOfTheProvidersOwnTools) {
  ResponsesStream stream;
  stream
      .raw("response.output_item.added",
           R"("output_index":0,"item":{"id":"rs","type":"reasoning","summary":[]})")
      .raw("response.reasoning_summary_text.delta",
           R"("output_index":0,"summary_index":0,"delta":")" + kSecret.substr(0, 9) + "\"")
      .raw("response.reasoning_summary_text.delta",
           R"("output_index":0,"summary_index":0,"delta":")" + kSecret.substr(9) + "\"")
      .raw("response.reasoning_summary_text.done",
           R"("output_index":0,"summary_index":0,"text":")" + kSecret + "\"")
      .raw(
          "response.output_item.done",
          R"("output_index":0,"item":{"id":"rs","type":"reasoning","summary":[{"type":"summary_text","text":")" +
              kSecret + R"("}]})")
      .raw("response.output_item.added",
           R"("output_index":1,"item":{"id":"ws","type":"web_search_call","status":"in_progress"})")
      .raw(
          "response.output_item.done",
          R"("output_index":1,"item":{"id":"ws","type":"web_search_call","status":"completed","action":{"type":"search","query":")" +
              kSecret + R"("}})");
  const auto result = relay(Api::kOpenAiResponses, stream.end());
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_THAT(result.out, Not(HasSubstr(kSecret.substr(0, 8))));
  EXPECT_EQ(result.arguments,
            std::string(R"(web_search{"type":"search","query":")") + kRedacted + R"("})");
}

TEST(ResponsesStream, EndsWithAFailedResponse) {
  const auto result = relay(
      Api::kOpenAiResponses,
      ResponsesStream()
          .raw(
              "response.failed",
              R"("response":{"id":"resp_1","object":"response","status":"failed","error":{"code":"server_error","message":"sorry"},"output":[]})")
          .so_far());
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_THAT(result.out, Not(HasSubstr("event: error")));
}

TEST(OllamaStream, JudgesAToolCallWholeAndRedactsIt) {
  const std::string call =
      R"(,"tool_calls":[{"function":{"name":"f","arguments":{"key":")" + kSecret + R"(","n":2}}}])";
  const auto result = relay(Api::kOllamaChat, chat_line("", call) + kChatEnd);
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_EQ(result.arguments, std::string(R"(f{"key":")") + kRedacted + R"(","n":2})");
  const std::string denied =
      R"(,"tool_calls":[{"function":{"name":"f","arguments":{"k":"-----BEGIN PRIVATE KEY-----"}}}])";
  const auto stopped = relay(Api::kOllamaChat, chat_line("", denied) + kChatEnd);
  EXPECT_EQ(stopped.state, State::kBlocked);
  EXPECT_THAT(stopped.out, Not(HasSubstr("tool_calls")));
}

TEST(OllamaStream, TakesAwayTheTokensOfAChangedText) {
  EXPECT_THAT(relay(Api::kOllamaGenerate, generate_stream({kSecret})).out,
              HasSubstr("\"context\":[],"));
  EXPECT_THAT(relay(Api::kOllamaGenerate, generate_stream({"fine"})).out,
              HasSubstr("\"context\":[7,8,9],"));
}

TEST(OllamaStream, FailsClosedOnALineThatIsTooLong) {
  const auto result =
      relay(Api::kOllamaChat,
            chat_line(std::string(codec::kMaxNdjsonLineBytes, 'a')) + chat_line("b") + kChatEnd);
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.text, HasSubstr("could not be scanned"));
}

// Many clients read `choices[0]` of every chunk: one without choices is only for who asked for it.
TEST(StreamedUsage, OfLlamaCppIsLeftOutWithItsTimings) {
  const auto chunk = [](const std::string& rest) {
    return codec::serialise_sse("", R"({"id":"c","object":"chat.completion.chunk","created":1,)" +
                                        (R"("model":"m",)" + rest) + "}");
  };
  const std::string stream =
      chunk(R"("choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}])") +
      chunk(R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}])") +
      chunk(R"("choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1,"total_tokens":5},)"
            R"("timings":{"prompt_n":4,"predicted_per_second":71.3})") +
      "data: [DONE]\n\n";
  EXPECT_THAT(relay(Api::kOpenAiChat, stream, 1U << 20, true).out, Not(HasSubstr("timings")));
  EXPECT_THAT(relay(Api::kOpenAiChat, stream, 1U << 20, false).out, HasSubstr("timings"));
}

}  // namespace
}  // namespace aispm::gateway
