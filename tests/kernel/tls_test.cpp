// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <fstream>

#include "tests/kernel/tls_pair.hpp"
#include "tests/kernel/tls_streams.hpp"
#include "tests/kernel/watch.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using testing::Each;
using testing::Field;
using testing::Not;
using testing::SizeIs;

class TlsTest : public KernelTest {
 protected:
  std::vector<TlsChunk> chunks() const { return watch_->of<TlsChunk>(self_); }
  Stream stream(const Ssl& ssl, Direction direction) const {
    return join(chunks(), ssl.get(), direction);
  }
  void expect_captured(const Ssl& ssl, Direction direction, const std::string& sent) {
    EXPECT_TRUE(watch_->until([&] { return stream(ssl, direction).bytes.size() >= sent.size(); }));
    watch_->settle();
    const Stream seen = stream(ssl, direction);
    EXPECT_TRUE(seen.bytes == sent) << seen.bytes.size() << " of " << sent.size() << " bytes";
    EXPECT_EQ(seen.missing, 0U);
    EXPECT_EQ(seen.repeated, 0U);
  }
};

// Sizes around the capacities of ring records and of TLS records, and far above both.
TEST_F(TlsTest, CapturedEqualsSentForEverySizeAndFunction) {
  for (const bool with_ex : {false, true}) {
    for (const std::size_t size : {1UL, 200UL, 256UL, 257UL, 1024UL, 1025UL, 4096UL, 4097UL,
                                   16384UL, 16385UL, 32768UL, 300'000UL}) {
      watch_->forget();
      TlsPair pair;
      const std::string sent = make_stamped(size);
      std::thread writing([&] {
        std::size_t written = 0;
        if (with_ex)
          EXPECT_EQ(::SSL_write_ex(pair.client.get(), sent.data(), size, &written), 1);
        else
          EXPECT_EQ(::SSL_write(pair.client.get(), sent.data(), static_cast<int>(size)),
                    static_cast<int>(size));
      });
      EXPECT_TRUE(read_exactly(pair.server.get(), size, with_ex) == sent);
      writing.join();
      SCOPED_TRACE(std::to_string(size) + (with_ex ? " with _ex" : ""));
      expect_captured(pair.client, Direction::kWrite, sent);
      expect_captured(pair.server, Direction::kRead, sent);
      // No record of ours is larger than needed: the last one of each call says so.
      std::size_t last = 0;
      for (const TlsChunk& chunk : chunks())
        if (chunk.direction == Direction::kWrite && chunk.last_of_call) ++last;
      EXPECT_EQ(last, 1U);
    }
  }
}

TEST_F(TlsTest, OffsetsRunOverManyCalls) {
  TlsPair pair;
  std::string all;
  for (int i = 0; i < 200; ++i) {
    const std::string part =
        make_stamped(37 * static_cast<std::size_t>(i) + 1, static_cast<char>(i));
    ASSERT_EQ(::SSL_write(pair.client.get(), part.data(), static_cast<int>(part.size())),
              static_cast<int>(part.size()));
    ASSERT_EQ(read_exactly(pair.server.get(), part.size()), part);
    all += part;
  }
  expect_captured(pair.client, Direction::kWrite, all);
  expect_captured(pair.server, Direction::kRead, all);
}

TEST_F(TlsTest, ChunksCarryProcessThreadSocketAndTimes) {
  TlsPair pair;
  const BootTime before = boot_now();
  ASSERT_EQ(::SSL_write(pair.client.get(), "hello", 5), 5);
  ASSERT_EQ(read_exactly(pair.server.get(), 5), "hello");
  ASSERT_TRUE(watch_->until([&] { return chunks().size() >= 2; }));
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  ASSERT_EQ(::getsockopt(pair.tcp.client.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
  sockaddr_in peer{};
  size = sizeof(peer);
  ASSERT_EQ(::getpeername(pair.tcp.client.get(), reinterpret_cast<sockaddr*>(&peer), &size), 0);
  const TlsChunk seen = chunks().front();
  EXPECT_EQ(seen.bytes, "hello");
  EXPECT_EQ(seen.actor.id.pid, self_);
  EXPECT_EQ(seen.actor.tid, static_cast<std::uint32_t>(::gettid()));
  EXPECT_EQ(seen.actor.uid, ::getuid());
  EXPECT_EQ(seen.actor.comm, "kernel_sensor");
  EXPECT_EQ(seen.key.process, seen.actor.id);
  EXPECT_EQ(seen.key.ssl, reinterpret_cast<std::uint64_t>(pair.client.get()));
  EXPECT_TRUE(seen.from_start);
  EXPECT_GE(seen.time, before);
  EXPECT_LE(seen.time, boot_now());
  ASSERT_TRUE(seen.socket.has_value());
  EXPECT_EQ(seen.socket->cookie, cookie);
  EXPECT_EQ(seen.socket->destination.host_text(), "127.0.0.1");
  EXPECT_EQ(seen.socket->destination.port, ntohs(peer.sin_port));
}

// A write that did not go through moved nothing; its repetition must not be seen twice.
TEST_F(TlsTest, RetriedWritesAreSeenOnce) {
  TlsPair pair;
  const int small = 4096;
  ASSERT_EQ(::setsockopt(pair.tcp.client.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
  ASSERT_EQ(::fcntl(pair.tcp.client.get(), F_SETFL, O_NONBLOCK), 0);
  const std::string block = make_stamped(16'000);
  std::string sent;
  std::size_t refused = 0;
  std::string received;
  std::thread reading([&] { received = read_exactly(pair.server.get(), block.size() * 100); });
  while (sent.size() < block.size() * 100) {
    const int written =
        ::SSL_write(pair.client.get(), block.data(), static_cast<int>(block.size()));
    if (written > 0) {
      sent.append(block, 0, static_cast<std::size_t>(written));
    } else {
      ASSERT_EQ(::SSL_get_error(pair.client.get(), written), SSL_ERROR_WANT_WRITE);
      ++refused;
    }
  }
  reading.join();
  ASSERT_GT(refused, 0U);
  EXPECT_TRUE(received == sent);
  expect_captured(pair.client, Direction::kWrite, sent);
}

TEST_F(TlsTest, ReadsThatReturnNothingAreNotSeen) {
  TlsPair pair;
  ASSERT_EQ(::fcntl(pair.tcp.server.get(), F_SETFL, O_NONBLOCK), 0);
  char byte = 0;
  EXPECT_LE(::SSL_read(pair.server.get(), &byte, 1), 0);
  ASSERT_EQ(::SSL_write(pair.client.get(), "abc", 3), 3);
  char bytes[8] = {};
  while (::SSL_peek(pair.server.get(), bytes, sizeof(bytes)) <= 0) {
  }
  EXPECT_EQ(::SSL_read(pair.server.get(), bytes, sizeof(bytes)), 3);
  expect_captured(pair.server, Direction::kRead, "abc");  // and the peek was not one
}

TEST_F(TlsTest, TwoConnectionsOnOneThreadStayApart) {
  TlsPair one;
  TlsPair two;
  std::string sent_one;
  std::string sent_two;
  for (int i = 0; i < 100; ++i) {
    const std::string to_one = make_stamped(100, static_cast<char>(i));
    const std::string to_two = make_stamped(150, static_cast<char>(-i));
    ASSERT_EQ(::SSL_write(one.client.get(), to_one.data(), 100), 100);
    ASSERT_EQ(::SSL_write(two.client.get(), to_two.data(), 150), 150);
    ASSERT_EQ(read_exactly(two.server.get(), 150), to_two);
    ASSERT_EQ(read_exactly(one.server.get(), 100), to_one);
    sent_one += to_one;
    sent_two += to_two;
  }
  expect_captured(one.client, Direction::kWrite, sent_one);
  expect_captured(two.client, Direction::kWrite, sent_two);
  expect_captured(one.server, Direction::kRead, sent_one);
  expect_captured(two.server, Direction::kRead, sent_two);
}

// TLS inside TLS: the outer call on a thread is the one the program meant.
TEST_F(TlsTest, OnlyTheOuterOfNestedCallsIsSeen) {
  TlsPair transport;
  const Ssl inner_client(::SSL_new(client_context()));
  const Ssl inner_server(::SSL_new(server_context()));
  const auto stack = [](SSL* inner, SSL* outer) {
    BIO* bio = ::BIO_new(::BIO_f_ssl());
    ::BIO_set_ssl(bio, outer, BIO_NOCLOSE);
    ::SSL_set_bio(inner, bio, bio);
  };
  stack(inner_client.get(), transport.client.get());
  stack(inner_server.get(), transport.server.get());
  std::thread accepting([&] { EXPECT_EQ(::SSL_accept(inner_server.get()), 1); });
  ASSERT_EQ(::SSL_connect(inner_client.get()), 1);
  accepting.join();
  watch_->settle();
  watch_->forget();  // the inner handshake is the transport's plaintext: outermost then
  ASSERT_EQ(::SSL_write(inner_client.get(), "inner words", 11), 11);
  ASSERT_EQ(read_exactly(inner_server.get(), 11), "inner words");
  expect_captured(inner_client, Direction::kWrite, "inner words");
  EXPECT_EQ(stream(transport.client, Direction::kWrite).bytes, "");
  EXPECT_GT(watch_->capture().health().counters.at("tls.nested_calls"), 0U);
}

// As asyncio does it: the library never sees a socket.
TEST_F(TlsTest, MemoryBuffersAreSeenWithoutASocket) {
  const Ssl client(::SSL_new(client_context()));
  const Ssl server(::SSL_new(server_context()));
  BIO* left = nullptr;
  BIO* right = nullptr;
  ASSERT_EQ(::BIO_new_bio_pair(&left, 65536, &right, 65536), 1);
  ::SSL_set_bio(client.get(), left, left);
  ::SSL_set_bio(server.get(), right, right);
  ::SSL_set_connect_state(client.get());
  ::SSL_set_accept_state(server.get());
  bool is_done = false;
  for (int round = 0; round < 20 && !is_done; ++round) {
    const int client_result = ::SSL_do_handshake(client.get());
    is_done = ::SSL_do_handshake(server.get()) == 1 && client_result == 1;
  }
  ASSERT_TRUE(is_done);
  ASSERT_EQ(::SSL_write(client.get(), "memory", 6), 6);
  EXPECT_EQ(read_exactly(server.get(), 6), "memory");
  expect_captured(client, Direction::kWrite, "memory");
  EXPECT_THAT(chunks(), Each(Field(&TlsChunk::socket, std::nullopt)));
}

TEST_F(TlsTest, CloseCarriesTheTotals) {
  std::uint64_t ssl = 0;
  {
    TlsPair pair;
    ssl = reinterpret_cast<std::uint64_t>(pair.client.get());
    ASSERT_EQ(::SSL_write(pair.client.get(), "question", 8), 8);
    ASSERT_EQ(read_exactly(pair.server.get(), 8), "question");
    ASSERT_EQ(::SSL_write(pair.server.get(), "no", 2), 2);
    ASSERT_EQ(read_exactly(pair.client.get(), 2), "no");
  }
  const auto close_of_client = [&] {
    std::vector<TlsClose> found;
    for (const TlsClose& close : watch_->of<TlsClose>(self_))
      if (close.key.ssl == ssl) found.push_back(close);
    return found;
  };
  ASSERT_TRUE(watch_->until([&] { return !close_of_client().empty(); }));
  EXPECT_THAT(close_of_client(), SizeIs(1));
  EXPECT_EQ(close_of_client().front().written_bytes, 8U);
  EXPECT_EQ(close_of_client().front().read_bytes, 2U);
}

TEST_F(TlsTest, AReusedObjectIsAnotherConnection) {
  TlsPair pair;
  ASSERT_EQ(::SSL_write(pair.client.get(), "one", 3), 3);
  ASSERT_EQ(read_exactly(pair.server.get(), 3), "one");
  ASSERT_EQ(::SSL_shutdown(pair.client.get()), 0);
  ASSERT_EQ(::SSL_clear(pair.client.get()), 1);
  ASSERT_EQ(::SSL_clear(pair.server.get()), 1);
  TcpPair fresh;
  ASSERT_EQ(::SSL_set_fd(pair.client.get(), fresh.client.get()), 1);
  ASSERT_EQ(::SSL_set_fd(pair.server.get(), fresh.server.get()), 1);
  std::thread accepting([&] { EXPECT_EQ(::SSL_accept(pair.server.get()), 1); });
  ASSERT_EQ(::SSL_connect(pair.client.get()), 1);
  accepting.join();
  ASSERT_EQ(::SSL_write(pair.client.get(), "two", 3), 3);
  const auto writes = [&] {
    std::vector<TlsChunk> found;
    for (const TlsChunk& chunk : chunks())
      if (chunk.direction == Direction::kWrite) found.push_back(chunk);
    return found;
  };
  ASSERT_TRUE(watch_->until([&] { return writes().size() >= 2; }));
  EXPECT_NE(writes()[0].key.generation, writes()[1].key.generation);
  EXPECT_EQ(writes()[1].offset, 0U);
}

TEST_F(TlsTest, ThreadsOnTheirOwnConnectionsLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 500;
  std::vector<std::unique_ptr<TlsPair>> pairs;
  for (int i = 0; i < kThreads; ++i) pairs.push_back(std::make_unique<TlsPair>());
  const std::string block = make_stamped(1500);
  std::string sent;
  for (int i = 0; i < kCalls; ++i) sent += block;
  std::vector<std::thread> threads;
  for (const auto& pair : pairs) {
    threads.emplace_back([&block, ssl = pair->client.get()] {
      for (int i = 0; i < kCalls; ++i) EXPECT_EQ(::SSL_write(ssl, block.data(), 1500), 1500);
    });
    threads.emplace_back(
        [size = sent.size(), ssl = pair->server.get()] { read_exactly(ssl, size); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& pair : pairs) {
    expect_captured(pair->client, Direction::kWrite, sent);
    expect_captured(pair->server, Direction::kRead, sent);
  }
}

// CPython uses the _ex functions, over its own sockets.
TEST_F(TlsTest, AnUnmodifiedPythonClientIsSeen) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "no /usr/bin/python3";
  TcpPair tcp;
  const Ssl server(::SSL_new(server_context()));
  ASSERT_EQ(::SSL_set_fd(server.get(), tcp.server.get()), 1);
  ASSERT_EQ(::fcntl(tcp.client.get(), F_SETFD, 0), 0);
  const std::string script =
      "import socket, ssl\n"
      "context = ssl._create_unverified_context()\n"
      "with context.wrap_socket(socket.socket(fileno=" +
      std::to_string(tcp.client.get()) +
      ")) as tls:\n"
      "    tls.sendall(b'GET / from python')\n"
      "    assert tls.recv(100) == b'answer'\n";
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/usr/bin/python3", "python3", "-c", script.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ASSERT_EQ(::SSL_accept(server.get()), 1);
  EXPECT_EQ(read_exactly(server.get(), 17), "GET / from python");
  ASSERT_EQ(::SSL_write(server.get(), "answer", 6), 6);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const auto of_child = [&] { return watch_->of<TlsChunk>(static_cast<std::uint32_t>(child)); };
  ASSERT_TRUE(watch_->until([&] { return of_child().size() >= 2; }));
  EXPECT_EQ(of_child()[0].bytes, "GET / from python");
  EXPECT_EQ(of_child()[0].direction, Direction::kWrite);
  EXPECT_EQ(of_child()[1].bytes, "answer");
  EXPECT_EQ(of_child()[1].direction, Direction::kRead);
  EXPECT_TRUE(of_child()[0].from_start);
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
