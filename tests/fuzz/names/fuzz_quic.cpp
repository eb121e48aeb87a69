// SPDX-License-Identifier: Apache-2.0
// A datagram of any bytes: its Initial packets are opened, or it is refused with a reason.
#include <cstdint>
#include <cstdlib>

#include "sensor/decode/names_quic.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sensor;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::string_view keys : {std::string_view(), std::string_view("12345678")}) {
    const auto crypto = open_quic_initial(bytes, keys);
    if (!crypto && crypto.error().message.empty()) std::abort();
    if (crypto)
      for (const auto& part : crypto->parts)
        if (part.bytes.size() > size) std::abort();
  }
  return 0;
}
