// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/jwt.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <memory>

namespace aispm::gateway {
namespace {

namespace json = boost::json;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

constexpr double kMaxExactSeconds = 9e15;  // up to there a double tells seconds apart

auto denied(std::string why) { return fail(Errc::kDenied, std::move(why)); }

std::optional<std::string> decode_url(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z')
      value = static_cast<std::uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      value = static_cast<std::uint32_t>(c - 'a' + 26);
    else if (c >= '0' && c <= '9')
      value = static_cast<std::uint32_t>(c - '0' + 52);
    else if (c == '-')
      value = 62;
    else if (c == '_')
      value = 63;
    else
      return std::nullopt;
    bits = (bits << 6U) | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>((bits >> count) & 0xffU));
    }
  }
  return out;
}

std::optional<json::object> read_object(std::string_view part) {
  const auto text = decode_url(part);
  if (!text) return std::nullopt;
  boost::system::error_code error;
  json::value value = json::parse(*text, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

Key read_key(const std::string& pem) {
  const std::unique_ptr<BIO, Freed<BIO_free>> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
}

bool verifies(EVP_PKEY* key, std::string_view algorithm, std::string_view signed_text,
              const std::string& signature) {
  const bool is_ed = algorithm == "EdDSA";
  // The key says which algorithm it is for, not the token.
  if (EVP_PKEY_get_base_id(key) != (is_ed ? EVP_PKEY_ED25519 : EVP_PKEY_RSA)) return false;
  const std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  if (EVP_DigestVerifyInit(context.get(), nullptr, is_ed ? nullptr : EVP_sha256(), nullptr, key) !=
      1)
    return false;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(signed_text.data());
  return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(), bytes, signed_text.size()) == 1;
}

}  // namespace

std::string_view text_claim(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return std::string_view(value->get_string());
}

std::optional<std::int64_t> number_claim(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  // A NumericDate may have a fraction (RFC 7519, 2).
  if (const double* const real = value->if_double()) {
    if (!(std::abs(*real) < kMaxExactSeconds)) return std::nullopt;
    return static_cast<std::int64_t>(*real);
  }
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

bool claims_one(const json::object& object, const char* key, std::string_view wanted) {
  const auto* value = object.if_contains(key);
  if (value == nullptr) return false;
  if (value->is_string()) return std::string_view(value->get_string()) == wanted;
  const auto* list = value->if_array();
  return list != nullptr && std::any_of(list->begin(), list->end(), [&](const json::value& one) {
           return one.is_string() && std::string_view(one.get_string()) == wanted;
         });
}

std::optional<json::object> peek_jwt(std::string_view token) {
  if (token.size() > kMaxJwtBytes) return std::nullopt;
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  if (first == std::string_view::npos || last == first) return std::nullopt;
  return read_object(token.substr(first + 1, last - first - 1));
}

Result<json::object> read_jwt(std::string_view token, std::span<const std::string> keys) {
  if (token.size() > kMaxJwtBytes) return denied("is too long");
  auto claims = peek_jwt(token);
  if (!claims) return denied("is no JWT");
  const auto last = token.rfind('.');
  const auto head = read_object(token.substr(0, token.find('.')));
  const auto signature = decode_url(token.substr(last + 1));
  if (!head || !signature) return denied("is no JWT");
  const std::string_view algorithm = text_claim(*head, "alg");
  if (algorithm != "EdDSA" && algorithm != "RS256") return denied("alg must be EdDSA or RS256");
  if (head->contains("crit")) return denied("has extensions that are not known");
  for (const std::string& pem : keys) {
    const Key key = read_key(pem);
    if (key && verifies(key.get(), algorithm, token.substr(0, last), *signature))
      return std::move(*claims);
  }
  return denied("is not signed by a key that is known here");
}

}  // namespace aispm::gateway
