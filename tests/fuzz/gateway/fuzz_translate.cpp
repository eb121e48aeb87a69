// SPDX-License-Identifier: Apache-2.0
// First byte: client's and provider's protocol, and what comes: a request, a whole reply or a
// stream. Second: its step, and whether the client speaks Responses, or either of them Gemini's
// protocol, instead. What is told is readable by the codec that judges it, however it was cut.
#include <cstdint>
#include <cstdlib>

#include "gateway/proxy/translate/translation.hpp"
#include "sdk/core/codec/llm.hpp"

namespace {

using namespace aispm;
using namespace aispm::gateway::translate;
using codec::Api;

constexpr Api kApis[] = {Api::kOpenAiChat, Api::kAnthropicMessages, Api::kOllamaChat};

void require(bool claim) {
  if (!claim) std::abort();
}

Translation make(Api client, Api provider) {
  return Translation(client, {.api = provider, .model = "sent"},
                     {.id = "i", .model = "asked", .now = {}});
}

// What the client got, and whether it was told of an end that did not come.
std::string tell(Api client, Api provider, std::string_view bytes, std::size_t step) {
  Translation translation = make(client, provider);
  require(translation
              .open_reply(
                  provider == Api::kOllamaChat ? "application/x-ndjson" : "text/event-stream", true)
              .has_value());
  std::string out;
  while (!bytes.empty()) {
    if (!translation.feed(bytes.substr(0, step), out)) return out + "failed";
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  return translation.finish(out) ? out : out + "failed";
}

void check_stream(Api client, Api provider, std::string_view bytes, std::size_t step) {
  std::string out = tell(client, provider, bytes, 4096);
  require(out == tell(client, provider, bytes, step));
  const bool failed = out.ends_with("failed");
  if (failed) out.resize(out.size() - std::string_view("failed").size());
  codec::ReplyFramer framer(client == Api::kOllamaChat ? codec::Framing::kLines
                                                       : codec::Framing::kSse);
  codec::StreamReply reply(client);
  framer.feed(out);
  while (true) {
    const auto event = framer.next();
    require(event.has_value());
    if (!*event) break;
    const auto read = reply.read(**event);
    require(read.has_value() && !(*read)->has_odd_call);
  }
  require(framer.held_bytes() == 0);
  require(!failed || (!reply.ended() && reply.tool_calls().empty()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  const bool is_to_gemini = (data[1] & 0x40) != 0;
  const bool is_from_gemini = (data[1] & 0x20) != 0;
  const Api provider = is_to_gemini ? Api::kGeminiGenerate : kApis[data[0] / 3 % 3];
  const Api client = data[1] >= 128   ? Api::kOpenAiResponses
                     : is_from_gemini ? Api::kGeminiGenerate
                                      : kApis[data[0] % 3];
  if (client == provider) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const int kind = data[0] / 9 % 3;
  if (kind == 0) {
    const auto told = make(client, provider).request(bytes);
    codec::JsonTree tree;
    // A schema stands one level deeper in some protocols.
    if (told) require(tree.read(*told, codec::kMaxJsonDepth + 8).has_value());
  } else if (kind == 1) {
    const auto told = make(client, provider).reply(200, bytes);
    if (told) require(codec::parse_reply(client, *told).has_value());
  } else {
    check_stream(client, provider, bytes, 1 + data[1] % 31);
  }
  return 0;
}
