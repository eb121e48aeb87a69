// SPDX-License-Identifier: Apache-2.0
// Plaintext over the life of processes, threads and objects.
#include <sys/wait.h>

#include <mutex>
#include <utility>

#include "tests/kernel/tls_pair.hpp"
#include "tests/kernel/tls_streams.hpp"
#include "tests/kernel/watch.hpp"

namespace aispm::sensor::kernel_test {
namespace {

class TlsLifeTest : public KernelTest {
 protected:
  std::vector<TlsChunk> chunks_of(pid_t pid) const {
    return watch_->of<TlsChunk>(static_cast<std::uint32_t>(pid));
  }
  static void expect_exit(pid_t child, int code) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), code);
  }
};

// The child's copy of the object is a connection of its own: its bytes are the child's, and of it
// capture did not see the beginning.
TEST_F(TlsLifeTest, AForkedChildGoesOnWithTheConnectionUnderItsOwnName) {
  TlsPair pair;
  ASSERT_EQ(::SSL_write(pair.client.get(), "parent", 6), 6);
  ASSERT_EQ(read_exactly(pair.server.get(), 6), "parent");
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::SSL_write(pair.client.get(), "child!", 6) == 6 ? 0 : 1);
  expect_exit(child, 0);
  ASSERT_EQ(read_exactly(pair.server.get(), 6), "child!");
  ASSERT_TRUE(watch_->until([&] { return !chunks_of(child).empty(); }));
  watch_->settle();
  const Stream parents =
      join(chunks_of(static_cast<pid_t>(self_)), pair.client.get(), Direction::kWrite);
  EXPECT_EQ(parents.bytes, "parent");
  ASSERT_EQ(chunks_of(child).size(), 1U);
  const TlsChunk seen = chunks_of(child).front();
  EXPECT_EQ(seen.bytes, "child!");
  EXPECT_EQ(seen.offset, 0U);
  EXPECT_FALSE(seen.from_start);
  EXPECT_EQ(seen.actor.id.pid, static_cast<std::uint32_t>(child));
  EXPECT_NE(seen.key.process, chunks_of(static_cast<pid_t>(self_)).front().key.process);
}

// The process stays, its program changes in the middle of a connection: what the new program does
// is another connection, whatever its addresses.
TEST_F(TlsLifeTest, AnExecInTheMiddleOfAConnectionEndsItAndTheNextProgramIsSeen) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "no /usr/bin/python3";
  TcpPair first;
  TcpPair second;
  ASSERT_EQ(::fcntl(second.client.get(), F_SETFD, 0), 0);
  const std::string script =
      "import socket, ssl\n"
      "context = ssl._create_unverified_context()\n"
      "with context.wrap_socket(socket.socket(fileno=" +
      std::to_string(second.client.get()) +
      ")) as tls:\n"
      "    tls.sendall(b'after exec')\n";
  const pid_t child = ::fork();
  if (child == 0) {
    const Ssl ssl(::SSL_new(client_context()));
    if (::SSL_set_fd(ssl.get(), first.client.get()) != 1 || ::SSL_connect(ssl.get()) != 1 ||
        ::SSL_write(ssl.get(), "before exec", 11) != 11)
      ::_exit(1);
    ::execl("/usr/bin/python3", "python3", "-c", script.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  for (const auto& [fd, text] : {std::pair{first.server.get(), std::string("before exec")},
                                 std::pair{second.server.get(), std::string("after exec")}}) {
    const Ssl server(::SSL_new(server_context()));
    ASSERT_EQ(::SSL_set_fd(server.get(), fd), 1);
    ASSERT_EQ(::SSL_accept(server.get()), 1);
    EXPECT_EQ(read_exactly(server.get(), text.size()), text);
  }
  expect_exit(child, 0);
  ASSERT_TRUE(watch_->until([&] { return chunks_of(child).size() >= 2; }));
  watch_->settle();
  const auto chunks = chunks_of(child);
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[0].bytes, "before exec");
  EXPECT_EQ(chunks[1].bytes, "after exec");
  EXPECT_EQ(chunks[0].key.process, chunks[1].key.process);
  EXPECT_NE(chunks[0].key, chunks[1].key);
  EXPECT_TRUE(chunks[1].from_start);
}

// One object, its two directions on two threads at the same time.
TEST_F(TlsLifeTest, OneConnectionOnTwoThreadsKeepsBothDirectionsWhole) {
  TlsPair pair;
  constexpr int kCalls = 300;
  const std::string block = make_stamped(1000);
  std::string sent;
  for (int i = 0; i < kCalls; ++i) sent += block;
  // OpenSSL wants one call at a time on an object; which thread makes it is free.
  std::mutex turn;
  std::thread writing([&] {
    for (int i = 0; i < kCalls; ++i) {
      const std::lock_guard lock(turn);
      EXPECT_EQ(::SSL_write(pair.client.get(), block.data(), 1000), 1000);
    }
  });
  std::thread answering([&] {
    for (int i = 0; i < kCalls; ++i) {
      EXPECT_EQ(read_exactly(pair.server.get(), 1000), block);
      EXPECT_EQ(::SSL_write(pair.server.get(), block.data(), 1000), 1000);
    }
  });
  std::string received;
  ASSERT_EQ(::fcntl(pair.tcp.client.get(), F_SETFL, O_NONBLOCK), 0);
  while (received.size() < sent.size()) {
    std::string bytes(4096, '\0');
    const std::lock_guard lock(turn);
    const int size = ::SSL_read(pair.client.get(), bytes.data(), 4096);
    if (size > 0) received.append(bytes, 0, static_cast<std::size_t>(size));
  }
  writing.join();
  answering.join();
  EXPECT_TRUE(received == sent);
  const auto of = [&](Direction direction) {
    return join(chunks_of(static_cast<pid_t>(self_)), pair.client.get(), direction);
  };
  ASSERT_TRUE(watch_->until([&] { return of(Direction::kRead).bytes.size() >= sent.size(); }));
  EXPECT_TRUE(of(Direction::kWrite).bytes == sent);
  EXPECT_TRUE(of(Direction::kRead).bytes == sent);
}

// Probes belong to files, so a process is captured from its first instruction to its last.
TEST_F(TlsLifeTest, AProcessThatLivesMillisecondsIsCaptured) {
  for (int i = 0; i < 20; ++i) {
    TcpPair tcp;
    const pid_t child = ::fork();
    if (child == 0) {
      const Ssl ssl(::SSL_new(client_context()));
      const bool done = ::SSL_set_fd(ssl.get(), tcp.client.get()) == 1 &&
                        ::SSL_connect(ssl.get()) == 1 && ::SSL_write(ssl.get(), "brief", 5) == 5;
      ::_exit(done ? 0 : 1);
    }
    const Ssl server(::SSL_new(server_context()));
    ASSERT_EQ(::SSL_set_fd(server.get(), tcp.server.get()), 1);
    ASSERT_EQ(::SSL_accept(server.get()), 1);
    EXPECT_EQ(read_exactly(server.get(), 5), "brief");
    expect_exit(child, 0);
    ASSERT_TRUE(watch_->until([&] { return !chunks_of(child).empty(); })) << "process " << i;
    EXPECT_EQ(chunks_of(child).front().bytes, "brief");
    EXPECT_TRUE(chunks_of(child).front().from_start);
  }
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
