// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/pki.hpp"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <ctime>

#include "sdk/core/common/id.hpp"
#include "sdk/core/common/pki_openssl.hpp"

namespace aispm::pki {
namespace {

bool set_common_name(X509_NAME* name, std::string_view value) {
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool set_time(ASN1_TIME* target, WallTime time) {
  return ASN1_TIME_set(target, static_cast<std::time_t>(time.nanoseconds / 1'000'000'000)) !=
         nullptr;
}

// 127 random bits: positive and never repeated by one CA (RFC 5280 section 4.1.2.2).
bool set_random_serial(X509* certificate) {
  std::array<std::uint8_t, 16> bytes{};
  fill_random(bytes);
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7f) | 0x40);
  const Number number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

// `text` is always one of our own constants: names from outside go through add_names().
bool add_extension(X509* certificate, X509* issuer, int nid, const char* text) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, text));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

Result<Name> make_ia5_name(int type, std::string_view value) {
  Name name(GENERAL_NAME_new());
  ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
  if (!name || text == nullptr ||
      ASN1_STRING_set(text, value.data(), static_cast<int>(value.size())) != 1) {
    ASN1_IA5STRING_free(text);
    return fail_openssl(Errc::kInternal, "make a subject name");
  }
  GENERAL_NAME_set0_value(name.get(), type, text);
  return name;
}

Result<Name> make_host_name(const std::string& host) {
  if (ASN1_OCTET_STRING* const address = a2i_IPADDRESS(host.c_str())) {
    Name name(GENERAL_NAME_new());
    if (!name) {
      ASN1_OCTET_STRING_free(address);
      return fail_openssl(Errc::kInternal, "make a subject name");
    }
    GENERAL_NAME_set0_value(name.get(), GEN_IPADD, address);
    return name;
  }
  ERR_clear_error();
  if (!is_name_part(host))
    return fail(Errc::kInvalid, "server name `" + host + "`: not a DNS name or an IP address");
  return make_ia5_name(GEN_DNS, host);
}

Result<> add_names(X509* certificate, std::vector<Name> names) {
  const Names list(GENERAL_NAMES_new());
  if (!list) return fail_openssl(Errc::kInternal, "make subject names");
  for (Name& name : names) {
    if (sk_GENERAL_NAME_push(list.get(), name.get()) <= 0)
      return fail_openssl(Errc::kInternal, "make subject names");
    (void)name.release();  // the list owns it now
  }
  if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, X509V3_ADD_DEFAULT) != 1)
    return fail_openssl(Errc::kInternal, "add subject names");
  return {};
}

// What is the same in every certificate. `issuer` may be the certificate itself (self-signed).
Result<Certificate> begin_certificate(EVP_PKEY* public_key, std::string_view common_name,
                                      X509* issuer, Validity validity) {
  if (validity.until <= validity.from)
    return fail(Errc::kInvalid, "certificate: its validity ends before it begins");
  Certificate certificate(X509_new());
  X509* const raw = certificate.get();
  if (raw == nullptr || X509_set_version(raw, X509_VERSION_3) != 1 || !set_random_serial(raw) ||
      !set_time(X509_getm_notBefore(raw), validity.from) ||
      !set_time(X509_getm_notAfter(raw), validity.until) ||
      !set_common_name(X509_get_subject_name(raw), common_name) ||
      X509_set_pubkey(raw, public_key) != 1 ||
      X509_set_issuer_name(raw, X509_get_subject_name(issuer == nullptr ? raw : issuer)) != 1)
    return fail_openssl(Errc::kInvalid, "make a certificate");
  return certificate;
}

Result<std::string> sign(X509* certificate, EVP_PKEY* key) {
  if (X509_sign(certificate, key, EVP_sha256()) == 0)
    return fail_openssl(Errc::kInternal, "sign a certificate");
  return to_pem(certificate);
}

struct Authority {
  Key key;
  Certificate certificate;
};

Result<Authority> open_authority(const Secret& key_pem, std::string_view ca_pem) {
  AISPM_TRY(Key key, parse_key(key_pem));
  AISPM_TRY(Certificate certificate, parse_certificate(ca_pem));
  if (X509_check_private_key(certificate.get(), key.get()) != 1)
    return fail_openssl(Errc::kInvalid, "the CA key does not belong to the CA certificate");
  if (X509_check_ca(certificate.get()) == 0)
    return fail(Errc::kInvalid, "the CA certificate is not one of a CA");
  return Authority{std::move(key), std::move(certificate)};
}

