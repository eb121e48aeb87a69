// SPDX-License-Identifier: Apache-2.0
// Any bytes as an automaton of the cache: whatever is taken for one never leaves its tables.
#include <cstdint>
#include <string_view>

#include "sdk/core/detect/dfa.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using aispm::detect::Dfa;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string_view rest = bytes;
  const auto dfa = Dfa::take_from(rest);
  if (!dfa) return 0;
  if (rest.size() >= bytes.size() || dfa->accepts(Dfa::kStart)) __builtin_trap();
  Dfa::State state = Dfa::kStart;
  for (const char c : bytes) {
    state = dfa->next(state, static_cast<std::uint8_t>(c));
    if (state >= dfa->state_count()) __builtin_trap();
    (void)dfa->is_final(state);
  }
  return 0;
}
