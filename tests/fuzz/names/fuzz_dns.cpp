// SPDX-License-Identifier: Apache-2.0
// A DNS message of any bytes is parsed within its limits or refused with a reason.
#include <cstdint>
#include <cstdlib>

#include "sensor/decode/names_dns.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sensor;
  const auto message = parse_dns({reinterpret_cast<const char*>(data), size});
  if (!message) {
    if (message.error().message.empty()) std::abort();
    return 0;
  }
  if (message->name.empty() || message->name.size() > 253) std::abort();
  if (message->addresses.size() > kMaxDnsAddresses) std::abort();
  return 0;
}
