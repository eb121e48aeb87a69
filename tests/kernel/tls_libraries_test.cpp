// SPDX-License-Identifier: Apache-2.0
// Libraries other than OpenSSL as clients of an OpenSSL server. They are loaded at run time, so
// that the build needs neither; the types of their functions are from gnutls.h, prio.h and ssl.h.
#include <dlfcn.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/kernel/tls_pair.hpp"
#include "tests/kernel/tls_streams.hpp"
#include "tests/kernel/watch.hpp"

namespace aispm::sensor::kernel_test {
namespace {

class Library {
 public:
  explicit Library(const char* name) : handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL)) {}
  explicit operator bool() const { return handle_ != nullptr; }
  template <typename Function>
  Function* get(const char* name) const {
    auto* function = reinterpret_cast<Function*>(::dlsym(handle_, name));
    EXPECT_NE(function, nullptr) << name;
    return function;
  }

 private:
  void* handle_;  // never closed: the libraries keep threads' data
};

class TlsLibrariesTest : public KernelTest {
 protected:
  std::string captured(std::uint64_t object, Direction direction, TlsLibrary library) {
    std::string bytes;
    for (const TlsChunk& chunk : watch_->of<TlsChunk>(self_))
      if (chunk.key.ssl == object && chunk.direction == direction && chunk.library == library) {
        EXPECT_EQ(chunk.offset, bytes.size());
        bytes += chunk.bytes;
      }
    return bytes;
  }
  // An OpenSSL server on its own thread: echoes `size` bytes.
  std::thread echo(int fd, std::size_t size) {
    return std::thread([fd, size] {
      const Ssl ssl(::SSL_new(server_context()));
      EXPECT_EQ(::SSL_set_fd(ssl.get(), fd), 1);
      EXPECT_EQ(::SSL_accept(ssl.get()), 1);
      const std::string bytes = read_exactly(ssl.get(), size);
      EXPECT_EQ(::SSL_write(ssl.get(), bytes.data(), static_cast<int>(bytes.size())),
                static_cast<int>(bytes.size()));
    });
  }
};

