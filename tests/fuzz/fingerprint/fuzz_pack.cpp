// SPDX-License-Identifier: Apache-2.0
// A fingerprint file of any content: read, or refused with a place.
#include <cstdlib>

#include "sensor/fingerprint/pack.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using aispm::sensor::fingerprint::Packs;
  const auto packs = Packs::parse(std::string(reinterpret_cast<const char*>(data), size), "input");
  if (!packs && packs.error().message.find("input") == std::string::npos) std::abort();
  if (packs)
    for (const auto& pack : packs->errors)
      for (const auto& function : pack.functions)
        if (function.errors.empty() || function.errors.size() > Packs::kMaxErrors) std::abort();
  return 0;
}
