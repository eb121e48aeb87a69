// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <string>

#include "sdk/core/common/c_ptr.hpp"

namespace aispm::test {

// The first bytes that OpenSSL sends to `host`, as on the wire. `alpn` is in wire form ("\2h2").
inline std::string make_client_hello(const std::string& host, const std::string& alpn = "") {
  const CPtr<SSL_CTX, SSL_CTX_free> context(::SSL_CTX_new(TLS_client_method()));
  SSL* const ssl = ::SSL_new(context.get());
  BIO* const in = ::BIO_new(BIO_s_mem());
  BIO* const out = ::BIO_new(BIO_s_mem());
  ::SSL_set_bio(ssl, in, out);  // owns both
  ::SSL_set_connect_state(ssl);
  if (!host.empty()) {
    EXPECT_EQ(SSL_set_tlsext_host_name(ssl, host.c_str()), 1);
  }
  if (!alpn.empty()) {
    EXPECT_EQ(::SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(alpn.data()),
                                    static_cast<unsigned>(alpn.size())),
              0);
  }
  ::SSL_do_handshake(ssl);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  std::string hello(bytes, static_cast<std::size_t>(size));
  ::SSL_free(ssl);
  return hello;
}

}  // namespace aispm::test
