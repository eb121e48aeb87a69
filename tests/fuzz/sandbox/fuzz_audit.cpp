// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <string_view>

#include "sandbox/supervise/audit_record.hpp"

// Records of any kind in any order: one a line, the first byte chooses the type.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace sandbox = aispm::sandbox;
  constexpr std::uint16_t kTypes[] = {sandbox::kAuditLandlockAccess, sandbox::kAuditLandlockDomain,
                                      sandbox::kAuditSeccomp, 1300};
  sandbox::AuditRecords records(1000);
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() == rest.size() ? line.size() : line.size() + 1);
    if (line.empty()) continue;
    const auto type = kTypes[static_cast<unsigned char>(line[0]) % 4];
    for (const auto& denial : records.read(type, line.substr(1)))
      if (denial.target.empty() || denial.target.size() > 8300) std::abort();
  }
  return 0;
}
