// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "gateway/net/stream.hpp"
#include "gateway/proxy/input_buffer.hpp"
#include "sdk/core/codec/http1.hpp"

// Whole HTTP/1.1 messages from a stream. All waits end with the stream's deadline.
namespace aispm::gateway {

// Reads at least one byte more into `input`; false at the peer's end.
net::Task<bool> read_more(net::Stream& stream, InputBuffer& input, std::size_t least = 1);

// Reads the next head. Nothing when the peer closed before its first byte. The head's bytes stay in
// `input`: consume head.size_bytes when done with them. kInvalid, kTooLarge: not acceptable HTTP,
// the connection is lost.
net::Task<std::optional<codec::http1::Head>> read_head(net::Stream& stream, InputBuffer& input,
                                                       codec::http1::HeadParser& parser,
                                                       std::string_view request_method = {});

// A body read whole.
struct WholeBody {
  std::string_view bytes;          // in the input buffer or in `spill`; dies with the next read
  std::size_t in_place_bytes = 0;  // to be consumed from the input buffer when done
};

// Reads the body that follows a head whose bytes were consumed. A body with a known length stays
// where it is; others are put together in `spill`. kTooLarge beyond `limit_bytes`; kInvalid when it
// is cut.
net::Task<WholeBody> read_whole_body(net::Stream& stream, InputBuffer& input,
                                     codec::http1::BodyKind kind, std::uint64_t content_length,
                                     std::size_t limit_bytes, std::string& spill);

}  // namespace aispm::gateway
