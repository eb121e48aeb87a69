// SPDX-License-Identifier: Apache-2.0
// First byte: the API. Any body: every part is where its span says, in requests and in replies.
#include <cstdlib>

#include "sdk/core/codec/llm.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::codec;
  if (size < 1) return 0;
  const auto api = static_cast<Api>(data[0] % kApiCount);
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto is_at = [&](JsonSpan span, std::string_view text) {
    const auto token = json_unescape(body.substr(span.begin, span.size()));
    return token && *token == text;
  };
  if (const auto request = parse_request(api, body)) {
    for (const TextPart& part : request->parts)
      if (!is_at(part.span, part.text)) std::abort();
    if (prompt_sha256(*request).size() != 64) std::abort();
  }
  if (const auto reply = parse_reply(api, body)) {
    for (const ReplyText& text : reply->texts)
      if (!is_at(text.span, text.text)) std::abort();
    if (reply->models.size() > kMaxListedModels || reply_sha256(*reply).size() != 64) std::abort();
  }
  const auto route = find_route((data[0] & 0x80) != 0 ? "GET" : "POST", body);
  if (route && route->model.size() > kMaxNameBytes) std::abort();
  return 0;
}
