// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/sha.h>

#include <string>
#include <string_view>

namespace aispm::sandbox {

// SHA-256 of bytes that come in pieces. The low-level interface: OpenSSL's other one would bring
// its whole library into the launcher.
class Sha256 {
 public:
  Sha256();
  void add(std::string_view bytes);
  // 64 lower-case hexadecimal digits. Ends it.
  std::string finish();

 private:
  SHA256_CTX state_{};
};

std::string sha256_hex(std::string_view bytes);

}  // namespace aispm::sandbox
