// SPDX-License-Identifier: Apache-2.0
// First byte: the API, second: framing and step. However a stream is cut, the reply is the same.
#include <cstdlib>
#include <string>

#include "sdk/core/codec/llm.hpp"
#include "sdk/core/codec/reply_framer.hpp"

namespace {

using namespace aispm::codec;

void read(StreamReply& reply, const SseEvent& piece, std::string& log) {
  const auto event = reply.read(piece);
  if (!event) {
    log += "bad\n";
    return;
  }
  for (const ReplyText& delta : (*event)->deltas) {
    const auto token =
        json_unescape((*event)->document.substr(delta.span.begin, delta.span.size()));
    if (!token || *token != delta.text) std::abort();
  }
}

std::string run(Api api, Framing framing, std::string_view bytes, std::size_t step) {
  StreamReply reply(api);
  ReplyFramer framer(framing, 4096);
  std::string log;
  while (!bytes.empty()) {
    framer.feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    for (;;) {
      const auto piece = framer.next();
      if (!piece) return log + "failed" + reply.sha256();
      if (!*piece) break;
      read(reply, **piece, log);
    }
  }
  if (const auto last = framer.finish(); last && *last) read(reply, **last, log);
  for (const ToolCall& call : reply.tool_calls()) log += call.name + call.arguments + "\n";
  if (reply.kept_bytes() > kMaxKeptReplyBytes) std::abort();
  return log + reply.id() + reply.model() + reply.finish_reason() + reply.sha256();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto api = static_cast<Api>(data[0] % kApiCount);
  const auto framing = static_cast<Framing>(data[1] & 3);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  // The framers' limits look at whole lines or events, so the whole stream comes in pieces too.
  if (run(api, framing, bytes, 4096) != run(api, framing, bytes, 1 + (data[1] >> 2) % 31))
    std::abort();
  return 0;
}
