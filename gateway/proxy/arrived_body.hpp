// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "gateway/proxy/message_io.hpp"

namespace aispm::gateway {

// The body that follows a head, where all of it stands in `bytes`, which were read with the head;
// else nothing: then read_whole_body() waits and judges. Most short messages come in one piece, and
// need no coroutine.
inline std::optional<WholeBody> arrived_body(std::string_view bytes, codec::http1::BodyKind kind,
                                             std::uint64_t content_length,
                                             std::size_t limit_bytes) {
  if (kind != codec::http1::BodyKind::kLength || content_length > limit_bytes ||
      content_length > bytes.size())
    return std::nullopt;
  return WholeBody{bytes.substr(0, content_length), content_length};
}

}  // namespace aispm::gateway
