// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "tests/kernel/tls_pair.hpp"
#include "tests/kernel/tls_streams.hpp"
#include "tests/kernel/watch.hpp"

namespace aispm::sensor::kernel_test {
namespace {

class TlsLossTest : public testing::Test {
 protected:
  std::unique_ptr<Watch> open(RingSizes rings = {}) {
    auto watch = Watch::open(rings);
    if (watch == nullptr) why_not_ = Watch::why_not();
    return watch;
  }
  std::string why_not_;
  const std::uint32_t self_ = static_cast<std::uint32_t>(::getpid());
};

// The kernel's count of what met a full ring is exactly what is missing in the stream.
TEST_F(TlsLossTest, SEN_024_WhatAFullRingLosesIsCountedToTheByte) {
  const auto watch = open({.control_bytes = 1U << 20, .data_bytes = 64U << 10});
  if (watch == nullptr) GTEST_SKIP() << why_not_;
  TlsPair pair;
  const std::string block = make_stamped(4000);
  std::uint64_t sent = 0;
  for (int i = 0; i < 200; ++i) {  // nobody reads the ring meanwhile
    ASSERT_EQ(::SSL_write(pair.client.get(), block.data(), 4000), 4000);
    ASSERT_EQ(read_exactly(pair.server.get(), 4000), block);
    sent += 4000;
  }
  watch->settle();
  const aispm_loss lost = watch->capture().health().losses[AISPM_LOSS_RING_FULL_DATA];
  // One more call each way shows where the streams stand.
  ASSERT_EQ(::SSL_write(pair.client.get(), "end", 3), 3);
  ASSERT_EQ(read_exactly(pair.server.get(), 3), "end");
  watch->settle();
  const auto chunks = watch->of<TlsChunk>(self_);
  const Stream written = join(chunks, pair.client.get(), Direction::kWrite);
  const Stream read = join(chunks, pair.server.get(), Direction::kRead);
  EXPECT_GT(lost.bytes, 0U);
  EXPECT_EQ(lost.bytes, written.missing + read.missing);
  EXPECT_EQ(lost.records, lost.bytes / 4000);
  EXPECT_EQ(written.bytes.size() + written.missing, sent + 3);
  EXPECT_EQ(read.bytes.size() + read.missing, sent + 3);
  EXPECT_EQ(written.repeated + read.repeated, 0U);
  EXPECT_TRUE(written.bytes.ends_with("end"));
  // Each hole is told by the chunk behind it, with its cause; the close tells the sums.
  std::uint64_t told = 0;
  for (const TlsChunk& chunk : chunks) {
    told += chunk.gap_bytes;
    EXPECT_EQ(chunk.gap_cause, chunk.gap_bytes > 0 ? GapCause::kRingFull : GapCause::kNone);
  }
  EXPECT_EQ(told, lost.bytes);
  pair.client.reset();
  pair.server.reset();
  ASSERT_TRUE(watch->until([&] { return watch->of<TlsClose>(self_).size() >= 2; }));
  std::uint64_t lost_of_closes = 0;
  for (const TlsClose& close : watch->of<TlsClose>(self_))
    lost_of_closes += close.read_lost + close.written_lost;
  EXPECT_EQ(lost_of_closes, lost.bytes);
}

// One direction of a flood of equal writes, checked and forgotten as it comes: a test must not hold
// 330 MB.
struct Flood {
  const std::string& block;
  std::uint64_t next = 0;
  std::uint64_t captured = 0;
  std::uint64_t missing = 0;
  std::uint64_t wrong = 0;  // bytes that were not sent at that offset, or were seen before

