// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <utility>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm {
namespace {

using DigestContext = CPtr<EVP_MD_CTX, EVP_MD_CTX_free>;

// Fetched once: EVP_sha256() makes OpenSSL 3 look the algorithm up, under locks, for every digest.
// Lives as long as the program. Fails only if the library itself is broken: nothing a caller could
// do.
const EVP_MD* digest_kind() {
  static const EVP_MD* const kind = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (kind == nullptr) std::abort();
  return kind;
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
  Sha256 digest{};
  unsigned size = 0;
  thread_local const DigestContext context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestInit_ex2(context.get(), digest_kind(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1)
    std::abort();
  return digest;
}

std::string sha256_hex(std::string_view bytes) { return to_hex(sha256(bytes)); }

namespace {

// The context that this thread's last stream left behind: the next one needs no memory.
DigestContext& spare_context() {
  thread_local DigestContext spare;
  return spare;
}

}  // namespace

Sha256Stream::Sha256Stream()
    : context_(spare_context() ? spare_context().release() : EVP_MD_CTX_new()) {
  if (context_ == nullptr ||
      EVP_DigestInit_ex2(static_cast<EVP_MD_CTX*>(context_), digest_kind(), nullptr) != 1)
    std::abort();
}
Sha256Stream::Sha256Stream(Sha256Stream&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)) {}
Sha256Stream& Sha256Stream::operator=(Sha256Stream&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}
Sha256Stream::~Sha256Stream() {
  if (context_ != nullptr) spare_context().reset(static_cast<EVP_MD_CTX*>(context_));
}

void Sha256Stream::update(std::string_view bytes) {
  if (EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size()) != 1)
    std::abort();
}

std::string Sha256Stream::finish_hex() {
  Sha256 digest{};
  unsigned size = 0;
  if (EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest.data(), &size) != 1)
    std::abort();
  return to_hex(digest);
}

bool equal_in_constant_time(std::string_view left, std::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace aispm
