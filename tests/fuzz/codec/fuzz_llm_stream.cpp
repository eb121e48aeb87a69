// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sdk/core/codec/llm.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::codec;
  if (size < 1) return 0;
  SseParser parser;
  StreamReply reply((data[0] & 1) != 0 ? Api::kOpenAiChat : Api::kAnthropicMessages);
  parser.feed(std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1));
  for (auto sse = parser.next(); sse && *sse; sse = parser.next()) {
    const auto event = reply.read(**sse);
    if (!event) break;
    for (const ReplyText& delta : (*event)->deltas) {
      const auto token = json_unescape((*sse)->data.substr(delta.span.begin, delta.span.size()));
      if (!token || *token != delta.text) std::abort();
    }
  }
  if (reply.text().size() > 2 * kMaxKeptReplyBytes || reply.sha256().size() != 64) std::abort();
  return 0;
}