TEST_F(TlsLibrariesTest, GnuTlsIsCapturedInBothDirectionsAndOnce) {
  const Library gnutls("libgnutls.so.30");
  if (!gnutls) GTEST_SKIP() << "no libgnutls.so.30";
  const auto init = gnutls.get<int(void**, unsigned)>("gnutls_init");
  const auto set_priority = gnutls.get<int(void*)>("gnutls_set_default_priority");
  const auto allocate = gnutls.get<int(void**)>("gnutls_certificate_allocate_credentials");
  const auto set_credentials = gnutls.get<int(void*, int, void*)>("gnutls_credentials_set");
  const auto set_fds = gnutls.get<void(void*, int, int)>("gnutls_transport_set_int2");
  const auto handshake = gnutls.get<int(void*)>("gnutls_handshake");
  const auto send = gnutls.get<ssize_t(void*, const void*, std::size_t)>("gnutls_record_send");
  const auto receive = gnutls.get<ssize_t(void*, void*, std::size_t)>("gnutls_record_recv");
  const auto send_file =
      gnutls.get<ssize_t(void*, int, off_t*, std::size_t)>("gnutls_record_send_file");
  const auto deinit = gnutls.get<void(void*)>("gnutls_deinit");
  constexpr unsigned kClient = 2;
  constexpr int kCertificate = 1;
  constexpr ssize_t kAgain = -28;
  ASSERT_TRUE(watch_->until([&] {
    const auto facts = watch_->facts_of(self_);
    return std::any_of(facts.begin(), facts.end(), [](const TlsLibraryFact& fact) {
      return fact.library == "gnutls" && fact.is_probed;
    });
  }));

  const std::string sent = make_stamped(50'000);
  const std::string file = make_stamped(3'000, 'f');
  const std::string path = testing::TempDir() + "/send-file-" + std::to_string(self_);
  std::ofstream(path) << file;
  TcpPair tcp;
  std::thread server = echo(tcp.server.get(), sent.size() + file.size());
  void* session = nullptr;
  void* credentials = nullptr;
  ASSERT_EQ(init(&session, kClient), 0);
  ASSERT_EQ(set_priority(session), 0);
  ASSERT_EQ(allocate(&credentials), 0);
  ASSERT_EQ(set_credentials(session, kCertificate, credentials), 0);
  set_fds(session, tcp.client.get(), tcp.client.get());
  ASSERT_EQ(handshake(session), 0);
  for (std::size_t done = 0; done < sent.size();) {
    const ssize_t size = send(session, sent.data() + done, sent.size() - done);
    ASSERT_GT(size, 0);
    done += static_cast<std::size_t>(size);
  }
  const UniqueFd source(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  off_t offset = 0;
  ASSERT_EQ(send_file(session, source.get(), &offset, file.size()),
            static_cast<ssize_t>(file.size()));
  std::string received(sent.size() + file.size(), '\0');
  for (std::size_t done = 0; done < received.size();) {
    const ssize_t size = receive(session, received.data() + done, received.size() - done);
    if (size == kAgain) continue;  // a session ticket came, no data
    ASSERT_GT(size, 0);
    done += static_cast<std::size_t>(size);
  }
  server.join();
  const auto object = reinterpret_cast<std::uint64_t>(session);
  deinit(session);
  std::filesystem::remove(path);

  EXPECT_EQ(received, sent + file);
  ASSERT_TRUE(watch_->until([&] {
    return captured(object, Direction::kRead, TlsLibrary::kGnuTls).size() >= received.size();
  }));
  // What was sent from a file went through the library's own buffer here, or else is a counted gap.
  std::uint64_t lost = 0;
  for (const TlsClose& close : watch_->of<TlsClose>(self_))
    if (close.key.ssl == object) lost = close.written_lost;
  const std::string written = captured(object, Direction::kWrite, TlsLibrary::kGnuTls);
  EXPECT_EQ(written.size() + lost, sent.size() + file.size());
  EXPECT_TRUE(written == (sent + file).substr(0, written.size()));
  EXPECT_TRUE(captured(object, Direction::kRead, TlsLibrary::kGnuTls) == received);
  for (const TlsChunk& chunk : watch_->of<TlsChunk>(self_)) {
    if (chunk.key.ssl != object) continue;
    EXPECT_TRUE(chunk.from_start);
    ASSERT_TRUE(chunk.socket.has_value());
    EXPECT_EQ(chunk.attribution.method, AttributionMethod::kSocket);
  }
}

// NSPR's PR_Read and PR_Write serve plain sockets too: only what SSL_ImportFD returned is captured.
TEST_F(TlsLibrariesTest, NssIsCapturedAndPlainSocketsOfNsprAreNot) {
  const Library nspr("libnspr4.so");
  const Library nss("libnss3.so");
  const Library ssl("libssl3.so");
  if (!nspr || !nss || !ssl) GTEST_SKIP() << "no libnspr4.so, libnss3.so or libssl3.so";
  const auto import_socket = nspr.get<void*(int)>("PR_ImportTCPSocket");
  const auto write = nspr.get<int(void*, const void*, int)>("PR_Write");
  const auto read = nspr.get<int(void*, void*, int)>("PR_Read");
  const auto close = nspr.get<int(void*)>("PR_Close");
  const auto start = nss.get<int(const char*)>("NSS_NoDB_Init");
  const auto set_policy = ssl.get<int()>("NSS_SetDomesticPolicy");
  const auto import_tls = ssl.get<void*(void*, void*)>("SSL_ImportFD");
  const auto set_hook =
      ssl.get<int(void*, int (*)(void*, void*, int, int), void*)>("SSL_AuthCertificateHook");
  const auto set_url = ssl.get<int(void*, const char*)>("SSL_SetURL");
  const auto reset = ssl.get<int(void*, int)>("SSL_ResetHandshake");
  ASSERT_TRUE(watch_->until([&] {
    const auto facts = watch_->facts_of(self_);
    return std::count_if(facts.begin(), facts.end(), [](const TlsLibraryFact& fact) {
             return fact.library == "nss" && fact.is_probed;
           }) >= 2;
  }));
  ASSERT_EQ(start("."), 0);
  ASSERT_EQ(set_policy(), 0);

  TcpPair plain;
  void* unencrypted = import_socket(plain.client.release());
  ASSERT_EQ(write(unencrypted, "in the clear", 12), 12);

  TcpPair tcp;
  const std::string sent = make_stamped(20'000);
  std::thread server = echo(tcp.server.get(), sent.size());
  void* socket = import_socket(tcp.client.release());
  void* session = import_tls(nullptr, socket);
  ASSERT_NE(session, nullptr);
  ASSERT_EQ(set_hook(
                session, [](void*, void*, int, int) { return 0; }, nullptr),
            0);
  ASSERT_EQ(set_url(session, "localhost"), 0);
  ASSERT_EQ(reset(session, 0), 0);
  ASSERT_EQ(write(session, sent.data(), static_cast<int>(sent.size())),
            static_cast<int>(sent.size()));
  std::string received(sent.size(), '\0');
  for (std::size_t done = 0; done < received.size();) {
    const int size =
        read(session, received.data() + done, static_cast<int>(received.size() - done));
    ASSERT_GT(size, 0);
    done += static_cast<std::size_t>(size);
  }
  server.join();
  EXPECT_EQ(close(session), 0);
  EXPECT_EQ(close(unencrypted), 0);

  const auto object = reinterpret_cast<std::uint64_t>(session);
  ASSERT_TRUE(watch_->until([&] {
    return captured(object, Direction::kRead, TlsLibrary::kNss).size() >= received.size();
  }));
  EXPECT_TRUE(captured(object, Direction::kWrite, TlsLibrary::kNss) == sent);
  EXPECT_TRUE(captured(object, Direction::kRead, TlsLibrary::kNss) == sent);
  for (const TlsChunk& chunk : watch_->of<TlsChunk>(self_))
    EXPECT_NE(chunk.key.ssl, reinterpret_cast<std::uint64_t>(unencrypted));
}

// Node carries OpenSSL itself and feeds it through memory: the socket can only be told by what the
// thread does right after.
TEST_F(TlsLibrariesTest, NodeIsCapturedWithItsSocketFoundByTheThreadsSequence) {
  if (::access("/usr/bin/node", X_OK) != 0) GTEST_SKIP() << "no /usr/bin/node";
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.get(), any, size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), any, &size), 0);
  const std::string script =
      R"(
const tls = require('tls');
const socket = tls.connect({port: )" +
      std::to_string(ntohs(address.sin_port)) +
      R"(, host: '127.0.0.1', rejectUnauthorized: false}, () => socket.write('one'));
let seen = 0;
socket.on('data', () => { seen += 1; if (seen < 4) socket.write('next'); else socket.end(); });
)";
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/usr/bin/node", "node", "-e", script.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  UniqueFd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  sockaddr_in peer{};
  size = sizeof(peer);
  ASSERT_EQ(::getpeername(connection.get(), reinterpret_cast<sockaddr*>(&peer), &size), 0);
  // The program's file may be new to the sensor: wait until it is probed.
  const auto pid = static_cast<std::uint32_t>(child);
  EXPECT_TRUE(watch_->until([&] {
    const auto facts = watch_->facts_of(pid);
    return std::any_of(facts.begin(), facts.end(), [](const TlsLibraryFact& fact) {
      return fact.path == "/usr/bin/node" && fact.is_probed;
    });
  }));
  const Ssl server(::SSL_new(server_context()));
  ASSERT_EQ(::SSL_set_fd(server.get(), connection.get()), 1);
  ASSERT_EQ(::SSL_accept(server.get()), 1);
  EXPECT_EQ(read_exactly(server.get(), 3), "one");
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(::SSL_write(server.get(), "answer", 6), 6);
    EXPECT_EQ(read_exactly(server.get(), 4), "next");
  }
  ASSERT_EQ(::SSL_write(server.get(), "answer", 6), 6);
  connection.reset();
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  std::string sent;
  std::string received;
  std::vector<TlsChunk> attributed;
  ASSERT_TRUE(watch_->until([&] { return watch_->of<TlsChunk>(pid).size() >= 8; }));
  for (const TlsChunk& chunk : watch_->of<TlsChunk>(pid)) {
    (chunk.direction == Direction::kWrite ? sent : received) += chunk.bytes;
    if (chunk.socket) attributed.push_back(chunk);
  }
  EXPECT_EQ(sent, "onenextnextnext");
  EXPECT_EQ(received, "answeransweransweranswer");
  ASSERT_GE(attributed.size(), 4U);
  for (const TlsChunk& chunk : attributed) {
    EXPECT_EQ(chunk.attribution.method, AttributionMethod::kThreadSequence);
    EXPECT_GE(chunk.attribution.confidence, 0.4);
    EXPECT_LT(chunk.attribution.confidence, 1);
    EXPECT_EQ(chunk.socket->source.port, ntohs(peer.sin_port));
  }
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
