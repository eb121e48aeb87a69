// SPDX-License-Identifier: Apache-2.0
// Whatever bytes pass for a picture, a sound or a PDF: its text is bounded UTF-8, and the same
// however it is encoded.
#include <cstdlib>
#include <string>

#include "sdk/core/codec/base64.hpp"
#include "sdk/core/codec/media_text.hpp"
#include "sdk/core/common/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto read = aispm::codec::read_media(bytes);
  if (!read) return 0;
  const std::string& text = read->text;
  if (text.size() > 2 * aispm::codec::kMaxMediaTextBytes) std::abort();
  if (aispm::to_utf8(text) != text) std::abort();
  const auto encoded = aispm::codec::read_encoded_media(aispm::codec::base64_encode(bytes));
  if (!encoded || encoded->text != text || encoded->is_whole != read->is_whole) std::abort();
  return 0;
}
