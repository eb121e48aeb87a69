// SPDX-License-Identifier: Apache-2.0
// Prints the TLS plaintext of the descendants of one process as JSON lines, with stream offsets, so
// that a test can compare it with what was sent. Usage: dump_plaintext <pid> [plan folder].
// Says "ready" when probes are in place; ends at the end of its input and then prints what was lost
// and which libraries were probed.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include "sensor/capture/capture.hpp"
#include "sensor/decode/decode.hpp"

namespace {

using namespace aispm;
using namespace aispm::sensor;

constexpr const char* kLibraries[] = {"openssl", "gnutls", "nss", "boringssl", "go", "aws-lc"};

std::string hex(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

// Fourth field of /proc/pid/stat, after a name that may hold anything.
std::uint32_t parent_of(std::uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t end = line.rfind(") ");
  return end == std::string::npos ? 0
                                  : static_cast<std::uint32_t>(std::atoi(line.c_str() + end + 4));
}

class Family {
 public:
  explicit Family(std::uint32_t root) : root_(root) {}
  void note(std::uint32_t pid, std::uint32_t parent) { parents_[pid] = parent; }
  bool has(std::uint32_t pid) {
    for (int depth = 0; depth < 64 && pid > 1; ++depth) {
      if (pid == root_) return true;
      const auto known = parents_.find(pid);
      const std::uint32_t parent = known != parents_.end() ? known->second : parent_of(pid);
      if (parent == 0) return false;
      parents_.emplace(pid, parent);
      pid = parent;
    }
    return false;
  }

 private:
  std::uint32_t root_;
  std::map<std::uint32_t, std::uint32_t> parents_;
};

void print(const TlsChunk& chunk) {
  const std::size_t library = static_cast<std::size_t>(chunk.library);
  std::printf(
      "{\"kind\":\"data\",\"pid\":%u,\"comm\":\"%s\",\"ssl\":\"%llx\",\"generation\":%llu,"
      "\"direction\":\"%s\","
      "\"offset\":%llu,\"gap\":%llu,\"library\":\"%s\",\"from_start\":%s,\"port\":%u,"
      "\"confidence\":%.2f,\"bytes\":\"%s\"}\n",
      chunk.actor.id.pid, chunk.actor.comm.c_str(), static_cast<unsigned long long>(chunk.key.ssl),
      static_cast<unsigned long long>(chunk.key.generation),
      chunk.direction == Direction::kWrite ? "write" : "read",
      static_cast<unsigned long long>(chunk.offset),
      static_cast<unsigned long long>(chunk.gap_bytes),
      library < std::size(kLibraries) ? kLibraries[library] : "?",
      chunk.from_start ? "true" : "false", chunk.socket ? chunk.socket->destination.port : 0U,
      chunk.attribution.confidence, hex(chunk.bytes).c_str());
}

void take(std::span<const std::byte> bytes, Family& family, Capture& capture) {
  auto record = decode_record(bytes);
  if (!record) {
    std::printf("{\"kind\":\"error\",\"what\":\"%s\"}\n", record.error().message.c_str());
    return;
  }
  if (const auto* exec = std::get_if<Exec>(&*record)) {
    family.note(exec->actor.id.pid, exec->actor.parent.pid);
    if (family.has(exec->actor.id.pid)) capture.follow(exec->actor.id.pid);
  } else if (const auto* chunk = std::get_if<TlsChunk>(&*record)) {
    if (family.has(chunk->actor.id.pid)) print(*chunk);
  }
}

// What runs on this host is analysed at the start; a test must not compete with that.
void wait_for_backlog(const Capture& capture) {
  for (int i = 0; i < 600 && capture.health().counters["tls.files_pending"] > 0; ++i)
    ::usleep(100'000);
}

bool input_ended() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  char byte = 0;
  return ::poll(&input, 1, 0) > 0 && ::read(STDIN_FILENO, &byte, 1) <= 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: dump_plaintext <pid> [plan folder]\n");
    return 2;
  }
  Family family(static_cast<std::uint32_t>(std::atoi(argv[1])));
  CaptureOptions options;
  options.mode = CaptureMode::kEbpf;
  options.own_tgid = static_cast<std::uint32_t>(::getpid());
  if (argc > 2) options.plan_folder = argv[2];  // what earlier runs found out
  auto capture = Capture::open(options);
  if (!capture) {
    std::fprintf(stderr, "%s\n", capture.error().message.c_str());
    return 1;
  }
  wait_for_backlog(**capture);
  std::printf("{\"kind\":\"ready\"}\n");
  std::fflush(stdout);
  const auto on_bytes = [&](std::span<const std::byte> bytes) { take(bytes, family, **capture); };
  for (bool stops = false; !stops;) {
    stops = input_ended();
    if (!(*capture)->wait(std::chrono::milliseconds(stops ? 500 : 50))) return 1;
    while ((*capture)->drain(on_bytes, on_bytes, [](const Record&) {}).value_or(false)) {
    }
    std::fflush(stdout);
  }
  const CaptureHealth health = (*capture)->health();
  std::uint64_t lost = 0;
  for (const aispm_loss& loss : health.losses) lost += loss.records;
  std::printf("{\"kind\":\"end\",\"lost\":%llu,\"reasons\":%zu}\n",
              static_cast<unsigned long long>(lost), health.reasons.size());
  for (const std::string& reason : health.reasons) std::fprintf(stderr, "%s\n", reason.c_str());
  return 0;
}
