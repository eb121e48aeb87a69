// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace aispm::codec {

// Decodes the content of a JSON string (without quotes, already known to be valid UTF-8 without
// bare control bytes) into `out`, which has room for content.size() bytes. Gives the bytes written;
// nullopt for an unknown or cut escape or an unpaired surrogate.
std::optional<std::size_t> unescape_into(std::string_view content, char* out);

}  // namespace aispm::codec
