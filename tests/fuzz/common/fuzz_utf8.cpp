// SPDX-License-Identifier: Apache-2.0
// Bytes made UTF-8: the result is UTF-8, and UTF-8 stays as it is.
#include <cstdlib>

#include "sdk/core/common/utf8.hpp"

namespace {

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = aispm::utf8_length(text);
    if (length == 0 || length > text.size()) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string text = aispm::to_utf8(bytes);
  if (!is_utf8(text) || aispm::to_utf8(text) != text) std::abort();
  if (is_utf8(bytes) && text != bytes) std::abort();
  return 0;
}
