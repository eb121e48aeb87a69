// SPDX-License-Identifier: Apache-2.0
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sandbox/requirements/sha256.hpp"

#include <array>

namespace aispm::sandbox {

Sha256::Sha256() { (void)SHA256_Init(&state_); }

void Sha256::add(std::string_view bytes) {
  (void)SHA256_Update(&state_, bytes.data(), bytes.size());
}

std::string Sha256::finish() {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  (void)SHA256_Final(digest.data(), &state_);
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += "0123456789abcdef"[byte >> 4U];
    hex += "0123456789abcdef"[byte & 15U];
  }
  return hex;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

}  // namespace aispm::sandbox
