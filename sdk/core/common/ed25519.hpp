// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"

// Ed25519 (RFC 8032): keys as PEM (PKCS#8, SubjectPublicKeyInfo), signatures as 64 raw bytes.
// Thread-safe.
namespace aispm::ed25519 {

struct KeyPair {
  Secret secret_pem;
  std::string public_pem;
};

Result<KeyPair> make_keys();
// kInvalid: not the PEM of an Ed25519 key.
Result<std::string> sign(const Secret& secret_pem, std::string_view message);
Result<std::string> public_of(const Secret& secret_pem);
// kDenied: not this key's signature over this message.
Result<> verify(std::string_view public_pem, std::string_view message, std::string_view signature);
// First 16 hex digits of the SHA-256 of the raw public key: tells keys apart.
Result<std::string> key_id(std::string_view public_pem);

}  // namespace aispm::ed25519
