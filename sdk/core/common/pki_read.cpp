// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/pki.hpp"
#include "sdk/core/common/pki_openssl.hpp"

namespace aispm::pki {
namespace {

constexpr std::size_t kMaxNamePart = 128;
constexpr std::size_t kMaxChain = 16;

Result<Identity> parse_uri(std::string_view uri) {
  std::string_view rest = uri.substr(kScheme.size());
  Identity identity;
  for (std::string* part : {&identity.tenant, &identity.component, &identity.host_id}) {
    const std::size_t slash = rest.find('/');
    *part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  if (!rest.empty())
    return fail(Errc::kInvalid, "certificate: the identity has more than three parts");
  AISPM_CHECK(check_identity(identity));
  return identity;
}

Result<std::string> common_name_of(X509* certificate) {
  X509_NAME* const subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return fail(Errc::kInvalid, "certificate: no common name");
  const ASN1_STRING* const text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<std::size_t>(ASN1_STRING_length(text)));
}

Result<WallTime> to_wall(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1)
    return fail_openssl(Errc::kInvalid, "certificate: its validity cannot be read");
  return WallTime{static_cast<std::int64_t>(::timegm(&parts)) * 1'000'000'000};
}

}  // namespace

tl::unexpected<Error> fail_openssl(Errc code, std::string_view what) {
  std::string message(what);
  if (const unsigned long reason = ERR_peek_last_error(); reason != 0) {
    std::array<char, 256> text{};
    ERR_error_string_n(reason, text.data(), text.size());
    message += ": ";
    message += text.data();
  }
  ERR_clear_error();
  return fail(code, std::move(message));
}

int no_password(char*, int, int, void*) { return 0; }

Result<Bio> open_pem(std::string_view pem) {
  if (pem.size() > kMaxPemBytes)
    return fail(Errc::kTooLarge,
                "PEM text: larger than " + std::to_string(kMaxPemBytes) + " bytes");
  Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) return fail_openssl(Errc::kInternal, "BIO_new_mem_buf");
  return bio;
}

Result<Key> parse_key(const Secret& pem) {
  AISPM_TRY(const Bio bio, open_pem(pem.expose()));
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) return fail_openssl(Errc::kInvalid, "not a private key in PEM form");
  return key;
}

Result<Certificate> parse_certificate(std::string_view pem) {
  AISPM_TRY(const Bio bio, open_pem(pem));
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
  if (!certificate) return fail_openssl(Errc::kInvalid, "not a certificate in PEM form");
  return certificate;
}

std::string take(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

Result<std::string> to_pem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1)
    return fail_openssl(Errc::kInternal, "write a certificate");
  return take(bio.get());
}

bool is_name_part(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNamePart &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

Result<> check_identity(const Identity& identity) {
  if (is_name_part(identity.tenant) && is_name_part(identity.component) &&
      is_name_part(identity.host_id))
    return {};
  return fail(Errc::kInvalid,
              "identity: tenant, component and host id must each be 1 to 128 characters of A-Z a-z "
              "0-9 . _ -");
}

Result<Identity> parse_identity(std::string_view certificate_pem) {
  AISPM_TRY(const Certificate certificate, parse_certificate(certificate_pem));
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return fail(Errc::kInvalid, "certificate: no subject alternative name");
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* const text = name->d.uniformResourceIdentifier;
    const std::string_view uri(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                               static_cast<std::size_t>(ASN1_STRING_length(text)));
    if (!uri.starts_with(kScheme)) continue;
    AISPM_TRY(const Identity identity, parse_uri(uri));
    AISPM_TRY(const std::string common_name, common_name_of(certificate.get()));
    if (common_name != identity.host_id)
      return fail(Errc::kInvalid,
                  "certificate: the common name is not the host id of the identity");
    return identity;
  }
  return fail(Errc::kInvalid, "certificate: no aispm:// identity");
}

Result<std::string> fingerprint(std::string_view certificate_pem) {
  AISPM_TRY(const Certificate certificate, parse_certificate(certificate_pem));
  Sha256 digest{};
  unsigned size = 0;
  if (X509_digest(certificate.get(), EVP_sha256(), digest.data(), &size) != 1)
    return fail_openssl(Errc::kInternal, "hash a certificate");
  return to_hex(digest);
}

Result<Validity> validity(std::string_view certificate_pem) {
  AISPM_TRY(const Certificate certificate, parse_certificate(certificate_pem));
  AISPM_TRY(const WallTime from, to_wall(X509_get0_notBefore(certificate.get())));
  AISPM_TRY(const WallTime until, to_wall(X509_get0_notAfter(certificate.get())));
  return Validity{from, until};
}

Result<WallTime> expiry(std::string_view certificate_pem) {
  AISPM_TRY(const Validity valid, validity(certificate_pem));
  return valid.until;
}

Result<std::vector<std::string>> split_chain(std::string_view chain_pem) {
  AISPM_TRY(const Bio bio, open_pem(chain_pem));
  std::vector<std::string> chain;
  while (
      const Certificate certificate{PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)}) {
    if (chain.size() == kMaxChain)
      return fail(Errc::kTooLarge,
                  "certificate chain: more than " + std::to_string(kMaxChain) + " certificates");
    AISPM_TRY(std::string pem, to_pem(certificate.get()));
    chain.push_back(std::move(pem));
  }
  const unsigned long reason = ERR_peek_last_error();
  if (chain.empty() || ERR_GET_REASON(reason) != PEM_R_NO_START_LINE)
    return fail_openssl(Errc::kInvalid, "not a chain of certificates in PEM form");
  ERR_clear_error();
  return chain;
}

Result<> verify_server(std::string_view leaf_pem, std::string_view ca_pem,
                       const std::string& host) {
  AISPM_TRY(const Certificate leaf, parse_certificate(leaf_pem));
  AISPM_TRY(const Certificate ca, parse_certificate(ca_pem));
  const Store store(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  if (!store || !context || X509_STORE_add_cert(store.get(), ca.get()) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), nullptr) != 1)
    return fail_openssl(Errc::kInternal, "prepare a certificate check");
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
  // OpenSSL takes an empty name as "do not check the name", so a name must be one before it gets
  // there.
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) != 1) {
    ERR_clear_error();
    if (!is_name_part(host) ||
        X509_VERIFY_PARAM_set1_host(parameters, host.data(), host.size()) != 1)
      return fail_openssl(Errc::kUnauthenticated, "server name `" + host + "`: not a name");
  }
  if (X509_verify_cert(context.get()) == 1) return {};
  ERR_clear_error();
  return fail(Errc::kUnauthenticated,
              "server certificate for `" + host +
                  "`: " + X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

bool key_fits(const Secret& key_pem, std::string_view certificate_pem) {
  const auto key = parse_key(key_pem);
  const auto certificate = parse_certificate(certificate_pem);
  if (!key || !certificate) return false;
  const bool fits = X509_check_private_key(certificate->get(), key->get()) == 1;
  ERR_clear_error();
  return fits;
}

}  // namespace aispm::pki
