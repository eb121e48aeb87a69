// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/agent_message.hpp"
#include "sdk/core/codec/content_decoder.hpp"
#include "sdk/core/codec/http2.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/codec/reply_framer.hpp"
#include "sdk/core/codec/websocket.hpp"
#include "tests/bench/codec/case.hpp"
#include "tests/bench/codec/samples.hpp"
#include "tests/unit/codec/encoders.hpp"
#include "tests/unit/codec/http2_wire.hpp"

namespace aispm::bench {
namespace {

// One event of a stream, all steps together (DESIGN section 11).
constexpr double kStreamEventNanoseconds = 3000;

namespace wire = codec::http2::testing_support;

void add_http2(std::vector<Case>& cases) {
  // One request of 239 B and a reply of one event, on a connection whose header table is warm.
  static const std::string body = small_request();
  static wire::Deflater client;
  static codec::http2::Observer observer(false);
  const auto fields = [] {
    auto all = wire::ask("/v1/chat/completions");
    for (int i = 0; i < 10; ++i) all.push_back({"x-stainless-" + std::to_string(i), "some value"});
    return all;
  };
  static const std::string warm = client.headers(1, fields(), true);
  static const std::string head = client.block(fields());
  static std::size_t heads = 0;
  const auto sink = [](const codec::http2::Event& event) {
    heads += event.kind == codec::http2::Event::Kind::kHead ? 1 : 0;
  };
  (void)observer.feed(codec::http2::Side::kClient, warm, sink);
  cases.push_back({"codec.http2.request",
                   [sink] {
                     const std::size_t before = heads;
                     const std::string request =
                         wire::frame(1, 4, 3, head) + wire::data(3, body, true);
                     const auto read = observer.feed(codec::http2::Side::kClient, request, sink);
                     // The reply ends the stream.
                     const auto end =
                         observer.feed(codec::http2::Side::kServer, wire::data(3, "", true), sink);
                     if (!read || !end || heads != before + 1) give_up("http2");
                   },
                   ""});
  static const std::string chunk = wire::data(5, stream_event(), false);
  cases.push_back({"codec.http2.data",
                   [sink] {
                     if (!observer.feed(codec::http2::Side::kServer, chunk, sink).has_value())
                       give_up("http2 data");
                   },
                   "", kStreamEventNanoseconds});
}

void add_decoders(std::vector<Case>& cases) {
  static const std::string text = agent_request();
  static const std::pair<const char*, std::string> bodies[] = {
      {"gzip", codec::testing_support::deflated(text, 31)},
      {"br", codec::testing_support::brotli(text)},
      {"zstd", codec::testing_support::zstd(text)}};
  for (const auto& [coding, bytes] : bodies) {
    cases.push_back(
        {std::string("codec.decode.") + coding + ".76KB",
         [coding = std::string(coding), &bytes = bytes] {
           auto decoder = codec::ContentDecoder::open(coding);
           std::size_t size = 0;
           if (!decoder->feed(bytes, [&](std::string_view piece) { size += piece.size(); }) ||
               size != text.size())
             give_up("decode");
         },
         ""});
  }
}

void add_agents(std::vector<Case>& cases) {
  static const std::string call =
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/home/user/project/src/main.cpp","limit":200},"_meta":{"progressToken":3}}})";
  cases.push_back({"codec.mcp.tools_call",
                   [] {
                     const auto messages = codec::parse_agent_messages(call);
                     if (!messages || messages->front().target != "read_file") give_up("mcp");
                   },
                   ""});
  // A list of 24 tools from a coding agent's request.
  static const std::string request = agent_request();
  const std::size_t begin = request.find("\"tools\":[");
  const std::size_t end = request.find("],\"system\"");
  static std::string list =
      R"({"jsonrpc":"2.0","id":1,"result":{)" + request.substr(begin, end + 1 - begin) + "}}";
  for (std::size_t at = 0; (at = list.find("input_schema", at)) != std::string::npos;)
    list.replace(at, 12, "inputSchema");
  cases.push_back({"codec.mcp.tools_list.24",
                   [] {
                     const auto messages = codec::parse_agent_messages(list);
                     if (!messages || messages->front().tools->tools.size() != 24) give_up("tools");
                   },
                   ""});
}

void add_streams(std::vector<Case>& cases) {
  struct Sample {
    const char* name;
    codec::Api api;
    codec::Framing framing;
    std::string event;
  };
  static const Sample samples[] = {
      {"responses", codec::Api::kOpenAiResponses, codec::Framing::kSse,
       "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","
       "\"sequence_number\":7,\"item_id\":\"msg_0123456789abcdef\",\"output_index\":0,"
       "\"content_index\":0,\"delta\":\" word\",\"logprobs\":[],\"obfuscation\":\"x7Kp2\"}\n\n"},
      {"gemini", codec::Api::kGeminiGenerate, codec::Framing::kSse,
       "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" word\"}],\"role\":\"model\"},"
       "\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":10,\"totalTokenCount\":10},"
       "\"modelVersion\":\"gemini-2.5-pro\",\"responseId\":\"0123456789\"}\r\n\r\n"},
      {"ollama", codec::Api::kOllamaChat, codec::Framing::kLines,
       "{\"model\":\"llama3.2\",\"created_at\":\"2026-11-21T00:00:00.000000Z\",\"message\":{"
       "\"role\":"
       "\"assistant\",\"content\":\" word\"},\"done\":false}\n"}};
  for (const Sample& sample : samples) {
    auto framer = std::make_shared<codec::ReplyFramer>(sample.framing);
    auto reply = std::make_shared<codec::StreamReply>(sample.api);
    cases.push_back({std::string("codec.stream_event.") + sample.name,
                     [framer, reply, &sample] {
                       framer->feed(sample.event);
                       const auto piece = framer->next();
                       if (reply->is_cut()) *reply = codec::StreamReply(sample.api);
                       const auto event = reply->read(**piece);
                       if (!event || (*event)->deltas.size() != 1) give_up(sample.name);
                     },
                     "", kStreamEventNanoseconds});
  }
}

}  // namespace

void add_protocol_cases(std::vector<Case>& cases) {
  add_http2(cases);
  add_decoders(cases);
  add_agents(cases);
  add_streams(cases);
}

}  // namespace aispm::bench
