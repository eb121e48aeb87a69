// SPDX-License-Identifier: Apache-2.0
// Servers on stdin and stdout: captured == sent. cat is a server that answers with what it was
// asked.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <memory>

#include "sensor/capture/stdio_probes.hpp"
#include "tests/kernel/sockets/loopback.hpp"
#include "tests/kernel/watch.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using testing::IsEmpty;

struct Server {
  pid_t pid = -1;
  UniqueFd in;   // what the server reads
  UniqueFd out;  // what it writes

  ~Server() {
    in.reset();
    out.reset();
    if (pid > 0) ::waitpid(pid, nullptr, 0);
  }
};

std::unique_ptr<Server> start(bool with_sockets) {
  int in[2];
  int out[2];
  if (with_sockets) {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out), 0);
  } else {
    EXPECT_EQ(::pipe2(in, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
  }
  auto server = std::make_unique<Server>();
  server->pid = ::fork();
  if (server->pid == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::execl("/bin/cat", "cat", nullptr);
    ::_exit(127);
  }
  server->in.reset(in[1]);
  server->out.reset(out[0]);
  ::close(in[0]);
  ::close(out[1]);
  return server;
}

class StdioTest : public KernelTest {
 protected:
  // Takes records; follows this test's servers as the pipeline does.
  bool until(const std::function<bool()>& is_done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!is_done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      watch_->take(std::chrono::milliseconds(20), [this](Record record) {
        if (const auto* found = std::get_if<StdioFound>(&record); found != nullptr)
          if (found->actor.id.pid == pid_) peer_ = watch_->capture().follow_stdio(*found);
        if (auto* chunk = std::get_if<StreamChunk>(&record);
            chunk != nullptr && chunk->key.source == StreamSource::kStdio &&
            chunk->actor.id.pid == pid_) {
          std::string& bytes = chunk->direction == Direction::kRead ? read_ : written_;
          EXPECT_EQ(chunk->offset, bytes.size());
          bytes += chunk->bytes;
        }
      });
    }
    return true;
  }
  void settle() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
    until([&] { return std::chrono::steady_clock::now() > end; });
  }
  void check_all_sizes(bool with_sockets) {
    const auto server = start(with_sockets);
    pid_ = static_cast<std::uint32_t>(server->pid);
    ASSERT_TRUE(until([&] { return peer_.pid != 0; })) << "no server was found";
    EXPECT_EQ(peer_.pid, self_);
    std::string all;
    for (const std::size_t size : {10U, 500U, 5000U, 70'000U, 300'000U}) {
      const std::string message = "{\"jsonrpc\":\"2.0\",\"method\":\"" + stamped(size) + "\"}\n";
      carry(server->in.get(), server->out.get(), message);
      all += message;
      until([&] { return written_.size() >= all.size() && read_.size() >= all.size(); });
      EXPECT_TRUE(read_ == all) << size << ": " << read_.size() << " of " << all.size();
      EXPECT_TRUE(written_ == all) << size << ": " << written_.size() << " of " << all.size();
    }
  }

  std::uint32_t pid_ = 0;
  ProcessId peer_;
  std::string read_;
  std::string written_;
};

TEST_F(StdioTest, PipesAreCapturedAsSent) { check_all_sizes(false); }

TEST_F(StdioTest, SocketPairsAreCapturedAsSent) { check_all_sizes(true); }

TEST_F(StdioTest, WhatIsNoJsonIsNotCaptured) {
  const auto server = start(false);
  pid_ = static_cast<std::uint32_t>(server->pid);
  ASSERT_TRUE(until([&] { return peer_.pid != 0; }));
  carry(server->in.get(), server->out.get(), "hello\n");
  carry(server->in.get(), server->out.get(), "{\"jsonrpc\":\"2.0\"}\n");
  settle();
  EXPECT_THAT(read_, IsEmpty());
  EXPECT_THAT(written_, IsEmpty());
}

TEST_F(StdioTest, DroppedServerIsNotCaptured) {
  const auto server = start(false);
  pid_ = static_cast<std::uint32_t>(server->pid);
  ASSERT_TRUE(until([&] { return peer_.pid != 0; }));
  watch_->capture().drop_stdio(pid_);
  carry(server->in.get(), server->out.get(), "{\"jsonrpc\":\"2.0\"}\n");
  settle();
  EXPECT_THAT(read_, IsEmpty());
}

TEST_F(StdioTest, EndIsToldWithTotals) {
  {
    const auto server = start(false);
    pid_ = static_cast<std::uint32_t>(server->pid);
    ASSERT_TRUE(until([&] { return peer_.pid != 0; }));
    carry(server->in.get(), server->out.get(), "{\"jsonrpc\":\"2.0\"}\n");
    until([&] { return !written_.empty(); });
  }
  EXPECT_TRUE(watch_->until([&] {
    for (const StreamClose& close : watch_->of<StreamClose>(pid_))
      if (close.key.source == StreamSource::kStdio)
        return close.read_bytes == 18 && close.written_bytes == 18;
    return false;
  }));
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
