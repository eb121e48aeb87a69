// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sandbox/supervise/packet.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto denial = aispm::sandbox::parse_packet({data, size});
  if (denial && (denial->target.empty() || denial->target.size() > 64)) std::abort();
  return 0;
}
