// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sandbox/supervise/quota_record.hpp"

// The first byte chooses an answer about a family or an announcement.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace sandbox = aispm::sandbox;
  if (size == 0) return 0;
  const auto record = sandbox::read_quota_record({data + 1, size - 1}, data[0] % 2 != 0);
  if (record && sandbox::is_refusal(*record, record->message_type, 1) && !record->warning)
    std::abort();
  return 0;
}
