// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace aispm::codec {

// Decodes base64 (RFC 4648 section 4, padded, no line breaks); nullopt for anything else.
std::optional<std::string> base64_decode(std::string_view text);
// Encodes any bytes likewise.
std::string base64_encode(std::string_view bytes);

}  // namespace aispm::codec
