// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// What the first bytes of a stream say about its protocol.
namespace aispm::sensor {

// More are never needed.
inline constexpr std::size_t kMaxOpeningBytes = 32;

enum class Opening : std::uint8_t {
  kNeedMore,  // fewer bytes than it takes to tell
  kHttp1,     // the sender is a client of HTTP/1
  kHttp2,     // the sender is a client of HTTP/2
  kOther,
};

// The first bytes that were sent on a stream.
Opening find_opening(std::string_view bytes);

// A chunk of a stream joined midway: a protocol only when it begins with a whole request line or
// the preface of a connection; never kNeedMore.
Opening find_midway_opening(std::string_view bytes);

}  // namespace aispm::sensor