Result<> add_end_extensions(X509* certificate, X509* issuer, const char* usage) {
  if (add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
      add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
      add_extension(certificate, issuer, NID_ext_key_usage, usage) &&
      add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
      add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always"))
    return {};
  return fail_openssl(Errc::kInternal, "add certificate extensions");
}

bool is_p256(EVP_PKEY* key) {
  std::array<char, 64> group{};
  return EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1 &&
         std::string_view(group.data()) == "prime256v1";
}

}  // namespace

Result<Secret> make_key() {
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return fail_openssl(Errc::kInternal, "make a P-256 key");
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr) != 1)
    return fail_openssl(Errc::kInternal, "write a key");
  return Secret(take(bio.get()));
}

Result<std::string> make_ca(const Secret& key_pem, std::string_view common_name,
                            Validity validity) {
  AISPM_TRY(const Key key, parse_key(key_pem));
  AISPM_TRY(const Certificate certificate,
            begin_certificate(key.get(), common_name, nullptr, validity));
  X509* const raw = certificate.get();
  if (!add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(raw, raw, NID_subject_key_identifier, "hash"))
    return fail_openssl(Errc::kInternal, "add CA extensions");
  return sign(raw, key.get());
}

Result<std::string> make_server_certificate(const Secret& ca_key, std::string_view ca_pem,
                                            const Secret& key_pem,
                                            const std::vector<std::string>& names,
                                            Validity validity) {
  if (names.empty())
    return fail(Errc::kInvalid, "server certificate: needs at least one DNS name or IP address");
  AISPM_TRY(const Authority authority, open_authority(ca_key, ca_pem));
  AISPM_TRY(const Key key, parse_key(key_pem));
  std::vector<Name> subject_names;
  for (const std::string& host : names) {
    AISPM_TRY(Name name, make_host_name(host));
    subject_names.push_back(std::move(name));
  }
  // The CN is only a label here (64 characters at most in X.520); clients check the subject names.
  AISPM_TRY(const Certificate certificate,
            begin_certificate(key.get(), std::string_view(names.front()).substr(0, 64),
                              authority.certificate.get(), validity));
  AISPM_CHECK(add_end_extensions(certificate.get(), authority.certificate.get(), "serverAuth"));
  AISPM_CHECK(add_names(certificate.get(), std::move(subject_names)));
  return sign(certificate.get(), authority.key.get());
}

Result<std::string> make_request(const Secret& key_pem, std::string_view common_name) {
  AISPM_TRY(const Key key, parse_key(key_pem));
  const Request request(X509_REQ_new());
  if (!request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      !set_common_name(X509_REQ_get_subject_name(request.get()), common_name) ||
      X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0)
    return fail_openssl(Errc::kInvalid, "make a certificate request");
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1)
    return fail_openssl(Errc::kInternal, "write a certificate request");
  return take(bio.get());
}

Result<std::string> sign_client_request(const Secret& ca_key, std::string_view ca_pem,
                                        std::string_view request_pem, const Identity& identity,
                                        Validity validity) {
  AISPM_CHECK(check_identity(identity));
  AISPM_TRY(const Authority authority, open_authority(ca_key, ca_pem));
  AISPM_TRY(const Bio bio, open_pem(request_pem));
  const Request request(PEM_read_bio_X509_REQ(bio.get(), nullptr, no_password, nullptr));
  if (!request) return fail_openssl(Errc::kInvalid, "not a certificate request in PEM form");
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || !is_p256(key))
    return fail_openssl(Errc::kInvalid, "certificate request: only EC P-256 keys are accepted");
  if (X509_REQ_verify(request.get(), key) != 1)
    return fail_openssl(Errc::kInvalid, "certificate request: its signature does not fit its key");
  if (identity.host_id.size() > 64)
    return fail(Errc::kInvalid,
                "identity: a host id has at most 64 characters (X.520 common name)");
  AISPM_TRY(const Certificate certificate,
            begin_certificate(key, identity.host_id, authority.certificate.get(), validity));
  AISPM_CHECK(add_end_extensions(certificate.get(), authority.certificate.get(), "clientAuth"));
  std::vector<Name> names;
  AISPM_TRY(Name uri, make_ia5_name(GEN_URI, std::string(kScheme) + identity.tenant + "/" +
                                                 identity.component + "/" + identity.host_id));
  names.push_back(std::move(uri));
  AISPM_CHECK(add_names(certificate.get(), std::move(names)));
  return sign(certificate.get(), authority.key.get());
}

}  // namespace aispm::pki