  void take(const TlsChunk& chunk) {
    if (chunk.offset < next) {
      wrong += chunk.bytes.size();
      return;
    }
    missing += chunk.offset - next;
    next = chunk.offset + chunk.bytes.size();
    captured += chunk.bytes.size();
    for (std::uint64_t at = chunk.offset, done = 0; done < chunk.bytes.size();) {
      const std::uint64_t within = at % block.size();
      const std::uint64_t size = std::min(block.size() - within, chunk.bytes.size() - done);
      if (chunk.bytes.compare(done, size, block, within, size) != 0) wrong += size;
      at += size;
      done += size;
    }
  }
};

std::uint64_t lost_bytes(const Capture& capture) {
  std::uint64_t sum = 0;
  for (const aispm_loss& loss : capture.health().losses) sum += loss.bytes;
  return sum;
}

// However slow this machine is: every byte is either captured, right, or counted as lost. How large
// the share of the lost ones is under a given load is the benchmark's question.
TEST_F(TlsLossTest, EveryByteOfTwentyThousandUnpacedWritesIsCapturedOrCounted) {
  const auto watch = open();
  if (watch == nullptr) GTEST_SKIP() << why_not_;
  constexpr std::uint64_t kCount = 20'000;
  for (const std::size_t size : {200UL, 4096UL, 16384UL}) {
    SCOPED_TRACE(size);
    TlsPair pair;
    const std::string block = make_stamped(size);
    const std::uint64_t sent = size * kCount;
    Flood written{block};
    Flood read{block};
    const auto take = [&] {
      watch->take(std::chrono::milliseconds(20), [&](const Record& record) {
        const auto* chunk = std::get_if<TlsChunk>(&record);
        if (chunk == nullptr || chunk->actor.id.pid != self_) return;
        if (chunk->key.ssl == reinterpret_cast<std::uint64_t>(pair.client.get()) &&
            chunk->direction == Direction::kWrite)
          written.take(*chunk);
        if (chunk->key.ssl == reinterpret_cast<std::uint64_t>(pair.server.get()) &&
            chunk->direction == Direction::kRead)
          read.take(*chunk);
      });
    };
    take();
    const std::uint64_t lost_before = lost_bytes(watch->capture());
    const std::uint64_t seen_before = watch->capture().health().counters["tls.bytes"];
    std::thread reading([&] {
      std::string sink(65536, '\0');
      for (std::uint64_t left = sent; left > 0;) {
        const int got = ::SSL_read(pair.server.get(), sink.data(), static_cast<int>(sink.size()));
        if (got <= 0) break;
        left -= static_cast<std::uint64_t>(got);
      }
    });
    std::atomic<bool> is_done = false;
    std::thread writing([&] {
      for (std::uint64_t i = 0; i < kCount; ++i)
        EXPECT_EQ(::SSL_write(pair.client.get(), block.data(), static_cast<int>(size)),
                  static_cast<int>(size));
      is_done = true;
    });
    while (!is_done) take();
    writing.join();
    reading.join();
    while (take(), !watch->is_drained()) continue;
    // One more block shows where both streams stand; the rings are empty now.
    ASSERT_EQ(::SSL_write(pair.client.get(), block.data(), static_cast<int>(size)),
              static_cast<int>(size));
    ASSERT_EQ(read_exactly(pair.server.get(), size), block);
    for (int i = 0; i < 10; ++i) take();
    const std::uint64_t lost = lost_bytes(watch->capture()) - lost_before;
    const std::uint64_t seen = watch->capture().health().counters["tls.bytes"] - seen_before;
    std::printf("%zu bytes: %.4f of the written and %.4f of the read plaintext captured\n", size,
                static_cast<double>(written.captured) / static_cast<double>(sent + size),
                static_cast<double>(read.captured) / static_cast<double>(sent + size));
    EXPECT_EQ(written.wrong, 0U);
    EXPECT_EQ(read.wrong, 0U);
    EXPECT_EQ(written.captured + written.missing, sent + size);
    EXPECT_EQ(read.captured + read.missing, sent + size);
    // The counters are the host's: other processes' TLS may have lost something meanwhile.
    EXPECT_GE(lost, written.missing + read.missing);
    if (seen == 2 * (sent + size)) {
      EXPECT_EQ(lost, written.missing + read.missing);
    }
  }
}

TEST_F(TlsLossTest, AConnectionOlderThanTheSensorIsSeenFromThenOn) {
  TlsPair pair;
  ASSERT_EQ(::SSL_write(pair.client.get(), "before", 6), 6);
  ASSERT_EQ(read_exactly(pair.server.get(), 6), "before");
  const auto watch = open();
  if (watch == nullptr) GTEST_SKIP() << why_not_;
  ASSERT_EQ(::SSL_write(pair.client.get(), "after", 5), 5);
  ASSERT_EQ(read_exactly(pair.server.get(), 5), "after");
  ASSERT_TRUE(watch->until([&] { return watch->of<TlsChunk>(self_).size() >= 2; }));
  const auto chunks = watch->of<TlsChunk>(self_);
  EXPECT_EQ(join(chunks, pair.client.get(), Direction::kWrite).bytes, "after");
  EXPECT_EQ(join(chunks, pair.server.get(), Direction::kRead).bytes, "after");
  EXPECT_FALSE(chunks.front().from_start);
}

// A private copy of the library, as wheels and containers bring, mapped after the sensor started.
TEST_F(TlsLossTest, ALibraryThatIsNewOnDiskIsFoundAfterTheExec) {
  if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "no /usr/bin/python3";
  const auto watch = open();
  if (watch == nullptr) GTEST_SKIP() << why_not_;
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("private-libssl-" + std::to_string(self_));
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file("/usr/lib/x86_64-linux-gnu/libssl.so.3", folder / "libssl.so.3",
                             std::filesystem::copy_options::overwrite_existing);
  TcpPair tcp;
  const Ssl server(::SSL_new(server_context()));
  ASSERT_EQ(::SSL_set_fd(server.get(), tcp.server.get()), 1);
  ASSERT_EQ(::fcntl(tcp.client.get(), F_SETFD, 0), 0);
  const std::string script =
      "import socket, ssl, time\n"
      "time.sleep(1)\n"
      "context = ssl._create_unverified_context()\n"
      "with context.wrap_socket(socket.socket(fileno=" +
      std::to_string(tcp.client.get()) +
      ")) as tls:\n"
      "    tls.sendall(b'from a private copy')\n";
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("LD_LIBRARY_PATH", folder.c_str(), 1);
    ::execl("/usr/bin/python3", "python3", "-c", script.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  std::thread accepting([&] {
    EXPECT_EQ(::SSL_accept(server.get()), 1);
    EXPECT_EQ(read_exactly(server.get(), 19), "from a private copy");
  });
  const auto pid = static_cast<std::uint32_t>(child);
  EXPECT_TRUE(watch->until([&] { return !watch->of<Exec>(pid).empty(); }));
  watch->capture().follow(pid);
  EXPECT_TRUE(watch->until([&] { return !watch->of<TlsChunk>(pid).empty(); })) << "not captured";
  accepting.join();
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ASSERT_FALSE(watch->of<TlsChunk>(pid).empty());
  EXPECT_EQ(watch->of<TlsChunk>(pid).front().bytes, "from a private copy");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
