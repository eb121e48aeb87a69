// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <string>
#include <string_view>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/pki.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"

// OpenSSL owners and PEM reading shared by pki.cpp (making) and pki_read.cpp (reading and
// checking); nobody else includes it.
namespace aispm::pki {

using Bio = CPtr<BIO, BIO_free>;
using Key = CPtr<EVP_PKEY, EVP_PKEY_free>;
using Certificate = CPtr<X509, X509_free>;
using Request = CPtr<X509_REQ, X509_REQ_free>;
using Extension = CPtr<X509_EXTENSION, X509_EXTENSION_free>;
using Names = CPtr<GENERAL_NAMES, GENERAL_NAMES_free>;
using Name = CPtr<GENERAL_NAME, GENERAL_NAME_free>;
using Store = CPtr<X509_STORE, X509_STORE_free>;
using StoreContext = CPtr<X509_STORE_CTX, X509_STORE_CTX_free>;
using Number = CPtr<BIGNUM, BN_free>;

constexpr std::string_view kScheme = "aispm://";

// Takes the library's error queue of this thread, so that nothing stale is reported later.
tl::unexpected<Error> fail_openssl(Errc code, std::string_view what);
// Answers OpenSSL's question for a password with "none", so that it never asks on a terminal.
int no_password(char*, int, int, void*);
Result<Bio> open_pem(std::string_view pem);
Result<Key> parse_key(const Secret& pem);
Result<Certificate> parse_certificate(std::string_view pem);
// Everything written to a memory BIO.
std::string take(BIO* bio);
Result<std::string> to_pem(X509* certificate);
// 1..128 characters of A-Z a-z 0-9 . _ -
bool is_name_part(std::string_view text);
// Errors when a part of the identity is empty, too long or holds another character.
Result<> check_identity(const Identity& identity);

}  // namespace aispm::pki
