// SPDX-License-Identifier: Apache-2.0
#include "sensor/selftest/workload.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sensor {
namespace {

using SslContext = CPtr<SSL_CTX, SSL_CTX_free>;
using SslSession = CPtr<SSL, SSL_free>;
using Key = CPtr<EVP_PKEY, EVP_PKEY_free>;
using Certificate = CPtr<X509, X509_free>;

struct SocketPair {
  UniqueFd client;
  UniqueFd server;
};

sockaddr_in6 loopback_v6() {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return address;
}

sockaddr_in loopback_v4() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// listen, connect and accept on loopback; the listener closes on return.
template <typename T>
Result<SocketPair> connect_pair(T address) {
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  const UniqueFd listener(::socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener || ::bind(listener.get(), any, size) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), any, &size) != 0)
    return fail_errno("listen on loopback");
  SocketPair pair;
  pair.client.reset(::socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!pair.client || ::connect(pair.client.get(), any, size) != 0)
    return fail_errno("connect on loopback");
  pair.server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!pair.server) return fail_errno("accept on loopback");
  return pair;
}

Result<SslContext> make_server_context() {
  const Key key(::EVP_EC_gen("P-256"));
  const Certificate certificate(::X509_new());
  if (!key || !certificate) return fail(Errc::kInternal, "cannot make a key");
  constexpr long kLifeSeconds = 3600;
  ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate.get()), 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(certificate.get()), 0);
  ::X509_gmtime_adj(::X509_getm_notAfter(certificate.get()), kLifeSeconds);
  ::X509_set_pubkey(certificate.get(), key.get());
  SslContext context(::SSL_CTX_new(::TLS_server_method()));
  if (!context || ::X509_sign(certificate.get(), key.get(), ::EVP_sha256()) == 0 ||
      ::SSL_CTX_use_certificate(context.get(), certificate.get()) != 1 ||
      ::SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1)
    return fail(Errc::kInternal, "cannot make a TLS server");
  return context;
}

// Reads exactly what `plain` and `ex` hold in the way the name says.
bool read_both(SSL* ssl, std::string& plain, std::string& ex) {
  for (std::size_t done = 0; done < plain.size();) {
    const int size = ::SSL_read(ssl, plain.data() + done, static_cast<int>(plain.size() - done));
    if (size <= 0) return false;
    done += static_cast<std::size_t>(size);
  }
  for (std::size_t done = 0; done < ex.size();) {
    std::size_t size = 0;
    if (::SSL_read_ex(ssl, ex.data() + done, ex.size() - done, &size) != 1) return false;
    done += size;
  }
  return true;
}

bool write_both(SSL* ssl, const std::string& plain, const std::string& ex) {
  std::size_t size = 0;
  return ::SSL_write(ssl, plain.data(), static_cast<int>(plain.size())) ==
             static_cast<int>(plain.size()) &&
         ::SSL_write_ex(ssl, ex.data(), ex.size(), &size) == 1 && size == ex.size();
}

bool serve(SSL_CTX* context, int fd) {
  const SslSession ssl(::SSL_new(context));
  std::string plain(kWorkPlainBytes, '\0');
  std::string ex(kWorkExBytes, '\0');
  return ssl && ::SSL_set_fd(ssl.get(), fd) == 1 && ::SSL_accept(ssl.get()) == 1 &&
         read_both(ssl.get(), plain, ex) && write_both(ssl.get(), plain, ex);
}

Result<> exchange_tls(const SocketPair& pair) {
  AISPM_TRY(const SslContext server, make_server_context());
  bool served = false;
  std::thread server_thread([&] { served = serve(server.get(), pair.server.get()); });
  const SslContext context(::SSL_CTX_new(::TLS_client_method()));
  const SslSession ssl(context ? ::SSL_new(context.get()) : nullptr);
  std::string plain(kWorkPlainBytes, '\0');
  std::string ex(kWorkExBytes, '\0');
  const bool done =
      ssl && ::SSL_set_fd(ssl.get(), pair.client.get()) == 1 && ::SSL_connect(ssl.get()) == 1 &&
      write_both(ssl.get(), make_payload('p', kWorkPlainBytes), make_payload('x', kWorkExBytes)) &&
      read_both(ssl.get(), plain, ex);
  if (!done) ::shutdown(pair.client.get(), SHUT_RDWR);  // so that the server ends too
  server_thread.join();
  if (!done || !served) return fail(Errc::kUnavailable, "TLS over loopback failed");
  return {};
}

Result<> do_everything(int linger_ms) {
  AISPM_TRY(const SocketPair v4, connect_pair(loopback_v4()));
  const auto v6 = connect_pair(loopback_v6());  // a host without IPv6 is judged by the self-test
  AISPM_CHECK(exchange_tls(v4));
  std::this_thread::sleep_for(std::chrono::milliseconds(linger_ms));
  return {};
}

}  // namespace

std::string make_payload(char seed, std::size_t size) {
  std::string payload(size, '\0');
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(seed + i % 251 + i / 251);
  return payload;
}

int run_work(const std::string& kind, int linger_ms) {
  if (kind == "kill") return ::kill(::getpid(), SIGKILL);
  const auto done = do_everything(linger_ms);
  if (!done) {
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return 1;
  }
  return kWorkExitCode;
}

}  // namespace aispm::sensor
