// SPDX-License-Identifier: Apache-2.0
// Any bytes as a text: tokens are known ones, lie in the text and never go back.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "sdk/core/common/file.hpp"
#include "sdk/core/detect/semantic_tokens.hpp"

using namespace aispm::detect;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SemanticTokens tokens =
      SemanticTokens::open(
          aispm::read_file(AISPM_SOURCE_DIR "/tests/fixtures/detect/tokens.model", 1U << 20)
              .value())
          .value();
  std::vector<Token> found;
  tokens.split({reinterpret_cast<const char*>(data), size}, found);
  std::size_t last = 0;
  for (const Token& token : found) {
    if (token.id >= tokens.size() || token.begin < last || token.end < token.begin ||
        token.end > size)
      std::abort();
    last = token.end;
  }
  return 0;
}
