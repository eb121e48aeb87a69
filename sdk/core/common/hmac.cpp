// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/hmac.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace aispm {

std::string hmac_sha256_hex(const Secret& key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned int size = 0;
  const std::string_view bytes = key.expose();
  HMAC(EVP_sha256(), bytes.data(), static_cast<int>(bytes.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), sum.data(), &size);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex.push_back(kDigits[sum[i] >> 4U]);
    hex.push_back(kDigits[sum[i] & 15U]);
  }
  return hex;
}

}  // namespace aispm
