// SPDX-License-Identifier: Apache-2.0
// What the packet and system call hooks cost, and whether events keep up. Prints JSON lines.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sdk/core/common/unique_fd.hpp"
#include "sensor/capture/socket_probes.hpp"
#include "sensor/capture/stdio_probes.hpp"
#include "sensor/decode/decode.hpp"

namespace aispm::sensor {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRounds = 5;
constexpr int kSmallMessages = 40'000;
constexpr std::size_t kBulkBytes = 400U << 20;
constexpr int kConnects = 10'000;
constexpr int kReads = 400'000;

void print(const std::string& name, double value, const std::string& unit, double target, bool ok) {
  std::printf("{\"name\":\"%s\",\"value\":%.2f,\"unit\":\"%s\",\"target\":%.2f,\"ok\":%s}\n",
              name.c_str(), value, unit.c_str(), target, ok ? "true" : "false");
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double cpu_of(const std::function<void()>& work) {
  const double before = cpu_seconds();
  work();
  return cpu_seconds() - before;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

UniqueFd listen_on_loopback(sockaddr_in& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(fd.get(), 512) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return {};
  return fd;
}

struct Pair {
  UniqueFd client;
  UniqueFd server;
  Pair() {
    sockaddr_in address{};
    const UniqueFd listener = listen_on_loopback(address);
    client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0)
      server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
};

// Request and reply of 100 bytes: one packet each way.
void ping_pong() {
  const Pair pair;
  char bytes[100] = "\x17\x03\x03 not a hello";
  for (int i = 0; i < kSmallMessages; ++i) {
    if (::write(pair.client.get(), bytes, sizeof(bytes)) < 0 ||
        ::read(pair.server.get(), bytes, sizeof(bytes)) <= 0 ||
        ::write(pair.server.get(), bytes, sizeof(bytes)) < 0 ||
        ::read(pair.client.get(), bytes, sizeof(bytes)) <= 0)
      return;
  }
}

void bulk() {
  const Pair pair;
  std::thread sender([&] {
    const std::string block(128U << 10, 'x');
    for (std::size_t sent = 0; sent < kBulkBytes; sent += block.size())
      if (::write(pair.client.get(), block.data(), block.size()) < 0) return;
    ::shutdown(pair.client.get(), SHUT_WR);
  });
  std::string block(128U << 10, '\0');
  while (::read(pair.server.get(), block.data(), block.size()) > 0) {
  }
  sender.join();
}

void connect_many() {
  sockaddr_in address{};
  const UniqueFd listener = listen_on_loopback(address);
  const linger reset{1, 0};
  for (int i = 0; i < kConnects; ++i) {
    const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      return;
    const UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
}

void read_many() {
  const UniqueFd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  char byte = 0;
  for (int i = 0; i < kReads; ++i)
    if (::read(zero.get(), &byte, 1) != 1) return;
}

// CPU seconds without and with what `attach` returns, in turns: the machine's speed changes.
template <typename Attach>
std::pair<double, double> compare(const std::function<void()>& work, const Attach& attach) {
  std::vector<double> without;
  std::vector<double> with;
  work();
  for (int round = 0; round < kRounds; ++round) {
    without.push_back(cpu_of(work));
    const auto attached = attach();
    with.push_back(cpu_of(work));
  }
  return {median(without), median(with)};
}

struct Hooks {
  SharedMaps maps;
  NetworkTracepoints network;
  std::optional<PacketProbes> packets;
};

Result<std::unique_ptr<Hooks>> attach_hooks(bool with_packets) {
  AISPM_TRY(SharedMaps maps, SharedMaps::open({}));
  AISPM_TRY(NetworkTracepoints network, NetworkTracepoints::open(maps));
  auto hooks = std::make_unique<Hooks>(Hooks{std::move(maps), std::move(network), std::nullopt});
  if (with_packets) {
    AISPM_TRY(hooks->packets, PacketProbes::open(hooks->maps, hooks->network));
  }
  return hooks;
}

void compare_packets(const std::string& name, const std::function<void()>& work, double packets) {
  const auto attach = [] { return attach_hooks(true); };
  const auto [without, with] = compare(work, attach);
  print("packet_hook." + name + ".ratio", with / without, "x", 1.1, with / without <= 1.1);
  print("packet_hook." + name + ".cost", (with - without) / packets * 1e9, "ns/packet", 250,
        (with - without) / packets * 1e9 <= 250);
}

// All connects of this process arrive, with what their sockets carried.
void count_connects() {
  auto hooks = attach_hooks(true);
  if (!hooks) return;
  auto reader = RingReader::open((*hooks)->maps);
  if (!reader) return;
  std::uint64_t seen = 0;
  const auto self = static_cast<std::uint32_t>(::getpid());
  const auto take = [&](std::span<const std::byte> bytes) {
    const auto record = decode_record(bytes);
    if (!record) return;
    if (const auto* one = std::get_if<Connect>(&*record); one != nullptr)
      seen += one->actor.id.pid == self;
  };
  std::atomic<bool> is_done = false;
  const auto start = Clock::now();
  double took = 0;
  std::thread worker([&] {
    connect_many();
    took = std::chrono::duration<double>(Clock::now() - start).count();
    is_done = true;
  });
  const auto drain = [&] {
    while (reader->drain(Ring::kControl, 16384, take).value_or(0) > 0) {
    }
  };
  while (!is_done) {
    drain();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  worker.join();
  drain();
  print("connect.rate", kConnects / took, "1/s", 0, true);
  print("connect.lost", static_cast<double>(kConnects) - static_cast<double>(seen), "records", 0,
        seen == kConnects);
}

int run() {
  const auto possible = attach_hooks(true);
  if (!possible) {
    std::fprintf(stderr, "skipped: %s\n", possible.error().message.c_str());
    return 0;
  }
  compare_packets("small", ping_pong, 4.0 * kSmallMessages);  // out and in, both ways
  compare_packets("bulk", bulk, 2.0 * static_cast<double>(kBulkBytes) / 65536);
  count_connects();
  const auto [without, with] = compare(read_many, [] {
    auto maps = SharedMaps::open({});
    std::optional<StdioProbes> stdio;
    if (maps)
      if (auto opened = StdioProbes::open(*maps)) stdio = std::move(*opened);
    if (!stdio || !stdio->begin()) std::fprintf(stderr, "the system call hook did not attach\n");
    return std::make_pair(std::move(maps), std::move(stdio));
  });
  const double cost = (with - without) / kReads * 1e9;
  print("stdio_hook.cost", cost, "ns/call", 400, cost <= 400);
  return 0;
}

}  // namespace
}  // namespace aispm::sensor

int main() { return aispm::sensor::run(); }
