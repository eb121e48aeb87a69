// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sdk/core/common/ed25519.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/policy/bundle.hpp"

// bundle.sig:
//   aispm-signature 1
//   key 0123456789abcdef
//   ed25519 <128 hex digits>
namespace aispm::policy {
namespace {

constexpr std::string_view kHead = "aispm-signature 1\nkey ";
constexpr std::string_view kMiddle = "\ned25519 ";
constexpr std::size_t kKeyDigits = 16;
constexpr std::size_t kSignatureDigits = 128;

std::optional<std::string> from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    int value = 0;
    for (const char c : text.substr(i, 2)) {
      const bool digit = c >= '0' && c <= '9';
      if (!digit && (c < 'a' || c > 'f')) return std::nullopt;
      value = value * 16 + (digit ? c - '0' : c - 'a' + 10);
    }
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

struct Signature {
  std::string key;
  std::string bytes;
};

std::optional<Signature> parse_signature(std::string_view text) {
  constexpr std::size_t kSize = kHead.size() + kKeyDigits + kMiddle.size() + kSignatureDigits + 1;
  if (text.size() != kSize || text.substr(0, kHead.size()) != kHead || text.back() != '\n')
    return std::nullopt;
  text.remove_prefix(kHead.size());
  Signature signature;
  signature.key = text.substr(0, kKeyDigits);
  text.remove_prefix(kKeyDigits);
  if (text.substr(0, kMiddle.size()) != kMiddle) return std::nullopt;
  const auto bytes = from_hex(text.substr(kMiddle.size(), kSignatureDigits));
  if (!bytes) return std::nullopt;
  signature.bytes = *bytes;
  return signature;
}

}  // namespace

Result<std::string> sign_bundle(const std::vector<FolderFile>& files, const Secret& secret_pem) {
  AISPM_TRY(const std::string public_pem, ed25519::public_of(secret_pem));
  AISPM_TRY(const std::string key, ed25519::key_id(public_pem));
  AISPM_TRY(const std::string signature, ed25519::sign(secret_pem, canonical_form(files)));
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(signature.data());
  return std::string(kHead) + key + std::string(kMiddle) + to_hex({bytes, signature.size()}) + "\n";
}

Result<std::string> verify_bundle(const std::vector<FolderFile>& files,
                                  const std::vector<std::string>& trusted_keys) {
  const auto file = std::find_if(files.begin(), files.end(), [](const FolderFile& one) {
    return one.path == Bundle::kSignatureFile;
  });
  if (file == files.end())
    return fail(Errc::kDenied, std::string(Bundle::kSignatureFile) +
                                   ": missing; the bundle is not signed (`aispm policy sign`)");
  const auto signature = parse_signature(file->content);
  if (!signature)
    return fail(Errc::kDenied, std::string(Bundle::kSignatureFile) + ": cannot be read");
  for (const std::string& trusted : trusted_keys) {
    AISPM_TRY(const std::string key, ed25519::key_id(trusted));
    if (key != signature->key) continue;
    if (auto verified = ed25519::verify(trusted, canonical_form(files), signature->bytes);
        !verified)
      return fail(Errc::kDenied, std::string(Bundle::kSignatureFile) +
                                     ": a file was added, taken away or changed after key " + key +
                                     " signed");
    return key;
  }
  return fail(Errc::kDenied, std::string(Bundle::kSignatureFile) + ": signed by key " +
                                 signature->key + ", which is not trusted here");
}

}  // namespace aispm::policy
