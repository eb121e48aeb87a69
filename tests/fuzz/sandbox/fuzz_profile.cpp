// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sandbox/plan/profile_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto profile = aispm::sandbox::parse_profile(
      std::string(reinterpret_cast<const char*>(data), size), "fuzz.yaml",
      [](const std::string& name) -> aispm::Result<aispm::sandbox::Profile> {
        if (name != "default") return aispm::fail(aispm::Errc::kNotFound, name);
        return aispm::sandbox::Profile{};
      });
  // Whatever is accepted keeps the bounds that the kernel side relies on.
  if (profile && (profile->limits.pids < 2 || profile->limits.tmp_bytes < 4096 ||
                  profile->landlock_min_abi < 1))
    std::abort();
  return 0;
}
