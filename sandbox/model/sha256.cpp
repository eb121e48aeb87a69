// SPDX-License-Identifier: Apache-2.0
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sandbox/model/sha256.hpp"

#include <array>

#include "sdk/core/common/id.hpp"

namespace aispm::sandbox {

Sha256::Sha256() { (void)SHA256_Init(&state_); }

void Sha256::add(std::string_view bytes) {
  (void)SHA256_Update(&state_, bytes.data(), bytes.size());
}

std::string Sha256::finish() {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  (void)SHA256_Final(digest.data(), &state_);
  return to_hex(digest);
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

}  // namespace aispm::sandbox
