// SPDX-License-Identifier: Apache-2.0
// What the keeper of the warm pool and a porter are told by a taker.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sandbox/model/late.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sandbox;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto want = decode_want(text)) {
    const auto again = encode_want(*want);
    if (!again) std::abort();
    const auto back = decode_want(*again);
    if (!back || *back != *want) std::abort();
  }
  if (const auto mounts = decode_mounts(text)) {
    const auto back = decode_mounts(encode_mounts(*mounts));
    if (!back || *back != *mounts) std::abort();
    for (const auto& mount : *mounts)
      if (!mount.target.starts_with('/')) std::abort();
  }
  return 0;
}
