// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sensor::kernel_test {

using SslContext = CPtr<SSL_CTX, SSL_CTX_free>;
using Ssl = CPtr<SSL, SSL_free>;

// Byte i depends on i over a long period, so that a hole, a repetition and a mix-up all show.
inline std::string make_stamped(std::size_t size, char seed = 'a') {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>(seed + i * 31 + (i >> 8) * 7 + (i >> 16));
  return bytes;
}

inline SSL_CTX* server_context() {
  static const SslContext context = [] {
    const CPtr<EVP_PKEY, EVP_PKEY_free> key(::EVP_EC_gen("P-256"));
    const CPtr<X509, X509_free> certificate(::X509_new());
    ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate.get()), 1);
    ::X509_gmtime_adj(::X509_getm_notBefore(certificate.get()), 0);
    ::X509_gmtime_adj(::X509_getm_notAfter(certificate.get()), 3600);
    ::X509_set_pubkey(certificate.get(), key.get());
    ::X509_sign(certificate.get(), key.get(), ::EVP_sha256());
    SslContext made(::SSL_CTX_new(::TLS_server_method()));
    ::SSL_CTX_use_certificate(made.get(), certificate.get());
    ::SSL_CTX_use_PrivateKey(made.get(), key.get());
    return made;
  }();
  return context.get();
}

inline SSL_CTX* client_context() {
  static const SslContext context(::SSL_CTX_new(::TLS_client_method()));
  return context.get();
}

// Two connected TCP sockets on loopback.
struct TcpPair {
  UniqueFd client;
  UniqueFd server;

  TcpPair() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener.get(), any, size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), any, &size), 0);
    client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), any, size), 0);
    server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(server);
  }
};

// Client and server of one TLS connection, both in this process, handshake done.
struct TlsPair {
  TcpPair tcp;
  Ssl client;
  Ssl server;

  TlsPair() : client(::SSL_new(client_context())), server(::SSL_new(server_context())) {
    EXPECT_EQ(::SSL_set_fd(client.get(), tcp.client.get()), 1);
    EXPECT_EQ(::SSL_set_fd(server.get(), tcp.server.get()), 1);
    std::thread accepting([this] { EXPECT_EQ(::SSL_accept(server.get()), 1); });
    EXPECT_EQ(::SSL_connect(client.get()), 1);
    accepting.join();
  }
};

inline std::string read_exactly(SSL* ssl, std::size_t size, bool with_ex = false) {
  std::string bytes(size, '\0');
  for (std::size_t done = 0; done < size;) {
    std::size_t count = 0;
    if (with_ex) {
      if (::SSL_read_ex(ssl, bytes.data() + done, size - done, &count) != 1) return "";
    } else {
      const int got = ::SSL_read(ssl, bytes.data() + done, static_cast<int>(size - done));
      if (got <= 0) return "";
      count = static_cast<std::size_t>(got);
    }
    done += count;
  }
  return bytes;
}

}  // namespace aispm::sensor::kernel_test
