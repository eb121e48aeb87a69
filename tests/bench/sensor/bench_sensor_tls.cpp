// SPDX-License-Identifier: Apache-2.0
// What TLS capture sees of a client that writes as fast as it can, and what that costs the client's
// thread: against no probe, an empty probe at the same instruction (the peer: any uprobe-based
// capture pays at least this) and an empty probe at the function's first instruction, where others
// put theirs. One client, one server, one sensor thread, this machine's CPUs. JSON lines.
#include <dlfcn.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <thread>

#include "sensor/capture/capture.hpp"
#include "sensor/capture/elf_image.hpp"
#include "sensor/decode/decode.hpp"
#include "tests/kernel/tls_pair.hpp"

namespace {

using namespace aispm;
using namespace aispm::sensor;
using kernel_test::TlsPair;

constexpr std::array<std::size_t, 3> kSizes{200, 4096, 16384};
constexpr int kWrites = 20'000;
constexpr int kRounds = 5;
constexpr double kMaxCost = 1.5;  // times the empty probe

struct Cost {  // client thread CPU ns a write, best round
  double none = std::numeric_limits<double>::max();
  double empty = std::numeric_limits<double>::max();
  double empty_at_entry = std::numeric_limits<double>::max();
  double captured = std::numeric_limits<double>::max();
};
struct Seen {
  std::uint64_t sent = 0;
  std::uint64_t captured = 0;  // bytes that are right, at their offset
  std::uint64_t lost = 0;      // bytes that the kernel's counters say were lost, both directions
};

double thread_cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Writes as fast as it can while `meanwhile` is called again and again. CPU ns a write.
double flood(TlsPair& pair, const std::string& block, const std::function<void()>& meanwhile) {
  std::thread reading([&] {
    std::string sink(65536, '\0');
    for (std::uint64_t left = block.size() * kWrites; left > 0;) {
      const int got = ::SSL_read(pair.server.get(), sink.data(), static_cast<int>(sink.size()));
      if (got <= 0) break;
      left -= static_cast<std::uint64_t>(got);
    }
  });
  std::atomic<bool> is_done = false;
  double cost = 0;
  std::thread writing([&] {
    const double start = thread_cpu_ns();
    for (int i = 0; i < kWrites; ++i)
      if (::SSL_write(pair.client.get(), block.data(), static_cast<int>(block.size())) <= 0) break;
    cost = (thread_cpu_ns() - start) / kWrites;
    is_done = true;
  });
  while (!is_done) meanwhile();
  writing.join();
  reading.join();
  return cost;
}

double flood_alone(std::size_t size) {
  TlsPair pair;
  return flood(pair, kernel_test::make_stamped(size),
               [] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); });
}

double flood_captured(Capture& capture, std::size_t size, Seen& seen) {
  TlsPair pair;
  const std::string block = kernel_test::make_stamped(size);
  std::size_t taken = 0;
  const auto on_bytes = [&](std::span<const std::byte> bytes) {
    ++taken;
    const auto record = decode_record(bytes);
    const auto* chunk = record ? std::get_if<TlsChunk>(&*record) : nullptr;
    if (chunk != nullptr && chunk->direction == Direction::kWrite &&
        chunk->key.ssl == reinterpret_cast<std::uint64_t>(pair.client.get()) &&
        chunk->offset % size == 0 && chunk->bytes == block)
      seen.captured += size;
  };
  const auto take = [&] {
    taken = 0;
    if (capture.wait(std::chrono::milliseconds(20)))
      (void)capture.drain(on_bytes, on_bytes, [](const Record&) {});
  };
  const std::uint64_t before = capture.health().losses[AISPM_LOSS_RING_FULL_DATA].bytes;
  const double cost = flood(pair, block, take);
  do take();
  while (taken > 0);
  seen.sent += size * kWrites;
  seen.lost += capture.health().losses[AISPM_LOSS_RING_FULL_DATA].bytes - before;
  return cost;
}

// The library in use, and where in it the sensor probes SSL_write.
struct Site {
  std::string path;
  std::uint64_t probe = 0;  // file offsets
  std::uint64_t entry = 0;
};

