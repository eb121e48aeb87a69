// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sandbox/supervise/dns.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using aispm::sandbox::DnsCode;
  const auto query = aispm::sandbox::parse_dns_query({data, size});
  if (!query) return 0;
  if (query->reply.size() > size || query->name.empty() || query->name.size() > 4 * 256)
    std::abort();
  // One address is all that an answer adds: nothing to amplify.
  const std::uint8_t address[16] = {};
  if (answer_dns(*query, DnsCode::kNoError, address).size() > size + 28) std::abort();
  return 0;
}
