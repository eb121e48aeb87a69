// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/secret.hpp"

namespace aispm {

// Tells equal secrets of one host from different ones and says nothing else about them: 16 hex
// digits that cannot be found by guessing without the host's key.
inline std::string keyed_hash(const Secret& host_key, std::string_view secret) {
  constexpr std::size_t kDigits = 16;
  Sha256Stream keyed;
  keyed.update(host_key.expose());
  keyed.update(secret);
  return keyed.finish_hex().substr(0, kDigits);
}

}  // namespace aispm
