// SPDX-License-Identifier: Apache-2.0
// A body in one of the codings: the same however cut, never more than the limits allow.
#include <cstdlib>
#include <string>

#include "sdk/core/codec/content_decoder.hpp"

namespace {

constexpr std::size_t kLimit = 1U << 20;

struct Outcome {
  std::string text;
  bool failed = false;
};

Outcome run(std::string_view header, std::string_view bytes, std::size_t step) {
  using namespace aispm::codec;
  Outcome outcome;
  auto decoder = ContentDecoder::open(header, {.max_bytes = kLimit});
  if (!decoder) std::abort();
  while (!bytes.empty() && !outcome.failed) {
    outcome.failed =
        !decoder
             ->feed(bytes.substr(0, step), [&](std::string_view piece) { outcome.text += piece; })
             .has_value();
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  if (!outcome.failed) outcome.failed = !decoder->finish().has_value();
  if (outcome.text.size() > kLimit) std::abort();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static constexpr const char* kHeaders[] = {"gzip", "deflate", "br", "zstd", "gzip, br", ""};
  const char* header = kHeaders[data[0] % 6];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = run(header, bytes, SIZE_MAX);
  const Outcome pieces = run(header, bytes, 1 + data[1] % 31);
  if (whole.failed != pieces.failed) std::abort();
  if (!whole.failed && whole.text != pieces.text) std::abort();
  return 0;
}
