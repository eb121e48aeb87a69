// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

namespace aispm::sensor {

// What a client's Initial packets carry of its TLS hello. They are encrypted with keys that follow
// from a number in the first packet (RFC 9001 section 5.2): anybody on the way can read them.
struct QuicCrypto {
  struct Part {
    std::uint64_t offset = 0;
    std::string bytes;
  };
  std::string key_id;  // the connection id that the keys follow from
  std::vector<Part> parts;
};

// All Initial packets of a datagram that a client sent. `key_id`: of the connection's first packet,
// empty when this is it. kInvalid: no Initial packet, or none that these keys open; kUnsupported:
// a version that is not 1 or 2. Pure.
Result<QuicCrypto> open_quic_initial(std::string_view datagram, std::string_view key_id);

}  // namespace aispm::sensor
