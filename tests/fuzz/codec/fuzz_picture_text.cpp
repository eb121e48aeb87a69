// SPDX-License-Identifier: Apache-2.0
// Whatever bytes pass for a picture: its text is bounded UTF-8, and the same however it is encoded.
#include <cstdlib>
#include <string>

#include "sdk/core/codec/base64.hpp"
#include "sdk/core/codec/picture_text.hpp"
#include "sdk/core/common/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto text = aispm::codec::picture_text(bytes);
  if (!text) return 0;
  if (text->size() > 2 * aispm::codec::kMaxPictureTextBytes) std::abort();
  if (aispm::to_utf8(*text) != *text) std::abort();
  const auto encoded = aispm::codec::encoded_picture_text(aispm::codec::base64_encode(bytes));
  if (!encoded || *encoded != *text) std::abort();
  return 0;
}