Result<Site> find_site() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(&::SSL_write), &info) == 0 || info.dli_fname == nullptr)
    return fail(Errc::kUnavailable, "cannot find the TLS library of this program");
  Site site{info.dli_fname, 0, 0};
  const UniqueFd file(::open(site.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("open " + site.path);
  AISPM_TRY(const ElfImage image, ElfImage::open(file.get()));
  const auto functions = image.find_functions(tls_function_names());
  const auto entry = functions.find("SSL_write");
  const CodeAt code = [&](std::uint64_t at, std::size_t limit) { return image.code_at(at, limit); };
  if (entry == functions.end()) return fail(Errc::kUnavailable, site.path + ": no SSL_write");
  for (const ProbePoint& point : make_probe_plan(functions, image.is_x86_64() ? code : CodeAt()))
    // Where one probe serves SSL_write and SSL_write_ex, it is of the second kind.
    if (point.hook == TlsHook::kWrite || point.hook == TlsHook::kWriteEx)
      site.probe = image.file_offset(point.address).value_or(0);
  site.entry = image.file_offset(entry->second).value_or(0);
  if (site.probe == 0 || site.entry == 0) return fail(Errc::kUnavailable, "no site to probe");
  return site;
}

Result<> measure_empty(const Site& site, std::array<Cost, kSizes.size()>& costs) {
  AISPM_TRY(const SharedMaps maps, SharedMaps::open({1U << 20, 1U << 20}));
  AISPM_TRY(const TlsProbes probes, TlsProbes::open(maps, find_kernel_features(), 0));
  for (const bool at_entry : {false, true}) {
    AISPM_TRY(const TlsProbes::Attached probe,
              probes.attach_nothing(site.path, at_entry ? site.entry : site.probe));
    for (std::size_t i = 0; i < kSizes.size(); ++i) {
      double& best = at_entry ? costs[i].empty_at_entry : costs[i].empty;
      best = std::min(best, flood_alone(kSizes[i]));
    }
  }
  return {};
}

Result<> measure(std::array<Cost, kSizes.size()>& costs, std::array<Seen, kSizes.size()>& seen) {
  AISPM_TRY(const Site site, find_site());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kSizes.size(); ++i)
      costs[i].none = std::min(costs[i].none, flood_alone(kSizes[i]));
    AISPM_CHECK(measure_empty(site, costs));
    CaptureOptions options;
    options.mode = CaptureMode::kEbpf;
    AISPM_TRY(const auto capture, Capture::open(options));
    for (std::size_t i = 0; i < kSizes.size(); ++i)
      costs[i].captured = std::min(costs[i].captured, flood_captured(*capture, kSizes[i], seen[i]));
  }
  return {};
}

void print(const std::string& name, double value, const char* unit) {
  std::printf(
      "{\"name\":\"sensor.tls.%s\",\"value\":%.6g,\"unit\":\"%s\",\"target\":null,\"ok\":null}\n",
      name.c_str(), value, unit);
}

void print(const std::string& name, double value, const char* unit, double target, bool ok) {
  std::printf(
      "{\"name\":\"sensor.tls.%s\",\"value\":%.6g,\"unit\":\"%s\",\"target\":%g,\"ok\":%s}\n",
      name.c_str(), value, unit, target, ok ? "true" : "false");
}

}  // namespace

int main() {
  if (::geteuid() != 0) {
    std::fprintf(stderr, "skipped: eBPF needs root\n");
    return 0;
  }
  std::array<Cost, kSizes.size()> costs;
  std::array<Seen, kSizes.size()> seen;
  if (const auto measured = measure(costs, seen); !measured) {
    const bool cannot =
        measured.error().code == Errc::kUnsupported || measured.error().code == Errc::kDenied;
    std::fprintf(stderr, "%s: %s\n", cannot ? "skipped" : "failed",
                 measured.error().message.c_str());
    return cannot ? 0 : 1;
  }
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    const std::string size = std::to_string(kSizes[i]) + "B.";
    const double share = static_cast<double>(seen[i].captured) / static_cast<double>(seen[i].sent);
    print(size + "captured", share, "share", 1.0, seen[i].captured == seen[i].sent);
    print(size + "counted_lost", static_cast<double>(seen[i].lost), "bytes");
    print(size + "write_cpu.no_probe", costs[i].none, "ns");
    print(size + "write_cpu.empty_probe", costs[i].empty, "ns");
    print(size + "write_cpu.empty_probe_at_entry", costs[i].empty_at_entry, "ns");
    print(size + "write_cpu.captured", costs[i].captured, "ns");
    const double ratio = costs[i].captured / costs[i].empty;
    print(size + "cost_vs_empty_probe", ratio, "x", kMaxCost, ratio <= kMaxCost);
  }
  return 0;
}
