// SPDX-License-Identifier: Apache-2.0
// Whatever is accepted has spans that decode to its texts, and a patched body is accepted again.
#include <cstdlib>

#include "sdk/core/codec/llm.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::codec;
  if (size < 1) return 0;
  const Api api = (data[0] & 1) != 0 ? Api::kOpenAiChat : Api::kAnthropicMessages;
  // An exact heap copy, so that a sanitizer sees reads beyond the end.
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto request = parse_request(api, body);
  if (!request) return 0;
  std::vector<JsonPatch> patches;
  for (const TextPart& part : request->parts) {
    const auto token =
        json_unescape(std::string_view(body).substr(part.span.begin, part.span.size()));
    if (!token || *token != part.text) std::abort();
    if (!part.is_key) patches.push_back(string_patch(part.span, *token));
  }
  if (const auto usage = include_usage_patch(*request, body)) {
    const auto with_usage = apply_patches(body, {*usage});
    if (!with_usage) std::abort();
    const auto again = parse_request(api, *with_usage);
    if (!again || !again->include_usage) std::abort();
  }
  const auto patched = apply_patches(body, patches);
  if (!patched) std::abort();
  const auto again = parse_request(api, *patched);
  if (!again || again->parts.size() != request->parts.size()) std::abort();
  if (prompt_sha256(*again) != prompt_sha256(*request)) std::abort();
  return 0;
}
