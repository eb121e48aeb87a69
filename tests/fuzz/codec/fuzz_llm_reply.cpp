// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sdk/core/codec/llm.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::codec;
  if (size < 1) return 0;
  const Api api = (data[0] & 1) != 0 ? Api::kOpenAiChat : Api::kAnthropicMessages;
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto reply = parse_reply(api, body);
  if (!reply) return 0;
  for (const ReplyText& part : reply->texts) {
    const auto token =
        json_unescape(std::string_view(body).substr(part.span.begin, part.span.size()));
    if (!token || *token != part.text) std::abort();
  }
  std::vector<JsonPatch> patches;
  for (const JsonSpan span : reply->logprobs) patches.push_back({span, "null"});
  const auto patched = apply_patches(body, patches);
  if (!patched) std::abort();
  const auto again = parse_reply(api, *patched);
  if (!again || !again->logprobs.empty()) std::abort();
  return 0;
}
