// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sandbox/supervise/dns.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto query = aispm::sandbox::parse_dns_query({data, size});
  // An answer is never longer than its question: nothing to amplify.
  if (query &&
      (query->refusal.size() > size || query->name.empty() || query->name.size() > 4 * 256))
    std::abort();
  return 0;
}
