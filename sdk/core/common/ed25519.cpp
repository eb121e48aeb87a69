// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/ed25519.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::ed25519 {
namespace {

using Key = CPtr<EVP_PKEY, EVP_PKEY_free>;
using Context = CPtr<EVP_MD_CTX, EVP_MD_CTX_free>;
using Bio = CPtr<BIO, BIO_free_all>;

constexpr std::size_t kMaxPemBytes = 16U << 10;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kPublicBytes = 32;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Result<Key> checked(EVP_PKEY* raw, const char* what) {
  Key key(raw);
  if (!key || EVP_PKEY_id(key.get()) != EVP_PKEY_ED25519)
    return fail(Errc::kInvalid, std::string("not the PEM of an Ed25519 ") + what);
  return key;
}

Bio reader(std::string_view pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min(pem.size(), kMaxPemBytes))));
}

Result<Key> read_secret(const Secret& pem) {
  const Bio bio = reader(pem.expose());
  return checked(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), "private key");
}

Result<Key> read_public(std::string_view pem) {
  const Bio bio = reader(pem);
  return checked(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), "public key");
}

std::string text_of(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : "";
}

Result<std::string> write_public(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), key) != 1)
    return fail(Errc::kInternal, "Ed25519: cannot write the public key");
  return text_of(bio);
}

}  // namespace

Result<KeyPair> make_keys() {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (!key || !bio ||
      PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail(Errc::kInternal, "Ed25519: cannot make a key");
  AISPM_TRY(std::string public_pem, write_public(key.get()));
  return KeyPair{Secret(text_of(bio)), std::move(public_pem)};
}

Result<std::string> public_of(const Secret& secret_pem) {
  AISPM_TRY(const Key key, read_secret(secret_pem));
  return write_public(key.get());
}

Result<std::string> sign(const Secret& secret_pem, std::string_view message) {
  AISPM_TRY(const Key key, read_secret(secret_pem));
  const Context context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  std::size_t size = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes_of(message), message.size()) != 1 ||
      size != kSignatureBytes)
    return fail(Errc::kInternal, "Ed25519: cannot sign");
  return signature;
}

Result<> verify(std::string_view public_pem, std::string_view message, std::string_view signature) {
  AISPM_TRY(const Key key, read_public(public_pem));
  const Context context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1)
    return fail(Errc::kInternal, "Ed25519: cannot verify");
  if (signature.size() != kSignatureBytes ||
      EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message),
                       message.size()) != 1)
    return fail(Errc::kDenied, "the signature is not this key's over this content");
  return {};
}

Result<std::string> key_id(std::string_view public_pem) {
  AISPM_TRY(const Key key, read_public(public_pem));
  std::array<unsigned char, kPublicBytes> raw{};
  std::size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size) != 1)
    return fail(Errc::kInternal, "Ed25519: cannot read the public key");
  return sha256_hex({reinterpret_cast<const char*>(raw.data()), size}).substr(0, 16);
}

}  // namespace aispm::ed25519
